"""Samples of a network, read in a child process: the person's own preprocess may run there, and torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgeshrink.catalog.image_preprocessing import read_image_preprocess
from edgeshrink.catalog.networks import source_from_json, source_to_json
from edgeshrink.catalog.sample_random import random_samples
from edgeshrink.catalog.sample_reading import read_samples
from edgeshrink.catalog.sample_texts import shipped_texts, takes_text
from edgeshrink.catalog.samples import Sample, Samples, save_samples
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.network import NetworkFacts, NetworkSource
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes.network_facts import facts_from_json, facts_to_json
from edgeshrink.runtimes.network_session import open_source, run_in_order

CALIBRATION, EVALUATION, INDEX = "calibration.npz", "evaluation.npz", "samples.json"
Emit = Callable[[dict[str, object]], None]


def prepare_samples(
    source: NetworkSource,
    facts: NetworkFacts,
    folder: Path | None,
    *,
    calibration_count: int,
    evaluation_count: int,
    seed: int = 0,
    out: Path,
    log: Path | None = None,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Write calibration.npz, evaluation.npz and samples.json into the folder `out`; returns what samples.json holds:
    for each of "calibration" and "evaluation" its "file", "count", "origin" and "sha256", and "classes".

    `folder` None: the shipped texts where the network takes text, else random inputs. See
    `catalog.sample_reading.read_samples` for what it may hold. DataError names what is wrong with it. Samples of a
    sequence hold the float network's own states.
    """
    from edgeshrink.runtimes.child import run_job

    listener(Progress("samples", 0, calibration_count + evaluation_count, "samples"))
    return run_job(
        "edgeshrink.runtimes.network_samples:samples_job",
        {
            "source": source_to_json(source),
            "facts": facts_to_json(facts),
            "folder": None if folder is None else str(folder.expanduser().absolute()),
            "calibration": calibration_count,
            "evaluation": evaluation_count,
            "seed": seed,
            "out": str(out),
        },
        log=log,
    )


def samples_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """See `prepare_samples`."""
    source, facts = source_from_json(parameters["source"]), facts_from_json(parameters["facts"])
    folder = None if parameters["folder"] is None else Path(parameters["folder"])
    counts = {name: int(parameters[name]) for name in ("calibration", "evaluation", "seed")}
    preprocess, examples = _from_source(source, needed=folder is not None or not takes_text(facts))
    if folder is not None:
        first, second = read_samples(
            folder,
            facts,
            calibration_count=counts["calibration"],
            evaluation_count=counts["evaluation"],
            seed=counts["seed"],
            preprocess=preprocess,
        )
    elif takes_text(facts):
        first, second = shipped_texts(facts, **counts)
    else:
        first, second = random_samples(facts, **counts, examples=examples)
    if not all(sample.begins and len(sample.arrays) == len(facts.inputs) for sample in (*first.items, *second.items)):
        first, second = _with_states(source, first, second)
        first = _thinned(first, counts["calibration"])
    elif folder is None and second.items:
        _must_run(source, second.items[0])
    out = Path(parameters["out"])
    parts = {CALIBRATION: first, EVALUATION: second}
    index: dict[str, object] = {"classes": list(second.classes)}
    for name, samples in parts.items():
        save_samples(out / name, samples)
        index[name.removesuffix(".npz")] = {
            "file": name,
            "count": len(samples.items),
            "origin": samples.origin,
            "sha256": hashlib.sha256((out / name).read_bytes()).hexdigest(),
        }
    (out / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return index


def _from_source(source: NetworkSource, *, needed: bool) -> tuple[Callable[[Any], Any] | None, dict[str, NDArray[Any]]]:
    """The source's preprocess, and its example inputs."""
    if source.kind == "onnx":
        return read_image_preprocess(source.path.parent), {}
    if not needed:
        return None, {}
    from edgeshrink.runtimes.torch_network import load

    network = load(source)
    return network.preprocess, {name: tensor.numpy() for name, tensor in network.inputs.items()}


def _with_states(source: NetworkSource, first: Samples, second: Samples) -> tuple[Samples, Samples]:
    """All run through the float network once, in order; the second part begins with the state that it found there."""
    count = len(first.items)
    whole: list[Sample] = []
    with open_source(source, threads=1) as session:
        samples = (*first.items, *second.items)
        for sample, (inputs, _) in zip(samples, run_in_order(session, samples), strict=True):
            whole.append(Sample(inputs, sample.label, sample.begins or len(whole) == count))
    return (
        Samples(tuple(whole[:count]), first.origin, first.classes),
        Samples(tuple(whole[count:]), second.origin, second.classes),
    )


def _thinned(samples: Samples, count: int) -> Samples:
    """`count` of them, evenly spread: each holds its state, so each stands alone."""
    total = len(samples.items)
    kept = sorted({index * total // count for index in range(count)}) if count < total else range(total)
    items = tuple(Sample(samples.items[index].arrays, samples.items[index].label) for index in kept)
    return Samples(items, samples.origin.replace(str(total), f"{len(items)} of {total}", 1), samples.classes)


def _must_run(source: NetworkSource, sample: Sample) -> None:
    with open_source(source, threads=1) as session:
        try:
            session.run(sample.arrays)
        except RuntimeFailed as problem:
            raise DataError(
                f"{source.given} does not run on random inputs: {problem.message}",
                hint="give real ones: --calibration with a folder of .npz files, arrays by input name",
            ) from problem
