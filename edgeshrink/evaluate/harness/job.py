"""The child's side: run one of the harness's tasks on a subject. Imports lm_eval.

A task's data may come from Hugging Face's hub, as the harness fetches it; a task in a file of the person's own is read
with that file's folder as the current one, and its data is cached beside the result.
"""

from __future__ import annotations

import difflib
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from edgeshrink.errors import DataError, Error, UsageError
from edgeshrink.evaluate.harness.samples import Sample, TaskFacts, per_sample, write_line
from edgeshrink.evaluate.subject import Subject

_FEWSHOT_SEED = 1234  # the harness's own
_TOLD_EVERY_S = 0.25
_CHARACTERS = 4000
Emit = Callable[[dict[str, object]], None]


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write the samples of a task. Parameters: see `run.run_task`."""
    name, file = str(parameters["task"]), Path(parameters["file"])
    own = name.endswith((".yaml", ".yml"))
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if own:
        os.environ["HF_DATASETS_CACHE"] = str(parameters["scratch"])
        os.chdir(Path(name).parent)
    loaded = _load(name, own=own)
    tasks = loaded["tasks"]
    each = -(-int(parameters["items"]) // len(tasks))
    chosen = {label: _documents(task, label, each, int(parameters["seed"])) for label, task in tasks.items()}
    samples = _evaluated(loaded, chosen, parameters, emit)
    with file.open("w", encoding="utf-8") as out:
        for label, task in tasks.items():
            out.write(write_line(_facts(label, task, samples[label])))
        for label, task in tasks.items():
            for sample in samples[label]:
                out.write(write_line(_sample(label, task, sample)))
    return {"samples": sum(map(len, samples.values()))}


def _load(name: str, *, own: bool) -> dict[str, Any]:
    from lm_eval.tasks import TaskManager

    spec = name if own else _file_of(name)
    manager = TaskManager(include_defaults=spec is None)
    if spec is None and name not in manager.all_tasks:
        raise _unknown(name, manager.all_tasks)
    try:
        loaded: dict[str, Any] = dict(manager.load([spec or name]))
    except Exception as error:  # its loaders, and Hugging Face's, raise anything
        raise DataError(
            f"the task {name} cannot be loaded: {type(error).__name__}: {error}",
            hint="a task's data is fetched from Hugging Face's hub the first time; a .yaml file may name local data",
        ) from error
    for task in loaded["tasks"].values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=_FEWSHOT_SEED)
        if getattr(task, "UNSAFE_CODE", False):
            raise UsageError(f"the task {name} runs code that a model wrote", hint="run it with lm-eval itself")
    return loaded


def _file_of(name: str) -> str | None:
    """The file of a single task, if one alone names it so: to read all of the harness's 14,000 files as YAML takes it
    half a minute. None for groups and tags, which it must look up. UsageError where no file has that word."""
    import lm_eval.tasks

    word = re.compile(rb"(?<![\w-])" + re.escape(name).encode() + rb"(?![\w-])")
    called = re.compile(rb"^(?:task|group):[ \t]*['\"]?([\w.-]+)", re.MULTILINE)
    files, names, mentioned = [], [], False
    for file in Path(lm_eval.tasks.__file__).parent.rglob("*.yaml"):
        text = file.read_bytes()
        here = [found.decode() for found in called.findall(text)]
        names += here
        mentioned = mentioned or word.search(text) is not None
        if name in here:
            files.append(file)
    if not mentioned:
        raise _unknown(name, names)
    if len(files) != 1 or re.search(rb"^(?:group|class):", files[0].read_bytes(), re.MULTILINE):
        return None
    return str(files[0])


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    near = difflib.get_close_matches(name, sorted(set(known)), n=3)
    advice = f"did you mean {', '.join(near)}?" if near else "`lm-eval ls tasks` lists them"
    return UsageError(f"lm-eval has no task {name!r}", hint=advice)


def _documents(task: Any, label: str, count: int, seed: int) -> list[int]:
    there = len(task.eval_docs)
    return sorted(Random(f"{seed}-{label}").sample(range(there), min(count, there)))


def _evaluated(
    loaded: Mapping[str, Any], chosen: Mapping[str, list[int]], parameters: Mapping[str, Any], emit: Emit
) -> Mapping[str, list[dict[str, Any]]]:
    from lm_eval.evaluator import evaluate

    from edgeshrink.evaluate.harness.model import SessionModel

    random.seed(int(parameters["seed"]))
    np.random.seed(int(parameters["seed"]) % 2**32)  # tasks draw from both
    subject = Subject.of(parameters["subject"])
    context = int(parameters["context"])
    with subject.open(context=context, threads=int(parameters["threads"])) as session:
        counter = _Counter(emit)
        try:
            results = evaluate(
                SessionModel(session, context, counter.tell),
                loaded,
                samples=dict(chosen),
                bootstrap_iters=0,
                log_samples=True,
            )
        except Error:
            raise
        except Exception as error:  # a task is a program of somebody else's
            raise DataError(f"the task {parameters['task']} failed: {type(error).__name__}: {error}") from error
    samples: Mapping[str, list[dict[str, Any]]] = results["samples"]
    return samples


class _Counter:
    """Requests that are done; how many there will be is not known before the harness has made them."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._done = 0
        self._told = 0.0

    def tell(self) -> None:
        self._done += 1
        if time.monotonic() - self._told > _TOLD_EVERY_S:
            self._told = time.monotonic()
            self._emit({"done": self._done, "total": 0})


