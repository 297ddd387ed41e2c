"""Three formats from one command: each is built, checked and measured, and one of them is named the best."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from built_gguf import build_gguf
from shell import Shell
from tiny_models import write_tiny_model

from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Estimate, Measured
from edgeshrink.core.report import Comparison, Report
from edgeshrink.report.json import comparison_from_json
from edgeshrink.report.manifest import verify_manifest

pytest.importorskip("executorch", reason="the extra [executorch] is not installed")
pytest.importorskip("onnxruntime_genai", reason="the extra [onnx] is not installed")

FORMATS = ("gguf", "onnx", "executorch")


@pytest.fixture(scope="module")
def built(warm_shell: Shell) -> subprocess.CompletedProcess[str]:
    return warm_shell.run("build", "--format", "all", "--scheme", "4bit", "-o", "all", timeout_s=900)


@pytest.fixture(scope="module")
def comparison(built: subprocess.CompletedProcess[str], warm_shell: Shell) -> Comparison:
    assert built.returncode in (0, 1), built.stderr
    return comparison_from_json((warm_shell.folder / "all" / "comparison.json").read_text(encoding="utf-8"))


@pytest.fixture(params=FORMATS)
def report(request: pytest.FixtureRequest, comparison: Comparison) -> Report:
    found = next(entry for entry in comparison.outcomes if entry.format == request.param)
    assert found.report is not None, found.error
    return found.report


def test_the_target_lists_all_three_and_one_is_the_best(comparison: Comparison) -> None:
    assert {entry.format for entry in comparison.outcomes} == set(FORMATS)
    outcomes = {entry.format: entry.report.verdict.outcome for entry in comparison.outcomes if entry.report}
    assert comparison.best in FORMATS
    assert outcomes[comparison.best] == min(outcomes.values(), key=["PASS", "UNKNOWN", "FAIL"].index)


def test_every_format_behaves_like_the_source(report: Report) -> None:
    quality = report.quality
    assert isinstance(quality, Quality)
    assert [check for check in quality.checks if check.outcome == "failed"] == []
    assert {"tokenizer", "chat template", "stop tokens", "backend"} <= {check.name for check in quality.checks}
    assert isinstance(quality.mean_kl, Measured) and quality.mean_kl.value < 0.15


def test_every_format_is_measured_by_the_backend_that_was_asked_for(report: Report) -> None:
    assert report.measurements is not None and isinstance(report.measurements.decode_tok_s, Measured)
    backend = next(line for line in report.verdict.lines if line.name == "backend")
    assert backend.outcome == "PASS"


def test_the_file_has_the_predicted_bytes(report: Report) -> None:
    assert report.predictions is not None and isinstance(report.predictions.artifact_bytes, Estimate)
    assert report.artifact.nbytes == pytest.approx(report.predictions.artifact_bytes.value, rel=0.02)


def test_delegated_shares_are_counted_on_the_file(comparison: Comparison) -> None:
    reports = {entry.format: entry.report for entry in comparison.outcomes}
    for name in ("onnx", "executorch"):
        report = reports[name]
        assert report is not None and report.artifact.delegation is not None
        assert report.artifact.delegation.runs_here
        assert 0.5 < report.artifact.delegation.operator_share <= 1


def test_every_folder_is_whole_and_the_top_one_covers_them(comparison: Comparison, warm_shell: Shell) -> None:
    for folder in ("all", *(f"all/{name}" for name in FORMATS)):
        assert verify_manifest(warm_shell.folder / folder) == ()
        assert (warm_shell.folder / folder / "report.html").is_file()


@pytest.mark.parametrize("format", FORMATS)
def test_what_was_built_answers(comparison: Comparison, warm_shell: Shell, format: str) -> None:
    done = warm_shell.run("run", f"all/{format}", "What is 2 + 3?", "--max-tokens", "8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert format != "executorch" or done.stderr == ""


def test_an_identical_second_build_runs_no_step(comparison: Comparison, warm_shell: Shell) -> None:
    before = (warm_shell.folder / "all" / "comparison.json").read_bytes()
    again = warm_shell.run("build", "--format", "onnx", "--scheme", "4bit", "-o", "all/onnx")
    assert again.returncode in (0, 1), again.stderr
    why = json.loads(warm_shell.run("cache", "why", "--json").stdout)
    assert why and all(decision["reused"] for decision in why)
    assert (warm_shell.folder / "all" / "comparison.json").read_bytes() == before


def test_the_top_folder_asks_for_one_of_its_builds(comparison: Comparison, warm_shell: Shell) -> None:
    done = warm_shell.run("run", "all", "hello")
    assert done.returncode == 2
    assert "several builds" in done.stderr and "executorch, gguf, onnx" in done.stderr


def test_a_killed_comparison_goes_on_where_it_was(comparison: Comparison, warm_shell: Shell) -> None:
    shutil.copytree(warm_shell.folder / "all" / "gguf", warm_shell.folder / "begun" / "gguf")
    done = warm_shell.run(
        "build", "--format", "all", "--scheme", "4bit", "--imatrix", "auto", "-o", "begun", timeout_s=600
    )
    assert done.returncode in (0, 1), done.stderr
    assert (warm_shell.folder / "begun" / "comparison.json").is_file()


def test_an_artifact_of_any_format_is_measured_by_itself(comparison: Comparison, warm_shell: Shell) -> None:
    done = warm_shell.run("profile", "all/onnx", "--json")
    assert done.returncode in (0, 1), done.stderr
    assert json.loads(done.stdout)["measurements"]["runtime"]["name"] == "onnx"


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (("--format", "executorch", "--scheme", "Q4_K_M"), "executorch has no scheme 'Q4_K_M'", "8da4w"),
        (("--format", "onnx", "--scheme", "int3"), "onnx has no scheme 'int3'", "int4"),
        (("--format", "tflite"), "takes no 'tflite'", "all"),
        (("--format", "onnx", "--delegate", "tpu"), "no delegate 'tpu'", "cpu"),
        (("--format", "onnx", "--tensor-type", "attn=Q8_0"), "tensor-type", "gguf"),
        (("--format", "executorch", "--imatrix", "auto"), "--imatrix weighs GGUF's types", "leave it out"),
    ],
)
def test_a_wrong_flag_is_refused_with_what_would_be_right(
    warm_shell: Shell, arguments: tuple[str, ...], said: str, hint: str
) -> None:
    done = warm_shell.run("build", *arguments, "-o", "never")
    assert done.returncode == 2
    words = " ".join((done.stdout + done.stderr).split())
    assert said in words and hint in words
    assert not Path(warm_shell.folder / "never").exists()


def test_a_gguf_goes_to_no_other_format(warm_shell: Shell, demo_model: Path, tmp_path: Path) -> None:
    file = build_gguf(demo_model, tmp_path / "demo.gguf", "F16").path
    done = warm_shell.run("build", file, "--format", "onnx", "-o", "never")
    assert done.returncode == 2
    assert "Hugging Face folder" in done.stderr


def test_a_format_that_cannot_take_the_model_does_not_lose_the_others(
    warm_shell: Shell, demo_model: Path, tmp_path: Path
) -> None:
    mixture = write_tiny_model(tmp_path / "mixture", demo_model, "mixtral", num_hidden_layers=1)
    done = warm_shell.run("build", mixture, "--format", "all", "--scheme", "8bit", "-o", "partly", timeout_s=600)
    assert done.returncode == 2, done.stderr
    found = comparison_from_json((warm_shell.folder / "partly" / "comparison.json").read_text(encoding="utf-8"))
    outcomes = {entry.format: entry for entry in found.outcomes}
    for refused in ("onnx", "executorch"):
        assert "a mixture of experts" in outcomes[refused].error and outcomes[refused].report is None
        assert not (warm_shell.folder / "partly" / refused).exists()
    assert outcomes["gguf"].report is not None
    assert found.best == "gguf"
