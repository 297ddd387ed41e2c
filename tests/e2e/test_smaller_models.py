"""`edgeshrink prune`, `distill`, and a build that has to make a smaller model: the real commands, on the demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from shell import Shell

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.planning.layout import check_source, layout, parameter_count

READ = """
name = "read"
reading = ["text"]
text-tokens = 512
text = [{ label = "general" }]
"""
DEMO = Path(__file__).resolve().parents[2] / "edgeshrink/_demo"
TEXTS = DEMO.parent / "_texts"
ITSELF = ("distill", "--teacher", DEMO, "--student", DEMO, "-o", "x")
PROFILE = """
id = "narrow"
name = "A phone with room for very little"
family = "android"
preferred_target = "laptop-cpu"
{facts}
[budget]
artifact_bytes_max = 2000000
[budget.quality]
mean_kl_max = {mean_kl}
slices = {{ "*" = {{}}, "text/*" = {{}}, "long-context/drift" = {{}} }}
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("suite") / "read.toml"
    file.write_text(READ, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def cut(warm_shell: Shell, suite: Path) -> Path:
    """The demo with a third fewer parameters, not taught."""
    out = warm_shell.folder / "cut"
    done = warm_shell.run("prune", "--params", "0.667", "--scheme", "Q8_0", "--suite", suite, "-o", out)
    assert done.returncode == 0, done.stderr
    assert "feed-forward" in done.stdout
    return out


def record(folder: Path) -> dict[str, Any]:
    step: dict[str, Any] = json.loads((folder / "edgeshrink-step.json").read_text(encoding="utf-8"))
    return step


def distill(shell: Shell, student: Path, out: str, *words: object) -> Any:
    text = TEXTS / "calibration.txt"
    return shell.run("distill", "--teacher", DEMO, "--student", student, "--data", text, "-o", out, *map(str, words))


def test_a_pruned_model_is_an_ordinary_folder_with_the_share_that_was_asked_for(cut: Path) -> None:
    facts = inspect_folder(cut, "cut")
    check_source(facts, layout(facts))
    share = parameter_count(facts) / parameter_count(inspect_folder(DEMO, "demo"))
    assert 0.6 < share <= 0.667
    step = record(cut)
    assert step["kind"] == "prune"
    assert step["after"]["parameters"] == parameter_count(facts)
    assert step["behaviour"]["slices"][0]["name"] == "text/general"


def test_a_few_steps_of_teaching_bring_the_student_nearer_and_gates_decide_the_exit_code(
    warm_shell: Shell, cut: Path, suite: Path
) -> None:
    more = ("--steps", 24, "--batch-tokens", 2048, "--suite", suite)
    done = distill(warm_shell, cut, "taught", *more)
    assert done.returncode == 0, done.stderr
    before, after = (_mean_kl(record(folder)) for folder in (cut, warm_shell.folder / "taught"))
    assert after < 0.92 * before
    training = record(warm_shell.folder / "taught")["training"]
    assert training["steps"] == 24
    assert training["held_out"][-1]["objective"] < training["held_out"][0]["objective"]
    assert "<svg" in (warm_shell.folder / "taught/training.html").read_text(encoding="utf-8")
    gate = ("--gate", "text/general:max-degradation=0.0001")
    assert distill(warm_shell, cut, "gated", *more, *gate).returncode == 1
    assert (warm_shell.folder / "gated/model.safetensors").is_file()


def _mean_kl(step: dict[str, Any]) -> float:
    metrics = {metric["name"]: metric for metric in step["behaviour"]["slices"][0]["metrics"]}
    return float(metrics["mean KL"]["candidate"]["value"])


def test_a_run_ends_as_soon_as_every_gate_passes(warm_shell: Shell, cut: Path, suite: Path) -> None:
    gate = ("--gate", "text/general:max-degradation=5", "--check-every", 4)
    done = distill(warm_shell, cut, "early", "--steps", 24, "--batch-tokens", 1024, "--suite", suite, *gate)
    assert done.returncode == 0, done.stderr
    training = record(warm_shell.folder / "early")["training"]
    assert (training["steps"], training["planned_steps"]) == (4, 24)
    assert training["stopped"] == "every gate passes at step 4"
    assert [(check["step"], check["outcome"]) for check in training["checks"]] == [(4, "PASS")]


def test_pruning_in_cycles_heals_and_looks_after_each_cut(warm_shell: Shell, suite: Path) -> None:
    out = warm_shell.folder / "cycled"
    goal = ("--params", "0.667", "--scheme", "Q8_0", "--cycles", "2")
    heal = ("--data", TEXTS / "calibration.txt", "--steps", "8", "--batch-tokens", "1024")
    done = warm_shell.run("prune", *goal, *heal, "--suite", suite, "-o", out)
    assert done.returncode == 0, done.stderr
    step = record(out)
    assert step["after"]["parameters"] <= 0.667 * step["before"]["parameters"]
    told = [note for note in step["training"]["notes"] if note.startswith("cycle ")]
    assert [note[:12] for note in told] == ["cycle 1 of 2", "cycle 2 of 2"]
    assert all("4,096 tokens" in note and "mean KL" in note for note in told)


def test_an_interrupted_run_goes_on_where_it_was(shell: Shell, cut: Path) -> None:
    words = ("distill", "--teacher", DEMO, "--student", cut, "--data", TEXTS / "calibration.txt", "--suite", "none")
    words = (*words, "--steps", "20", "--batch-tokens", "1024", "-o", "new/student")
    process = shell.start(*words)
    page = shell.folder / "new/student.training.html"
    said = shell.interrupt(process, once=lambda: page.exists(), otherwise="no step was logged")
    assert "again" in said
    assert not (shell.folder / "new/student").exists()
    done = shell.run(*words)
    assert done.returncode == 0, done.stderr
    training = record(shell.folder / "new/student")["training"]
    assert (training["steps"], training["resumed"]) == (20, 1)
    assert not page.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prune", "-o", "x"), "--params"),
        (("prune", "--params", "0.5", "--cycles", "2", "-o", "x"), "--data"),
        (("prune", "--to-speed", "100", "--method", "magnitude", "-o", "x"), "no runtime"),
        (("prune", "--params", "0.5", "--method", "luck", "-o", "x"), "block-influence"),
        ((*ITSELF, "--steps", "1"), "--data"),
        ((*ITSELF, "--steps", "1", "--data", "gone.txt"), "gone.txt"),
        ((*ITSELF, "--steps", "1", "--data", TEXTS / "en.txt"), "evaluation text"),
        ((*ITSELF, "--data", "a"), "--minutes"),
        ((*ITSELF, "--steps", "1", "--prompts", "a"), "--prompts says nothing here"),
        (
            (*ITSELF, "--steps", "1", "--data", TEXTS / "calibration.txt", "--check-every", "1", "--suite", "none"),
            "--check-every lets the suite look",
        ),
        (("prune", "--params", "0.5", "--cached", "-o", "x"), "--cached is of the healing"),
        (("prune", "--to-bytes", "1KiB", "--method", "ffn", "-o", "x"), "a file of"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_left(
    shell: Shell, words: tuple[str | Path, ...], said: str
) -> None:
    answer = shell.run(*words)
    assert answer.returncode == 2, answer.stdout
    assert said in answer.stderr
    assert not (shell.folder / "x").exists()


@pytest.fixture(scope="module")
def phone_shell(warm_shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """With profiles of its own, and a store where one build finds what another made."""
    return Shell(tmp_path_factory.mktemp("phone"), warm_shell.store)


@pytest.mark.parametrize(("mean_kl", "code"), [(9.0, 0), (0.01, 1)])
def test_a_build_for_which_no_quantization_fits_makes_a_smaller_model_or_says_which_budget_would_do(
    phone_shell: Shell, repository: Path, mean_kl: float, code: int
) -> None:
    shell = phone_shell
    phone = (repository / "profiles/moto-g-play-2024.toml").read_text(encoding="utf-8")
    facts = phone[phone.index("[facts.cpu]") : phone.index("[budget]")]
    (shell.folder / "profiles").mkdir(exist_ok=True)
    profile = PROFILE.format(facts=facts, mean_kl=mean_kl)
    (shell.folder / "profiles/narrow.toml").write_text(profile, encoding="utf-8")
    heal = ("--shrink", "auto", "--data", TEXTS / "calibration.txt", "--heal-steps", "3", "--imatrix", "none")
    answer = shell.run("build", "--profile", "narrow", *heal, "-o", "out", "--json")
    assert answer.returncode == code, answer.stderr
    report = json.loads(answer.stdout)
    if code:
        assert report["shrinkage"]["refusal"]
        assert "MiB" in report["shrinkage"]["nearest"]
        return
    assert report["artifact"]["nbytes"] <= 2_000_000
    assert report["shrinkage"]["rungs"][-1]["kept"]
    facts_of_student = inspect_folder(shell.folder / "out/student", "student")
    assert parameter_count(facts_of_student) == report["shrinkage"]["rungs"][-1]["parameters"]
