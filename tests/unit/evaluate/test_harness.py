"""lm-evaluation-harness on our runtimes: the same figures as its own HFLM, local tasks offline, samples paired."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from built_gguf import build_gguf

from edgeshrink.core.events import Progress
from edgeshrink.errors import DataError, UsageError
from edgeshrink.evaluate.harness.run import run_task
from edgeshrink.evaluate.harness.samples import Sample, TaskFacts, per_sample, read_facts, read_samples, write_line
from edgeshrink.evaluate.harness.slices import harness_slices, slice_name
from edgeshrink.evaluate.subject import Subject
from edgeshrink.runtimes.child import run_job

pytest.importorskip("lm_eval", reason="needs the extra lm-eval")

CONTEXT = 128
ROWS = [
    {"start": "Once upon a time, there was a little girl named", "ends": ["Lily.", "tractor.", "running."], "right": 0},
    {"start": "The dog liked to play with his", "ends": ["ball.", "sky."], "right": 0},
    {"start": "She was very", "ends": ["table.", "happy.", "of.", "the."], "right": 1},
    {"start": "They went to the", "ends": ["quickly.", "park."], "right": 1},
]
CHOICE = """
task: stories_choice
dataset_path: json
dataset_kwargs: {data_files: {test: stories.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{start}}"
doc_to_choice: "{{ends}}"
doc_to_target: "{{right}}"
metric_list: [{metric: acc}, {metric: acc_norm}]
metadata: {version: 2.0}
"""
GENERATE = """
task: stories_generate
dataset_path: json
dataset_kwargs: {data_files: {test: stories.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{start}}"
doc_to_target: "{{ends[right]}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 8}
metric_list: [{metric: exact_match}]
"""


@pytest.fixture(scope="module")
def gguf(stories: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_gguf(stories, tmp_path_factory.mktemp("harness") / "stories.gguf", "F32").path


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "stories.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    (folder / "choice.yaml").write_text(CHOICE, encoding="utf-8")
    (folder / "generate.yaml").write_text(GENERATE, encoding="utf-8")
    return folder


def test_log_likelihoods_and_texts_are_those_of_the_harnesss_own_model(gguf: Path, stories: Path) -> None:
    starts = [str(row["start"]) for row in ROWS]
    pairs = [(str(row["start"]), f" {end}") for row in ROWS for end in _ends(row)]
    long = " ".join(f"{row['start']} {_ends(row)[0]}" for row in ROWS) * 10
    parameters = {
        "gguf": str(gguf),
        "source": str(stories),
        "context": CONTEXT,
        # An empty context, one whose white space belongs to what follows, one that does not fit.
        "pairs": [*pairs, ("", "Once upon a time"), (f"{starts[0]} ", "Lily."), (starts[0] * 20, " Lily.")],
        "texts": [starts[0], long],
        "prompts": [
            *((start, {"until": ["."], "max_gen_toks": 30}) for start in starts[:2]),
            (long, {"until": ["\n\n"], "max_gen_toks": 30}),
            (starts[0], {"until": [], "max_gen_toks": 50, "do_sample": False}),
        ],
    }
    found: dict[str, Any] = run_job("harness_oracle:job", parameters)
    ours, theirs = found["ours"], found["theirs"]
    assert [greedy for _, greedy in ours["pairs"]] == [greedy for _, greedy in theirs["pairs"]]
    assert [one for one, _ in ours["pairs"]] == pytest.approx([one for one, _ in theirs["pairs"]], abs=1e-4)
    assert ours["texts"] == pytest.approx(theirs["texts"], abs=1e-3)
    assert ours["prompts"] == theirs["prompts"]
    assert len(set(ours["prompts"])) == len(ours["prompts"])


def test_a_local_task_runs_offline_and_its_samples_are_paired(
    gguf: Path, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told: list[Progress] = []
    task, file = str(tasks / "choice.yaml"), tmp_path / "one.jsonl"
    subject = Subject(gguf, "llama_cpp", "cpu")
    count = run_task(subject, task, file, items=3, seed=7, context=CONTEXT, threads=1, listener=told.append)
    (facts,) = read_facts(file)
    samples = list(read_samples(file))
    documents = [sample.document for sample in samples]
    assert count == facts.samples == len(samples) == 3 and documents == sorted(set(documents))
    assert (facts.task, facts.version) == ("stories_choice", "2.0")
    assert facts.metrics == (("acc", True), ("acc_norm", True)) and facts.shares == ("acc", "acc_norm")
    assert facts.chance == pytest.approx(sum(1 / len(_ends(ROWS[one])) for one in documents) / 3)
    for sample in samples:
        row = ROWS[sample.document]
        assert (sample.prompt, sample.expected.strip()) == (row["start"], _ends(row)[int(str(row["right"]))])
        assert sample.said.strip() in _ends(row)
        assert sample.values["acc"] == float(sample.said == sample.expected)
    assert {progress.task for progress in told} == {"lm-eval choice"}
    (slice_facts,), scores = harness_slices(task, file, file)
    assert (slice_facts.name, slice_facts.chance) == ("lm-eval/choice", facts.chance)
    for sample, score in zip(samples, scores, strict=True):
        assert dict(score.values) == {name: (value, value) for name, value in sample.values.items()}
        assert (score.shown.reference, score.shown.candidate) == (sample.said, sample.said)


def test_a_generated_answer_is_judged_by_the_task(gguf: Path, tasks: Path, tmp_path: Path) -> None:
    file = tmp_path / "generated.jsonl"
    subject = Subject(gguf, "llama_cpp", "cpu")
    run_task(subject, str(tasks / "generate.yaml"), file, items=99, seed=1, context=CONTEXT, threads=1)
    samples = list(read_samples(file))
    assert len(samples) == len(ROWS)
    assert all(sample.values == {"exact_match": float(sample.said == sample.expected)} for sample in samples)
    assert all(sample.said and "\n" not in sample.said for sample in samples)


def test_a_task_whose_data_is_not_there_is_named(gguf: Path, tasks: Path, tmp_path: Path) -> None:
    task = tasks / "gone.yaml"
    task.write_text(CHOICE.replace("stories.jsonl", "gone.jsonl"), encoding="utf-8")
    subject = Subject(gguf, "llama_cpp", "cpu")
    with pytest.raises(DataError, match=r"gone\.yaml cannot be loaded: FileNotFoundError"):
        run_task(subject, str(task), tmp_path / "x.jsonl", items=3, seed=1, context=CONTEXT, threads=1)
    task.unlink()


def _file(path: Path, facts: Sequence[TaskFacts], samples: Sequence[Sample]) -> Path:
    path.write_text("".join(write_line(one) for group in (facts, samples) for one in group), encoding="utf-8")
    return path


def _sample(task: str, document: int, values: dict[str, float], *, filter: str = "none") -> Sample:
    return Sample(task, document, filter, values, "prompt", "expected", "said")


def test_a_groups_tasks_are_the_parts_of_one_slice_with_every_metric_of_theirs(tmp_path: Path) -> None:
    facts = [
        TaskFacts("one", "1", (("acc", True), ("error", False)), ("acc",), 0.25, 3),
        TaskFacts("two", "1", (("acc", True),), ("acc",), 0.5, 1),
    ]
    reference = [_sample("one", 4, {"acc": 1.0, "error": 0.2}), _sample("two", 0, {"acc": 1.0})]
    candidate = [_sample("one", 4, {"acc": 0.0, "error": 0.9}), _sample("two", 0, {"acc": 1.0})]
    files = _file(tmp_path / "a", facts, reference), _file(tmp_path / "b", facts, candidate)
    (one,), scores = harness_slices("both", *files)
    assert [(metric.name, metric.kind, metric.better) for metric in one.metrics] == [
        ("acc", "share", "higher"),
        ("error", "mean", "lower"),
    ]
    assert one.name == "lm-eval/both"
    assert one.chance == pytest.approx((3 * 0.25 + 0.5) / 4)
    assert [(score.item, score.parts, dict(score.values)) for score in scores] == [
        ("one-4", ("one",), {"acc": (1.0, 0.0), "error": (0.2, 0.9)}),
        ("two-0", ("two",), {"acc": (1.0, 1.0)}),
    ]


def test_samples_of_other_documents_are_refused(tmp_path: Path) -> None:
    facts = [TaskFacts("one", "1", (("acc", True),), ("acc",), 0.0, 1)]
    files = [_file(tmp_path / str(n), facts, [_sample("one", n, {"acc": 1.0})]) for n in (1, 2)]
    _, scores = harness_slices("one", *files)
    with pytest.raises(DataError, match="has other samples than"):
        list(scores)
    (tmp_path / "1").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        harness_slices("one", tmp_path / "1", tmp_path / "2")


def test_a_metric_of_single_samples_is_one_number() -> None:
    assert per_sample("acc", True) == ("acc", 1.0, None)
    bits = per_sample("bits_per_byte", (-math.log(2) * 24, 8))
    assert bits is not None and bits[::2] == ("bits_per_byte", False)
    assert bits[1] == pytest.approx(3.0)
    assert per_sample("perplexity", -2.5) == ("negative log-likelihood", 2.5, False)
    assert per_sample("bleu", ("said", ["expected"])) is None
    assert per_sample("acc", float("nan")) is None


def test_the_slice_is_called_as_the_task(tmp_path: Path) -> None:
    assert slice_name("arc_easy") == "lm-eval/arc_easy"
    assert slice_name(str(tmp_path / "mine.yaml")) == "lm-eval/mine"
    facts = [TaskFacts("one", "1", (), (), 0.0, 0)]
    with pytest.raises(DataError, match="no metric of single samples"):
        harness_slices("one", _file(tmp_path / "a", facts, ()), tmp_path / "a")


def test_a_task_that_nobody_knows_is_refused_with_those_that_are_near(gguf: Path, tmp_path: Path) -> None:
    subject = Subject(gguf, "llama_cpp", "cpu")
    with pytest.raises(UsageError, match="lm-eval has no task 'arc_easyy'") as refused:
        run_task(subject, "arc_easyy", tmp_path / "x.jsonl", items=3, seed=1, context=CONTEXT, threads=1)
    assert "arc_easy" in refused.value.hint


def _ends(row: dict[str, Any]) -> list[str]:
    return list(row["ends"])
