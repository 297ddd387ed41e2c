"""Step: a measuring session on an attached device through a Python there: what the native runner does not open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from edgeshrink.core.events import Listener
from edgeshrink.core.measurement import Measurements
from edgeshrink.engine.attached import leftovers_folder
from edgeshrink.engine.steps.device_session import DeviceSession
from edgeshrink.measure.device.python.interpreter import needed
from edgeshrink.measure.device.python.session import measure_in_python


@dataclass(frozen=True)
class MeasureInPython(DeviceSession):
    """`network`: on random inputs. `confirm` is asked before a Python or its packages are brought there."""

    runtime: str
    network: bool
    delegate: str
    confirm: Callable[[str], bool]
    id: ClassVar[str] = "measure-on-device-in-python"

    def asked(self) -> Mapping[str, Any]:
        return {"delegate": self.delegate}

    def computes(self) -> Mapping[str, Any]:
        return {"packages": list(needed(self.runtime))}

    def measured(self, listener: Listener) -> Measurements:
        return measure_in_python(
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
