"""Step: a measuring session on an attached device through a vendor's ready runner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.measurement import Measurements
from edgeshrink.engine.attached import leftovers_folder
from edgeshrink.engine.steps.device_session import DeviceSession
from edgeshrink.measure.device.vendor.program import VendorProgram
from edgeshrink.measure.device.vendor.session import measure_with_vendor


@dataclass(frozen=True)
class MeasureWithVendor(DeviceSession):
    """`program` is known by its content."""

    program: VendorProgram
    format: str
    network: bool
    delegate: str
    id: ClassVar[str] = "measure-on-device-with-vendor-runner"

    def asked(self) -> Mapping[str, Any]:
        return {"delegate": self.delegate}

    def computes(self) -> Mapping[str, Any]:
        return {"runner": self.program.name, "sha256": self.program.sha256}

    def measured(self, listener: Listener) -> Measurements:
        return measure_with_vendor(
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