def _facts(label: str, task: Any, samples: list[dict[str, Any]]) -> TaskFacts:
    metrics: dict[str, bool] = {}
    shares: dict[str, bool] = {}
    higher = task.higher_is_better()
    for sample in samples:
        for name, value, better in _values(sample):
            base = name.partition(",")[0]
            metrics.setdefault(name, bool(higher.get(base, True)) if better is None else better)
            shares[name] = shares.get(name, True) and value in (0.0, 1.0)
    options = [len(_options(sample)) for sample in samples] if task.OUTPUT_TYPE == "multiple_choice" else []
    return TaskFacts(
        task=label,
        version=str((task.get_config("metadata") or {}).get("version", "")),
        metrics=tuple(metrics.items()),
        shares=tuple(name for name, share in shares.items() if share),
        chance=sum(1 / count for count in options) / len(options) if options else 0.0,
        samples=len(samples),
    )


def _values(sample: Mapping[str, Any]) -> Iterator[tuple[str, float, bool | None]]:
    """Of a filter that has a name, metrics are called so: "exact_match,strict-match"."""
    suffix = "" if sample["filter"] == "none" else f",{sample['filter']}"
    for metric in sample["metrics"]:
        found = per_sample(metric, sample[metric])
        if found is not None:
            yield f"{found[0]}{suffix}", found[1], found[2]


def _sample(label: str, task: Any, sample: dict[str, Any]) -> Sample:
    options, answers = _options(sample), sample["filtered_resps"]
    said = answers[0]
    if task.OUTPUT_TYPE == "multiple_choice":
        likely = [float(answer[0]) for answer in answers[: len(options)]]
        said = options[likely.index(max(likely))][1]
    return Sample(
        task=label,
        document=int(sample["doc_id"]),
        filter=str(sample["filter"]),
        values={name: value for name, value, _ in _values(sample)},
        prompt=str(options[0][0])[-_CHARACTERS:],
        expected=_expected(task, sample)[:_CHARACTERS],
        said=str(said)[:_CHARACTERS],
    )


def _options(sample: Mapping[str, Any]) -> Sequence[Any]:
    """(context, continuation) of each option; for `acc_mutual_info` the harness asks each again without its context."""
    arguments: Sequence[Any] = sample["arguments"]
    return arguments[: len(arguments) // 2] if "acc_mutual_info" in sample["metrics"] else arguments


def _expected(task: Any, sample: Mapping[str, Any]) -> str:
    target, options = sample["target"], _options(sample)
    if task.OUTPUT_TYPE == "multiple_choice" and isinstance(target, int) and 0 <= target < len(options):
        return str(options[target][1])
    return str(target)
