from __future__ import annotations

from dataclasses import replace

import pytest
from sample_shrinkage import (
    SOURCES,
    TEACHER,
    sample_hostile_step,
    sample_prune_step,
    sample_refused_shrinkage,
    sample_shrinkage,
    sample_sparse_step,
    sample_step,
)

from edgeshrink.bundle.licences.expressions import judge_licence
from edgeshrink.core.shrinking import ShrinkStep
from edgeshrink.core.training import TextSource
from edgeshrink.errors import ToolMissing
from edgeshrink.report.card import model_card
from edgeshrink.report.student_card import licence_warnings, student_card

from .sample import sample_report
from .sample_gates import sample_verdict
from .test_card import front_matter

STEPS = [sample_step(), sample_prune_step(), sample_sparse_step(), sample_hostile_step()]


def trained_on(*sources: TextSource) -> ShrinkStep:
    step = sample_step()
    assert step.training is not None
    return replace(step, training=replace(step.training, sources=sources))


def whole_tables(text: str) -> None:
    width = 0
    for line in text.splitlines():
        bars = line.replace("\\|", "").count("|")
        if line.startswith("| ") and width:
            assert bars == width, line
        width = bars if line.startswith("|") else 0


def test_the_front_matter_names_the_base_and_carries_its_licence() -> None:
    entries = front_matter(student_card(sample_step()))
    assert entries["base_model"] == "acme/demo-5M" and entries["license"] == "cc0-1.0"
    assert entries["tags"] == ["edgeshrink", "distilled"] and entries["library_name"] == "transformers"
    pruned = front_matter(student_card(sample_prune_step()))
    assert pruned["base_model"] == "acme/demo-5M" and "pruned" in pruned["tags"]


@pytest.mark.parametrize("name", ["/models/mine", "../mine", "mine", "a/b/c", "C:\\models\\mine"])
def test_a_path_is_no_base_model_of_a_hub(name: str) -> None:
    step = sample_step()
    assert "base_model" not in front_matter(student_card(replace(step, teacher=replace(step.teacher, name=name))))


def test_a_teacher_with_another_licence_than_the_student_carries_both() -> None:
    step = sample_step()
    other = replace(step, teacher=replace(TEACHER, license="llama3.2"))
    entries = front_matter(student_card(other))
    assert entries["license"] == "other" and entries["license_name"] == "llama3.2 and cc0-1.0"
    nobody = replace(step, teacher=replace(TEACHER, license=None), before=replace(step.before, license=None))
    assert "license" not in front_matter(student_card(nobody))


def test_data_that_forbids_or_states_nothing_is_warned_of() -> None:
    found = licence_warnings(sample_step(), judge_licence)
    assert len(found) == 2, found
    assert "cc-by-nd-4.0 of the data acme/answers forbids to pass on" in found[0]
    assert "No licence is stated for the data notes.jsonl" in found[1]
    card = student_card(sample_step(), judge_licence)
    assert (
        card.count("> **Warning**") == 2
        and "| acme/answers | 1,210 | 24,031 | 86.0 KiB | cc-by-nd-4.0 | forbidden |" in card
    )


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("cc-by-nc-4.0", "asks for more"),
        ("my-own-terms", "may forbid"),
        ("unknown", "No licence is stated"),
        (" ", "No licence is stated"),
    ],
)
def test_each_kind_of_terms_has_its_own_warning(stated: str, said: str) -> None:
    (text,) = licence_warnings(trained_on(replace(SOURCES[0], license=stated)), judge_licence)
    assert said in text


def test_what_anybody_may_use_needs_no_warning() -> None:
    assert licence_warnings(trained_on(SOURCES[0]), judge_licence) == ()
    assert "Warning" not in student_card(trained_on(SOURCES[0]), judge_licence)


def test_a_teacher_without_a_licence_is_warned_of_once_where_it_is_the_model_itself() -> None:
    step = sample_prune_step()
    bare = replace(TEACHER, license=None)
    assert len(licence_warnings(replace(step, before=bare, teacher=bare))) == 1


def test_without_a_judge_only_what_is_missing_is_told() -> None:
    (text,) = licence_warnings(sample_step())
    assert "notes.jsonl" in text

    def cannot(stated: str) -> None:
        raise ToolMissing("license-expression is not installed")

    assert licence_warnings(sample_step(), cannot) == (text,)  # type: ignore[arg-type]


def test_how_it_was_made_and_what_came_of_it_is_told() -> None:
    card = student_card(sample_step(), judge_licence)
    for said in (
        "A student of acme/demo-5M by edgeshrink 0.1.0: 4.98 M to 3.35 M parameters, 67.1 %",
        "Distilled: forward KL to the teacher at temperature 2",
        "983,040 tokens",
        "held-out loss 0.110".capitalize(),
        f"`{'ef' * 32}`",
        f"`{'22' * 32}`",
        "`edgeshrink distill --teacher acme/demo-5M --student pruned -o student`",
        "| arithmetic | 200 | 3 | 31 | 2 |",
    ):
        assert said in card, said
    pruned = student_card(sample_prune_step())
    assert "Pruned by measured-kl, ffn: layers 5 to 4, feed-forward width 768 to 512" in pruned
    assert "## Data" not in pruned
    assert "**Zeros are not skipped by any runtime here" in student_card(sample_sparse_step())


def test_a_command_is_told_so_that_it_can_be_typed_again() -> None:
    typed = replace(sample_step(), command=("distill", "--data", "my notes.txt"))
    assert "Command: `edgeshrink distill --data 'my notes.txt'`" in student_card(typed)
    assert "Command" not in student_card(replace(typed, command=()))


def test_gates_of_a_verdict_stand_in_the_table() -> None:
    step = sample_step()
    assert step.behaviour is not None
    assert "| ≤ 5 points" not in student_card(step)
    assert "| ≤ 5 points" in student_card(step, verdict=sample_verdict(step.behaviour))


@pytest.mark.parametrize("step", STEPS)
def test_hostile_names_do_not_break_out_of_the_card(step: ShrinkStep) -> None:
    card = student_card(step, judge_licence)
    whole_tables(card)
    outside = "\n".join(line for line in card.splitlines() if "`" not in line and not line.startswith("license"))
    assert "<script>" not in outside.replace("\\<script\\>", "")
    assert "\x1b" not in card and "\u202e" not in card
    assert len([line for line in card.splitlines() if line.startswith("# ")]) == 1
    front_matter(card)


def test_the_card_of_a_build_tells_the_table_and_the_refusal() -> None:
    card = model_card(replace(sample_report(), shrinkage=sample_shrinkage()))
    whole_tables(card)
    assert "| Whole model at Q2\\_K | 4.98 M | 1.96 MiB |" in card.replace("Q2_K", "Q2\\_K")
    assert card.index("## How the model was made smaller") < card.index("## How it was compressed")
    assert "Trained on notes.jsonl: 37 documents, 2,310 tokens, 8.91 KiB, no licence stated" in card
    refused = model_card(replace(sample_report(), shrinkage=sample_refused_shrinkage()))
    assert "**Nothing smaller was made: no shape below 2.1 MiB holds the floor.** What would work: 2.6 MiB" in refused
    assert "made smaller" not in model_card(sample_report())
