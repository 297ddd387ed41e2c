"""Running a network over samples: the source once, its built files one by one. Child jobs of evaluate.network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.json_files import read_json_if_there
from edgeshrink.catalog.networks import folder_family, port_to_json, source_from_json
from edgeshrink.catalog.samples import Sample, StoredSamples, samples_sha256
from edgeshrink.core.network import NetworkSource
from edgeshrink.errors import DataError, Error
from edgeshrink.evaluate.network_distances import distances
from edgeshrink.evaluate.network_reference import (
    OUTPUTS,
    PROBES,
    ArrayWriter,
    NetworkReference,
    Probe,
    read_network_reference,
    write_network_reference,
)
from edgeshrink.runtimes.interface import NetworkSession
from edgeshrink.runtimes.network_session import open_source, run_in_order
from edgeshrink.runtimes.registry import runtime

Emit = Callable[[dict[str, object]], None]
Scorer = Callable[[Mapping[str, Any], int | None], float]
_LARGEST_PROBE = 1024
_REPEATS = 1e-3
_CLASSIFIERS = ("ForImageClassification", "ForSequenceClassification")


def reference_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """See `evaluate.network.reference_outputs`."""
    source, folder, path = (
        source_from_json(parameters["source"]),
        Path(parameters["folder"]),
        Path(parameters["samples"]),
    )
    with (
        open_source(source, threads=int(parameters["threads"])) as session,
        StoredSamples(path, names=[port.name for port in session.inputs]) as samples,
    ):
        scorer, unscored = _scorer(source, session, samples)
        scores: list[float] = []
        with ArrayWriter(folder / OUTPUTS) as writer:
            for index, (inputs, outputs) in enumerate(run_in_order(session, samples)):
                _must_be_finite(source, index, outputs)
                if index == 0:
                    _must_repeat(source, outputs, session.run(inputs))
                writer.add(outputs)
                if scorer is not None:
                    scores.append(_score(source, scorer, outputs, samples.labels[index]))
                emit({"done": index + 1, "total": len(samples)})
        probes, unprobed = _write_probes(source, session, samples[0], folder / PROBES)
        facts = session.facts()
        reference = NetworkReference(
            folder=folder,
            name=f"the float network in {facts.name} {facts.version}",
            count=len(samples),
            inputs=session.inputs,
            outputs=session.outputs,
            scores=None if scorer is None else tuple(scores),
            unscored=unscored,
            probes=probes,
            unprobed=unprobed,
            samples_sha256=samples_sha256(path),
            origin=samples.origin,
        )
    write_network_reference(reference)
    return {}


def evaluate_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """See `evaluate.network.evaluate_network`. Figures of every sample, and what the file says of itself."""
    source = source_from_json(parameters["source"])
    reference = read_network_reference(Path(parameters["reference"]))
    module = runtime(parameters["runtime"])
    found: list[dict[str, Any]] = []
    scores: list[float] = []
    wrong = ""
    artifact, threads = Path(parameters["artifact"]), int(parameters["threads"])
    with (
        StoredSamples(Path(parameters["samples"]), names=[port.name for port in reference.inputs]) as samples,
        module.open_network(artifact, threads=threads, delegate=parameters["delegate"]) as session,
        reference.open_outputs() as stored,
    ):
        scorer = None if reference.scores is None else _scorer(source, None, samples)[0]
        for index, (_, outputs) in enumerate(run_in_order(session, samples)):
            true = stored[index]
            wrong = _other_outputs(true, outputs)
            if wrong:
                break
            found.append(asdict(distances(true, outputs)))
            if scorer is not None:
                scores.append(_score(source, scorer, outputs, samples.labels[index]))
            emit({"done": index + 1, "total": len(samples)})
        return {
            "distances": found,
            "scores": scores,
            "wrong_outputs": wrong,
            "inputs": [port_to_json(port) for port in session.inputs],
            "outputs": [port_to_json(port) for port in session.outputs],
            "probes": [] if wrong else _run_probes(session, reference),
            "backend": session.facts().backend,
            "in_order": not all(samples.begins),
        }


def _scorer(source: NetworkSource, session: NetworkSession | None, samples: StoredSamples) -> tuple[Scorer | None, str]:
    """The network's own scorer; for a classifier whose labels are the sample folders' names, top-1. Or why none."""
    if source.kind == "function":
        network = getattr(session, "network", None)
        if network is None:
            from edgeshrink.runtimes.torch_network import load

            network = load(source)
        own: Scorer | None = network.scorer
        return own, "" if own is not None else "the network brings no scorer"
    if source.kind == "onnx":
        return None, "an ONNX file brings no scorer"
    found = folder_family(source.path)
    if found is None or not found[1].suffix.endswith(_CLASSIFIERS):
        return None, "the network is no classifier and brings no scorer"
    labels = read_json_if_there(source.path / "config.json").get("id2label") or {}
    if not samples.classes or not labels:
        return None, "the samples have no classes" if not samples.classes else "config.json names no classes (id2label)"
    places = {_plain(str(name)): int(place) for place, name in labels.items()}
    unknown = [name for name in samples.classes if _plain(name) not in places]
    if unknown:
        return None, f"the folder {unknown[0]} is not one of the network's classes"
    wanted = [places[_plain(name)] for name in samples.classes]

    def top1(outputs: Mapping[str, Any], label: int | None) -> float:
        return float(label is not None and int(np.argmax(outputs["logits"])) == wanted[label])

    return top1, ""


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", " ").replace("-", " ")


def _score(source: NetworkSource, scorer: Scorer, outputs: Mapping[str, NDArray[Any]], label: int | None) -> float:
    try:
        return float(scorer(outputs, label))
    except Error:
        raise
    except Exception as problem:
        raise DataError(
            f"the scorer of {source.given} failed: {type(problem).__name__}: {problem}",
            hint="it is called with the outputs as arrays by name, and the index of the sample's class or None",
        ) from problem


def _must_be_finite(source: NetworkSource, index: int, outputs: Mapping[str, NDArray[Any]]) -> None:
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(
                f"{source.given} itself computes {name} that is not finite, on sample {index}",
                hint="check the network and its samples: nothing can be compared with that",
            )


def _must_repeat(source: NetworkSource, one: Mapping[str, NDArray[Any]], two: Mapping[str, NDArray[Any]]) -> None:
    for name, array in one.items():
        if array.dtype.kind == "f" and not np.allclose(array, two[name], rtol=_REPEATS, atol=_REPEATS):
            raise DataError(
                f"{source.given} computes another {name} each time from the same inputs",
                hint="take the randomness out of its forward: nothing can be compared with that",
            )


def _other_outputs(true: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]) -> str:
    if set(true) != set(found):
        return f"its outputs are {', '.join(found)}, the source's {', '.join(true)}"
    for name, array in true.items():
        own = found[name]
        if own.shape != array.shape or own.dtype != array.dtype:
            return f"{name} is {own.dtype} {_cross(own.shape)}, the source's {array.dtype} {_cross(array.shape)}"
    return ""


def _cross(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _write_probes(
    source: NetworkSource, session: NetworkSession, sample: Sample, path: Path
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    probes, failed = [], []
    with ArrayWriter(path) as writer:
        for name, inputs in _sizes(session, sample):
            try:
                outputs = session.run(inputs)
            except Error as problem:
                failed.append(f"{name}: {problem.message.splitlines()[0]}")
                continue
            writer.add(inputs)
            probes.append(Probe(name, {output: array.shape for output, array in outputs.items()}))
    return tuple(probes), tuple(failed)


def _sizes(session: NetworkSession, sample: Sample) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """The sample's inputs at the smallest and the largest size of each dynamic dimension, cut or repeated."""
    network = getattr(session, "network", None)
    limits: Mapping[str, tuple[int, int]] = {} if network is None else network.limits
    names = dict.fromkeys(size for port in session.inputs for size in port.shape if isinstance(size, str))
    for called in names:
        now = _size_now(session, sample, called)
        low, high = limits.get(called, (now, now + 1))  # of an .onnx file is known only that it varies
        for size in dict.fromkeys((low, max(low, min(high, _LARGEST_PROBE)))):
            inputs = {}
            for port in session.inputs:
                array = sample.arrays[port.name]
                for axis, what in enumerate(port.shape):
                    if what == called:
                        array = np.take(array, np.arange(size) % array.shape[axis], axis=axis)
                inputs[port.name] = array
            yield f"{called} {size}", inputs


def _size_now(session: NetworkSession, sample: Sample, called: str) -> int:
    return next(
        int(sample.arrays[port.name].shape[axis])
        for port in session.inputs
        for axis, what in enumerate(port.shape)
        if what == called
    )


def _run_probes(session: NetworkSession, reference: NetworkReference) -> list[list[str]]:
    """[name, what went wrong or ""] of each."""
    results = []
    with reference.open_probes() as stored:
        for index, probe in enumerate(reference.probes):
            try:
                outputs = session.run(stored[index])
            except Error as problem:
                results.append([probe.name, problem.message])
                continue
            wrong = [
                f"{name} is {_cross(outputs[name].shape)}, the source's {_cross(shape)}"
                for name, shape in probe.shapes.items()
                if outputs[name].shape != tuple(shape)
            ]
            wrong += [
                f"{name} is not finite"
                for name, array in outputs.items()
                if array.dtype.kind == "f" and not np.isfinite(array).all()
            ]
            results.append([probe.name, wrong[0] if wrong else ""])
    return results
