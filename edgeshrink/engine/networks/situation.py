"""What the build of a network depends on, looked up: target, device, format, the ladder and its predictions."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.network import NetworkFacts, NetworkSource
from edgeshrink.core.plan import Candidate, Predictions
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.reading import Estimate
from edgeshrink.core.request import Request
from edgeshrink.core.target import NetworkFormat, Target
from edgeshrink.engine.situation import find_device
from edgeshrink.planning.networks import predict_network
from edgeshrink.planning.requested import delegate_of, network_format, network_scheme, requested_network_scheme
from edgeshrink.planning.resolve import predicted_fit


@dataclass(frozen=True, slots=True)
class NetworkSituation:
    """`ladder` is the target's schemes from fewest bits to most, or the one that was asked for."""

    request: Request
    facts: NetworkFacts
    target: Target
    profile: DeviceProfile
    on_this_host: bool
    format_name: str
    delegate: str
    ladder: tuple[str, ...]
    start: str

    @property
    def settings(self) -> NetworkFormat:
        found = self.target.formats[self.format_name].networks
        assert found is not None
        return found

    @property
    def runtime(self) -> str:
        return self.target.formats[self.format_name].runtime

    @property
    def delegate_here(self) -> str:
        """The backend that runs the file on this machine."""
        if self.on_this_host or self.request.delegate is not None:
            return self.delegate
        return "xnnpack" if self.format_name == "executorch" else "cpu"

    @property
    def runs_here(self) -> bool:
        """Whether this machine can run what is built for the delegate."""
        return self.format_name != "executorch" or self.delegate == "xnnpack"

    def predictions(self, scheme: str) -> Predictions:
        return predict_network(self.facts, format=self.format_name, scheme=scheme, on_this_host=self.on_this_host)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return tuple(self._candidate(scheme) for scheme in self.ladder)

    def _candidate(self, scheme: str) -> Candidate:
        predictions = self.predictions(scheme)
        fits, why = predicted_fit(self.profile.budget, predictions, network=True)
        nbytes = predictions.artifact_bytes
        bits = 8 * nbytes.value / max(1, self.facts.parameters) if isinstance(nbytes, Estimate) else 0.0
        return Candidate(scheme, bits, predictions, fits, why)


def network_formats(target: Target, source: NetworkSource) -> tuple[str, ...]:
    """The formats of a target that take this network: an ONNX file goes nowhere but into ONNX."""
    takers = (name for name, entry in target.formats.items() if entry.networks is not None)
    return tuple(name for name in takers if source.kind != "onnx" or name == "onnx")


def find_network_situation(request: Request, facts: NetworkFacts) -> NetworkSituation:
    """PlanError where the target takes no networks, or has no such format, scheme or delegate."""
    target, profile, on_this_host = find_device(request, None)
    name = network_format(request, target)
    entry = target.formats[name].networks
    assert entry is not None
    asked = requested_network_scheme(request, target)
    ladder = (asked,) if asked else tuple(network_scheme(scheme, name) for scheme in entry.schemes)
    return NetworkSituation(
        request=request,
        facts=facts,
        target=target,
        profile=profile,
        on_this_host=on_this_host,
        format_name=name,
        delegate=delegate_of(request, target, name),
        ladder=ladder,
        start=asked or network_scheme(entry.preferred_scheme, name),
    )
