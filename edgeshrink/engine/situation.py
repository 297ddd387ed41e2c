"""From a request to a Situation: the target, the device profile and the header, looked up."""

from __future__ import annotations

from edgeshrink.catalog.targets import load_target
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.quant_types import quant_type
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target
from edgeshrink.devices.local import host_is, profile_for
from edgeshrink.engine.opened import OpenModel
from edgeshrink.errors import UsageError
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.planning.requested import ALL, delegate_of, format_name, request_for, requested_scheme
from edgeshrink.planning.resolve import Situation
from edgeshrink.planning.schemes import SCHEMES


def check_request(request: Request) -> None:
    """Refuse a wrong flag before a model is opened, let alone fetched."""
    target, _, _ = find_device(request, None)
    for name in requested_formats(request, target):
        one = request_for(request, name)
        requested_scheme(one, target)
        if request.format != ALL:
            delegate_of(one, target, name)
    if request.expert_types != "mix" and "gguf" not in requested_formats(request, target):
        raise UsageError("--expert-types is of a GGUF", hint="leave it out, or build --format gguf")
    if requested_formats(request, target) == ("gguf",):
        for _pattern, kind in request.tensor_types:
            quant_type(kind)


def requested_formats(request: Request, target: Target) -> tuple[str, ...]:
    """The formats that a request is about: one, or all that the target lists."""
    return tuple(target.formats) if request.format == ALL else (format_name(request, target),)


def find_device(request: Request, calibration: MachineCalibration | None) -> tuple[Target, DeviceProfile, bool]:
    """The target, the device profile, and whether this host is that device."""
    target = load_target(request.target)
    profile = profile_for(request.profile or target.default_profile, calibration)
    return target, profile, host_is(profile).is_device


def find_situation(
    request: Request, model: OpenModel, calibration: MachineCalibration | None, *, pre: str | None = None
) -> Situation:
    """`pre` is the proven pre-tokenizer; without one, the structure's most likely stands in (for `plan`)."""
    target, profile, on_this_host = find_device(request, calibration)
    return Situation(
        request=request,
        facts=model.facts,
        target=target,
        profile=profile,
        layout=model.layout,
        header=gguf_header(model, scheme="F16", pre=pre),
        tokenizer_bytes=sum(file.stat().st_size for file in model.facts.tokenizer_files),
        calibration=calibration,
        on_this_host=on_this_host,
    )


def gguf_header(model: OpenModel, *, scheme: str, pre: str | None) -> tuple[KeyValue, ...]:
    """All metadata of the file to be written. Its length does not depend on the scheme."""
    from edgeshrink.export.gguf.vocabulary import vocabulary_metadata

    metadata = model_metadata(model.facts, name=model.name, file_type=SCHEMES[scheme].file_type)
    vocabulary = model.vocabulary
    if vocabulary is None:
        return metadata
    name = pre or next(iter(vocabulary.pre_candidates), "default")
    return (*metadata, *vocabulary_metadata(vocabulary, name))
