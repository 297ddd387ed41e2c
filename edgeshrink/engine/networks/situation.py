"""What the build of a network depends on, looked up: target, device, format, the ladder and its predictions."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.catalog.requirements import check_extra
from edgeshrink.core.network import NetworkFacts, NetworkSource
from edgeshrink.core.plan import Candidate, Predictions
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.reading import Estimate
from edgeshrink.core.request import Request
from edgeshrink.core.target import NetworkFormat, Target
from edgeshrink.engine.output import check_output
from edgeshrink.engine.situation import find_device
from edgeshrink.errors import DataError, PlanError, UsageError
from edgeshrink.planning.network_schemes import delegate_computes
from edgeshrink.planning.networks import predict_network
from edgeshrink.planning.requested import (
    delegate_here,
    delegate_of,
    network_format,
    network_scheme,
    requested_network_scheme,
)
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
        return delegate_here(self.request, self.delegate, self.format_name, on_this_host=self.on_this_host)

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


def check_network_request(request: Request) -> None:
    """Refuse a wrong flag or a missing extra before the network is asked what it is, which takes torch a while."""
    if request.adapters:
        raise UsageError("--adapter is for language models, and this is another network", hint="leave it out")
    target, _, _ = find_device(request, None)
    name = network_format(request, target)
    requested_network_scheme(request, target)
    delegate_of(request, target, name)
    if request.calibration is not None and not request.calibration.exists():
        raise DataError(f"there is no {request.calibration}", hint="--calibration names a folder of samples")
    if request.out is not None:
        check_output(request.out)
    check_extra(name)


def find_network_situation(request: Request, facts: NetworkFacts) -> NetworkSituation:
    """PlanError where the target takes no networks, or has no such format, scheme or delegate."""
    target, profile, on_this_host = find_device(request, None)
    name = network_format(request, target)
    entry = target.formats[name].networks
    assert entry is not None
    asked = requested_network_scheme(request, target)
    delegate = delegate_of(request, target, name)
    known = (asked,) if asked else tuple(network_scheme(scheme, name) for scheme in entry.schemes)
    ladder = tuple(scheme for scheme in known if delegate_computes(delegate, scheme))
    if not ladder:
        raise PlanError(f"{delegate} computes no network in {', '.join(known)}", hint="try --scheme fp32")
    preferred = asked or network_scheme(entry.preferred_scheme, name)
    return NetworkSituation(
        request=request,
        facts=facts,
        target=target,
        profile=profile,
        on_this_host=on_this_host,
        format_name=name,
        delegate=delegate,
        ladder=ladder,
        start=preferred if preferred in ladder else ladder[0],
    )
