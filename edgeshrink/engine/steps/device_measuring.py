"""Step: one measuring session of a GGUF on an attached device, through the native runner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.measurement import Measurements
from edgeshrink.engine.attached import leftovers_folder
from edgeshrink.engine.steps.device_session import DeviceSession
from edgeshrink.measure.device.session import measure_on_device
from edgeshrink.toolchain.runner.build import BuiltRunner


@dataclass(frozen=True)
class MeasureOnDevice(DeviceSession):
    """`gpu_layers`: how many to offload."""

    runner: BuiltRunner
    gpu_layers: int
    id: ClassVar[str] = "measure-on-device"

    def asked(self) -> Mapping[str, Any]:
        return {"gpu_layers": self.gpu_layers}

    def computes(self) -> Mapping[str, Any]:
        return {"runner": self.runner.build_id}

    def measured(self, listener: Listener) -> Measurements:
        return measure_on_device(
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
