"""Step: one measuring session on an attached device. Kept while the runner's build, the device and its mode stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.session import SessionOptions
from edgeshrink.core.values import to_json
from edgeshrink.engine.attached import Attached, leftovers_folder
from edgeshrink.engine.steps.measuring import FILE, read_measurements
from edgeshrink.errors import StepFailed
from edgeshrink.measure.device.session import measure_on_device
from edgeshrink.measure.power.registry import choose
from edgeshrink.toolchain.runner.build import BuiltRunner


def device_key(attached: Attached, power_sources: tuple[str, ...]) -> dict[str, Any]:
    """What makes a session on a device another one: the device, its system, and the state that it is in."""
    device = attached.device
    power = choose(power_sources, attached.probe.shown)
    return {
        "device": device.id,
        "os": device.os,
        "kernel": device.kernel,
        "emulation": device.emulation,
        "clusters": [[cluster.name, cluster.cores, cluster.max_mhz] for cluster in device.clusters],
        "cores": device.cores,
        "power_mode": device.power_mode,
        "governor": device.governor,
        "battery": device.battery.status if device.battery else "",
        "power": power if isinstance(power, str) else power[1].source,
    }


@dataclass(frozen=True)
class MeasureOnDevice:
    """Result: `measurements.json`, a Measurements with `device`."""

    attached: Attached
    runner: BuiltRunner
    artifact: Path
    artifact_sha256: str
    context: int
    threads: int | None
    gpu_layers: int
    prompt_tokens: tuple[int, ...]
    power_sources: tuple[str, ...]
    options: SessionOptions
    id: ClassVar[str] = "measure-on-device"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"artifact": self.artifact_sha256},
            "parameters": {
                "context": self.context,
                "threads": self.threads,
                "gpu_layers": self.gpu_layers,
                "prompt_tokens": list(self.prompt_tokens),
                "power_sources": list(self.power_sources),
                "options": {**asdict(self.options), "keep": False},
            },
            "tools": {"runner": self.runner.build_id, **device_key(self.attached, self.power_sources)},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        measurements = measure_on_device(
            self.attached.transport,
            self.attached.probe,
            self.runner,
            self.artifact,
            sha256=self.artifact_sha256,
            context=self.context,
            threads=self.threads,
            gpu_layers=self.gpu_layers,
            prompt_tokens=self.prompt_tokens,
            power_sources=self.power_sources,
            options=self.options,
            leftovers=leftovers_folder(),
            listener=listener,
        )
        (workdir / FILE).write_text(to_json(measurements), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if read_measurements(workdir).device is None:
            raise StepFailed("the session does not say on which device it ran")
