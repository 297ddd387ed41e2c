"""Step: a measuring session on an attached device through a vendor's ready runner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.session import SessionOptions
from edgeshrink.core.values import to_json
from edgeshrink.engine.attached import Attached, leftovers_folder
from edgeshrink.engine.steps.device_measuring import device_key
from edgeshrink.engine.steps.measuring import FILE, read_measurements
from edgeshrink.errors import StepFailed
from edgeshrink.measure.device.vendor.program import VendorProgram
from edgeshrink.measure.device.vendor.session import measure_with_vendor


@dataclass(frozen=True)
class MeasureWithVendor:
    """Result: `measurements.json`, a Measurements with `device`. A program on the device is known by its path."""

    attached: Attached
    program: VendorProgram
    artifact: Path
    artifact_sha256: str
    format: str
    network: bool
    delegate: str
    context: int
    threads: int | None
    prompt_tokens: tuple[int, ...]
    options: SessionOptions
    id: ClassVar[str] = "measure-on-device-with-vendor-runner"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"artifact": self.artifact_sha256},
            "parameters": {
                "delegate": self.delegate,
                "context": self.context,
                "threads": self.threads,
                "prompt_tokens": list(self.prompt_tokens),
                "options": {**asdict(self.options), "keep": False, "vendor_runner": None},
            },
            "tools": {"runner": self.program.name, "digest": self.program.digest, **device_key(self.attached, ())},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        measurements = measure_with_vendor(
            self.attached.transport,
            self.attached.device,
            self.artifact,
            self.program,
            sha256=self.artifact_sha256,
            format=self.format,
            network=self.network,
            delegate=self.delegate,
            context=self.context,
            threads=self.threads,
            prompt_tokens=self.prompt_tokens,
            options=self.options,
            leftovers=leftovers_folder(),
            listener=listener,
        )
        (workdir / FILE).write_text(to_json(measurements), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if read_measurements(workdir).device is None:
            raise StepFailed("the session does not say on which device it ran")
