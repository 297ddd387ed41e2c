"""The whole examination of a finished network: what must hold, and how far its outputs are from the float network's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeshrink.catalog.networks import source_to_json
from edgeshrink.catalog.samples import samples_sha256
from edgeshrink.core.backends import backend_is
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.network import NetworkSource, Port
from edgeshrink.core.quality import Check, LayerError, NetworkQuality
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.evaluate.network_distances import NetworkReadings, SampleDistances, mean_reading, readings
from edgeshrink.evaluate.network_reference import NetworkReference, read_network_reference
from edgeshrink.runtimes.progress import forward

FLOAT_SCHEMES = ("fp32", "float")
FLOAT_TOLERANCE = 1e-3
"""Of a float32 file: the largest difference over the largest value of that output."""
NONSENSE_COSINE = 0.5
RESEMBLANCE, FINITE = "outputs resemble the source's", "finite outputs"
MENDED_BY_BITS = (RESEMBLANCE, FINITE)
"""Checks that another scheme may pass."""


def reference_outputs(
    source: NetworkSource,
    samples: Path,
    folder: Path,
    *,
    threads: int,
    listener: Listener = silent,
    log: Path | None = None,
) -> None:
    """Run the float network over the samples in `samples` (.npz) in a child and store what it says in `folder`.

    Eager torch, or onnxruntime for an .onnx file. DataError: it cannot be loaded, computes what is not finite, or its
    scorer fails.
    """
    from edgeshrink.runtimes.child import run_job

    parameters = {
        "source": source_to_json(source),
        "samples": str(samples),
        "folder": str(folder),
        "threads": threads,
    }
    told = forward(listener, "samples", unit="samples")
    run_job("edgeshrink.evaluate.network_job:reference_job", parameters, on_event=told, log=log)


def evaluate_network(
    artifact: Path,
    *,
    runtime: str,
    delegate: str,
    reference: Path,
    samples: Path,
    source: NetworkSource,
    scheme: str = "",
    layers: tuple[LayerError, ...] = (),
    threads: int,
    listener: Listener = silent,
    log: Path | None = None,
) -> NetworkQuality:
    """Examine `artifact` on the samples that the reference in the folder `reference` was run on.

    It runs in a child process, in order, with its own states carried where the samples are a sequence. A file that
    does not run, or crashes, is a failed check, as are wrong or not finite outputs. `scheme` fp32: it must compute
    what the source computes. DataError: the reference is not whole, or the scorer fails.
    """
    from edgeshrink.runtimes.child import run_job

    stored = read_network_reference(reference)
    if samples_sha256(samples) != stored.samples_sha256:
        raise DataError(f"{reference} was run on other samples than {samples}", hint="run the build again")
    parameters = {
        "source": source_to_json(source),
        "samples": str(samples),
        "reference": str(reference),
        "artifact": str(artifact),
        "runtime": runtime,
        "delegate": delegate,
        "threads": threads,
    }
    try:
        told = forward(listener, "samples", unit="samples")
        found = run_job("edgeshrink.evaluate.network_job:evaluate_job", parameters, on_event=told, log=log)
    except RuntimeFailed as problem:
        return _quality(stored, _not_run(problem), layers, (_ran(problem),), _unscored(stored, problem))
    samples_found = tuple(SampleDistances(**entry) for entry in _list(found, "distances"))
    in_order = bool(found["in_order"])
    figures = readings(samples_found, in_order=in_order)
    scores = _scores(stored, _list(found, "scores"), in_order=in_order)
    checks = (
        Check("runs", "ok", f"on {len(samples_found)} of {stored.count} samples"),
        _check_backend(delegate, str(found["backend"])),
        _check_ports(stored, found),
        _check_finite(samples_found),
        _check_sizes(stored, _list(found, "probes")),
        *((_check_float(figures),) if scheme in FLOAT_SCHEMES else ()),
        _check_sense(figures),
    )
    return _quality(stored, figures, layers, checks, scores)


def _quality(
    reference: NetworkReference,
    figures: NetworkReadings,
    layers: tuple[LayerError, ...],
    checks: tuple[Check, ...],
    scores: tuple[Reading, Reading],
) -> NetworkQuality:
    return NetworkQuality(
        reference=reference.name,
        data=reference.origin,
        data_sha256=reference.samples_sha256,
        samples=reference.count,
        cosine_mean=figures.cosine_mean,
        cosine_min=figures.cosine_min,
        max_difference=figures.max_difference,
        sqnr_db=figures.sqnr_db,
        same_top_share=figures.same_top_share,
        score=scores[0],
        reference_score=scores[1],
        layers=layers,
        checks=checks,
    )


def _not_run(problem: RuntimeFailed) -> NetworkReadings:
    nothing = Unmeasured(f"the file did not run: {_first_line(problem)}")
    return NetworkReadings(nothing, nothing, nothing, nothing, nothing)


def _ran(problem: RuntimeFailed) -> Check:
    return Check("runs", "failed", problem.message)


def _unscored(reference: NetworkReference, problem: RuntimeFailed) -> tuple[Reading, Reading]:
    own = Unmeasured(f"the file did not run: {_first_line(problem)}")
    return own, _scores(reference, (), in_order=False)[1]


def _scores(reference: NetworkReference, scores: Sequence[float], *, in_order: bool) -> tuple[Reading, Reading]:
    """(the file's, the reference's)."""
    if reference.scores is None:
        nothing = Unmeasured(reference.unscored)
        return nothing, nothing
    own = mean_reading(scores, in_order=in_order) if len(scores) == reference.count else None
    return own or Unmeasured("not all samples were run"), mean_reading(reference.scores, in_order=in_order)


def _check_backend(delegate: str, backend: str) -> Check:
    return Check(
        "backend", "ok" if backend_is(delegate, backend) else "failed", f"{delegate} was asked for, {backend} ran"
    )


def _check_ports(reference: NetworkReference, found: Mapping[str, object]) -> Check:
    name = "inputs and outputs are the source's"
    if found["wrong_outputs"]:
        return Check(name, "failed", str(found["wrong_outputs"]))
    wrong = _port_problem(reference.inputs, _list(found, "inputs"), "input")
    wrong = wrong or _port_problem(reference.outputs, _list(found, "outputs"), "output")
    if wrong:
        return Check(name, "failed", wrong)
    names = [port.name for port in (*reference.inputs, *reference.outputs)]
    return Check(name, "ok", f"names, types and shapes of {', '.join(names)}")


def _port_problem(ports: tuple[Port, ...], found: Sequence[Any], role: str) -> str:
    """Where the file's ports are not the source's. Inputs must vary where the source's vary; what outputs come to was
    seen in every run, so only their names and types are read from the file."""
    own = {str(name): (str(dtype), tuple(shape)) for name, dtype, shape in found}
    if [port.name for port in ports] != list(own):
        return f"its {role}s are {', '.join(own) or 'none'}, the source's {', '.join(port.name for port in ports)}"
    for port in ports:
        dtype, shape = own[port.name]
        if dtype != port.dtype:
            return f"the {role} {port.name} is {dtype}, the source's {port.dtype}"
        same = len(shape) == len(port.shape) and all(
            isinstance(one, str) if isinstance(two, str) else one == two
            for one, two in zip(shape, port.shape, strict=True)
        )
        if role == "input" and not same:
            shown = " x ".join(map(str, port.shape))
            return f"the input {port.name} is {' x '.join(map(str, shape))}, the source's {shown}"
    return ""


def _check_finite(samples: Sequence[SampleDistances]) -> Check:
    wrong = sum(not sample.finite for sample in samples)
    if wrong or not samples:
        return Check(FINITE, "failed", f"{wrong} of {len(samples)} samples give outputs that are not finite")
    return Check(FINITE, "ok", f"over {len(samples)} samples")


def _check_sizes(reference: NetworkReference, probes: Sequence[Any]) -> Check:
    name = "every declared size runs"
    wrong = [f"{probe}: {problem}" for probe, problem in probes if problem]
    if wrong:
        return Check(name, "failed", "; ".join(wrong))
    refused = f" (not tried, as the source itself does not run there: {', '.join(reference.unprobed)})"
    rest = refused if reference.unprobed else ""
    if not probes:
        return Check(
            name, "skipped", f"all sizes are fixed{rest}" if not reference.probes else "the outputs are others"
        )
    return Check(name, "ok", f"{', '.join(str(probe) for probe, _ in probes)}{rest}")


def _check_float(figures: NetworkReadings) -> Check:
    name = "computes what the source computes"
    if isinstance(figures.max_difference, Unmeasured):
        return Check(name, "failed", figures.max_difference.reason)
    detail = f"largest difference {figures.relative:.1e} of the largest output, at most {FLOAT_TOLERANCE:.0e}"
    return Check(name, "ok" if figures.relative <= FLOAT_TOLERANCE else "failed", detail)


def _check_sense(figures: NetworkReadings) -> Check:
    name = RESEMBLANCE
    mean = figures.cosine_mean
    if not isinstance(mean, Measured):
        return Check(name, "failed", mean.reason)
    detail = f"mean cosine {mean.value:.4f}, at least {NONSENSE_COSINE}"
    return Check(name, "ok" if mean.value >= NONSENSE_COSINE else "failed", detail)


def _list(found: Mapping[str, object], key: str) -> list[Any]:
    value = found[key]
    assert isinstance(value, list)
    return value


def _first_line(problem: RuntimeFailed) -> str:
    return (problem.message.splitlines() or [""])[0]
