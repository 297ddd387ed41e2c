"""Samples of a network, read in a child process: the person's own preprocess may run there, and torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgeshrink.catalog.image_preprocessing import read_image_preprocess
from edgeshrink.catalog.networks import source_from_json, source_to_json
from edgeshrink.catalog.sample_gathering import LIMIT_BYTES, Tick, capped, gather, nbytes
from edgeshrink.catalog.sample_random import random_samples
from edgeshrink.catalog.sample_reading import read_samples
from edgeshrink.catalog.sample_texts import shipped_texts, takes_text
from edgeshrink.catalog.samples import Sample, Samples, samples_sha256, save_samples
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.network import NetworkFacts, NetworkSource
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes.network_facts import facts_from_json, facts_to_json
from edgeshrink.runtimes.network_session import open_source, run_in_order
from edgeshrink.runtimes.progress import forward

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
    sequence hold the float network's own states. Fewer than asked for where they would be too large together
    (`catalog.sample_gathering.LIMIT_BYTES`), which "origin" says. `listener` hears how many of them are ready.
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
        on_event=forward(listener, "samples", unit="samples"),
        log=log,
    )


def samples_job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """See `prepare_samples`."""
    source, facts = source_from_json(parameters["source"]), facts_from_json(parameters["facts"])
    folder = None if parameters["folder"] is None else Path(parameters["folder"])
    counts = {name: int(parameters[name]) for name in ("calibration", "evaluation", "seed")}
    tick = _counted(emit, counts["calibration"] + counts["evaluation"])
    preprocess, examples = _from_source(source, needed=folder is not None or not takes_text(facts))
    if folder is not None:
        first, second = read_samples(
            folder,
            facts,
            calibration_count=counts["calibration"],
            evaluation_count=counts["evaluation"],
            seed=counts["seed"],
            preprocess=preprocess,
            tick=tick,
        )
    elif takes_text(facts):
        first, second = shipped_texts(facts, **counts, tick=tick)
    else:
        first, second = random_samples(facts, **counts, examples=examples, tick=tick)
    if not all(sample.begins and len(sample.arrays) == len(facts.inputs) for sample in (*first.items, *second.items)):
        tick = _counted(emit, len(first.items) + len(second.items))
        first, second = _with_states(source, first, second, counts["calibration"], tick)
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
            "sha256": samples_sha256(out / name),
        }
    count = len(first.items) + len(second.items)
    emit({"done": count, "total": count})
    (out / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return index


def _counted(emit: Emit, total: int) -> Tick:
    """One more of `total` each time it is called."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        emit({"done": done, "total": total})

    return tick


def _from_source(source: NetworkSource, *, needed: bool) -> tuple[Callable[[Any], Any] | None, dict[str, NDArray[Any]]]:
    """The source's preprocess, and its example inputs."""
    if source.kind == "onnx":
        return read_image_preprocess(source.path.parent), {}
    if not needed:
        return None, {}
    from edgeshrink.runtimes.torch_network import load

    network = load(source)
    return network.preprocess, {name: tensor.numpy() for name, tensor in network.inputs.items()}


def _with_states(
    source: NetworkSource, first: Samples, second: Samples, count: int, tick: Tick
) -> tuple[Samples, Samples]:
    """All run through the float network once, in order. `count` of the first part, evenly spread, hold their states
    and stand alone; the second part begins with the state that it found there."""
    total = len(first.items)
    samples = (*first.items, *second.items)

    def run() -> Iterator[Sample]:
        for place, (inputs, _) in enumerate(run_in_order(session, samples)):
            tick()
            yield Sample(inputs, samples[place].label, samples[place].begins or place == total)

    with open_source(source, threads=1) as session:
        whole = run()
        items = tuple(_spread(islice(whole, total), total, count))
        kind = first.origin.partition(" ")[2]
        number = str(total) if len(items) == total else f"{len(items)} of {total}"
        less = capped("calibration", len(items), min(count, total))
        kept = Samples(items, f"{number} {kind}{less}", first.classes)
        kind = second.origin.partition(" ")[2]
        return kept, gather("evaluation", whole, len(second.items), kind, second.classes)


def _spread(samples: Iterator[Sample], total: int, count: int) -> Iterator[Sample]:
    """`count` of `total` samples, evenly spread; fewer where that many as large as the first would be too large."""
    kept = set(range(total))
    for place, sample in enumerate(samples):
        if place == 0:
            count = min(count, max(1, LIMIT_BYTES["calibration"] // max(1, nbytes(sample))))
            kept = {index * total // count for index in range(count)} if count < total else kept
        if place in kept:
            yield Sample(sample.arrays, sample.label)


def _must_run(source: NetworkSource, sample: Sample) -> None:
    with open_source(source, threads=1) as session:
        try:
            session.run(sample.arrays)
        except RuntimeFailed as problem:
            raise DataError(
                f"{source.given} does not run on random inputs: {problem.message}",
                hint="give real ones: --calibration with a folder of .npz files, arrays by input name",
            ) from problem
