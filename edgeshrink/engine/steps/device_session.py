"""What every measuring session on an attached device is as a step, whatever computes there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.session import SessionOptions
from edgeshrink.core.values import to_json
from edgeshrink.engine.attached import Attached
from edgeshrink.engine.steps.measuring import FILE, read_measurements
from edgeshrink.errors import StepFailed
from edgeshrink.measure.power.registry import choose


@dataclass(frozen=True)
class DeviceSession(ABC):
    """Result: `measurements.json`, a Measurements with `device`. Kept while the device, its system and its state stay.

    `power_sources`: those that are tried; () where such a session reads no power.
    """

    attached: Attached
    artifact: Path
    artifact_sha256: str
    context: int
    threads: int | None
    prompt_tokens: tuple[int, ...]
    power_sources: tuple[str, ...]
    options: SessionOptions
    id: ClassVar[str]
    version: ClassVar[int] = 1

    @abstractmethod
    def measured(self, listener: Listener) -> Measurements:
        """Hold the session."""

    @abstractmethod
    def asked(self) -> Mapping[str, Any]:
        """What else was asked for that makes it another session."""

    @abstractmethod
    def computes(self) -> Mapping[str, Any]:
        """What computes there, by its build."""

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"artifact": self.artifact_sha256},
            "parameters": {
                "context": self.context,
                "threads": self.threads,
                "prompt_tokens": list(self.prompt_tokens),
                "power_sources": list(self.power_sources),
                # What stays behind, and how a program is named, changes nothing that is measured.
                "options": {**asdict(self.options), "keep": False, "vendor_runner": None},
                **self.asked(),
            },
            "tools": {**self.computes(), **device_key(self.attached, self.power_sources)},
        }

    def requires(self) -> None: ...  # noqa: B027 - a step has it, and no session needs anything

    def call(self, workdir: Path, listener: Listener) -> None:
        (workdir / FILE).write_text(to_json(self.measured(listener)), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if read_measurements(workdir).device is None:
            raise StepFailed("the session does not say on which device it ran")


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
