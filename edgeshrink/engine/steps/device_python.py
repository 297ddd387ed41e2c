"""Step: a measuring session on an attached device through a Python there: what the native runner does not open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from edgeshrink.measure.device.python.interpreter import needed
from edgeshrink.measure.device.python.session import measure_in_python


@dataclass(frozen=True)
class MeasureInPython:
    """Result: `measurements.json`, a Measurements with `device`. `network`: on random inputs."""

    attached: Attached
    artifact: Path
    artifact_sha256: str
    runtime: str
    network: bool
    delegate: str
    context: int
    threads: int | None
    prompt_tokens: tuple[int, ...]
    power_sources: tuple[str, ...]
    options: SessionOptions
    confirm: Callable[[str], bool]
    id: ClassVar[str] = "measure-on-device-in-python"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"artifact": self.artifact_sha256},
            "parameters": {
                "delegate": self.delegate,
                "context": self.context,
                "threads": self.threads,
                "prompt_tokens": list(self.prompt_tokens),
                "power_sources": list(self.power_sources),
                "options": {**asdict(self.options), "keep": False},
            },
            "tools": {"packages": list(needed(self.runtime)), **device_key(self.attached, self.power_sources)},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        measurements = measure_in_python(
            self.attached.transport,
            self.attached.device,
            self.artifact,
            sha256=self.artifact_sha256,
            runtime=self.runtime,
            network=self.network,
            delegate=self.delegate,
            context=self.context,
            threads=self.threads,
            prompt_tokens=self.prompt_tokens,
            power_sources=self.power_sources,
            options=self.options,
            python=self.options.python,
            confirm=self.confirm,
            leftovers=leftovers_folder(),
            listener=listener,
        )
        (workdir / FILE).write_text(to_json(measurements), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if read_measurements(workdir).device is None:
            raise StepFailed("the session does not say on which device it ran")
