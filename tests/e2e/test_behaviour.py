"""`edgeshrink evaluate` and a build's suite, as a person runs them: on the demo, and on copies with planted damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from shell import Shell

from edgeshrink.evaluate.subject import Subject
from tools.bench import damage

CALLS = """
name = "calls"
looks = 2
[ask]
tools = { items = 16, offered = [1, 2], filled = [0.0], max_tokens = 24 }
"""
READ = """
name = "read"
reading = ["text", "next-token"]
text-tokens = 1024
text = [{ label = "general" }, { label = "it" }]
"""


@pytest.fixture(scope="module")
def built(warm_shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo at Q8_0, built with a suite and with a gate that nothing passes."""
    suite, out = tmp_path_factory.mktemp("suite") / "read.toml", warm_shell.folder / "with-suite"
    suite.write_text(READ, encoding="utf-8")
    gate = ("--gate", "text/it:max-degradation=0.000001")
    done = warm_shell.run("build", "--scheme", "Q8_0", "--suite", suite, "-o", out, *gate)
    assert done.returncode == 1, done.stderr
    return out


@pytest.fixture(scope="module")
def files(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plain.gguf (what was built); calls.gguf, whose token that opens a call is unlikelier; loud.gguf, whose logits are
    three times as high; and two suites."""
    folder = tmp_path_factory.mktemp("behaviour")
    plain = folder / "plain.gguf"
    shutil.copyfile(next(built.glob("*.gguf")), plain)
    opens = damage.tokens_of(plain, '{"')[0]
    damage.biased_token(plain, folder / "calls.gguf", opens, 0.6)
    damage.scaled_logits(plain, folder / "loud.gguf", 3.0)
    (folder / "calls.toml").write_text(CALLS, encoding="utf-8")
    (folder / "read.toml").write_text(READ, encoding="utf-8")
    return folder


def evaluated(shell: Shell, files: Path, name: str, suite: str, *more: object) -> tuple[int, dict[str, Any]]:
    reference = Path(__file__).resolve().parents[2] / "edgeshrink" / "_demo"
    answer = shell.run(
        "evaluate",
        files / f"{name}.gguf",
        "--reference",
        reference,
        "--suite",
        files / f"{suite}.toml",
        "--json",
        *more,
    )
    assert answer.returncode in (0, 1), answer.stderr
    return answer.returncode, json.loads(answer.stdout)


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {line["slice"]: line["outcome"] for line in report["verdict"]["lines"] if line["slice"]}


def loss(report: dict[str, Any], name: str) -> float:
    slices = {one["name"]: one for one in report["behaviour"]["slices"]}
    found: float = slices[name]["metrics"][0]["loss"]["value"]
    return found


def test_a_biased_decision_fails_its_slice_and_a_plain_file_does_not(warm_shell: Shell, files: Path) -> None:
    code, report = evaluated(warm_shell, files, "plain", "calls", "--seed", "7")
    assert code == 0
    assert "FAIL" not in outcomes(report).values()
    code, report = evaluated(warm_shell, files, "calls", "calls", "--seed", "7")
    assert code == 1
    assert outcomes(report)["tools/decision"] == "FAIL"
    told = json.loads(warm_shell.run("cache", "why", "--json").stdout)
    asked = [decision["reused"] for decision in told if decision["step"] == "ask"]
    assert asked[:2] == [True, False]  # the reference's answers serve every candidate


def test_wrong_confidence_fails_calibration_though_every_greedy_answer_stays(warm_shell: Shell, files: Path) -> None:
    _, report = evaluated(warm_shell, files, "loud", "read")
    assert outcomes(report)["calibration/next-token"] == "FAIL"
    slices = {one["name"]: one for one in report["behaviour"]["slices"]}
    same_top = next(one for one in slices["text/general"]["metrics"] if one["name"] == "same top")
    assert same_top["candidate"]["value"] > 0.9
    ids = [5, 900, 2000, 17, 300]
    with Subject(files / "plain.gguf", "llama_cpp", "cpu").open(context=64, threads=1) as session:
        plain = session.logits(ids)
    with Subject(files / "loud.gguf", "llama_cpp", "cpu").open(context=64, threads=1) as session:
        assert (session.logits(ids).argmax(axis=1) == plain.argmax(axis=1)).all()


def test_another_seed_reads_elsewhere_and_a_gate_of_the_command_line_goes_first(warm_shell: Shell, files: Path) -> None:
    gate = ("--gate", "text/general:max-degradation=0.000001")
    code, usual = evaluated(warm_shell, files, "plain", "read")
    assert (code, outcomes(usual)["text/general"]) == (0, "PASS")
    code, other = evaluated(warm_shell, files, "plain", "read", "--seed", "2", *gate)
    assert (code, outcomes(other)["text/general"]) == (1, "FAIL")
    losses = [loss(report, "text/general") for report in (usual, other)]
    assert losses[0] != losses[1]
    assert [report["behaviour"]["seed"] for report in (usual, other)] == [0, 2]


def test_a_build_runs_the_suite_and_its_folder_tells_it(warm_shell: Shell, built: Path, files: Path) -> None:
    report = json.loads((built / "report.json").read_text(encoding="utf-8"))
    assert outcomes(report)["text/it"] == "FAIL"
    assert "text/it" in (built / "report.html").read_text(encoding="utf-8")
    again = warm_shell.run("evaluate", built, "--suite", files / "read.toml", "--json")
    assert again.returncode == 0, again.stderr  # its report says which model it was made from
    assert json.loads(again.stdout)["behaviour"]["slices"] == report["behaviour"]["slices"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--suite", "none"), "nothing to evaluate"),
        (("--suite", "nosuch"), "nosuch"),
        (("--suite", "quick", "--reference", "edgeshrink/_demo", "--gate", "arithmetic"), "arithmetic"),
        (("--suite", "quick", "--seed", "one"), "one"),
        (("--suite", "quick"), "--reference"),
    ],
)
def test_a_wrong_word_is_an_error_and_nothing_is_run(
    warm_shell: Shell, files: Path, arguments: tuple[str, ...], words: str
) -> None:
    answer = warm_shell.run("evaluate", files / "plain.gguf", *arguments)
    assert answer.returncode == 2
    assert words in answer.stderr


def test_a_reference_that_is_another_model_is_refused(
    warm_shell: Shell, built: Path, files: Path, stories: Path
) -> None:
    answer = warm_shell.run("evaluate", built, "--reference", stories, "--suite", files / "read.toml")
    assert answer.returncode == 2
    assert "another model" in answer.stderr
