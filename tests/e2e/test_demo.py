"""What a stranger does first: the demo model, with no flag."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from shell import Shell

from edgeshrink.core.reading import Measured
from edgeshrink.report.json import report_from_json
from edgeshrink.report.manifest import verify_manifest


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_demo_builds_and_its_verdict_is_not_a_failure(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell
) -> None:
    assert built_demo.returncode == 0, built_demo.stderr
    assert "Q4_K_M" in built_demo.stdout
    report = report_from_json((warm_shell.folder / "demo-out" / "report.json").read_text(encoding="utf-8"))
    assert report.on_device
    assert report.verdict.outcome in ("PASS", "UNKNOWN")
    assert {line.name for line in report.verdict.lines if line.outcome == "UNKNOWN"} <= {"energy per token"}


def test_every_file_is_in_the_manifest_as_it_stands(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell
) -> None:
    assert verify_manifest(warm_shell.folder / "demo-out") == ()


def test_an_identical_second_build_runs_no_step_and_writes_identical_bytes(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell
) -> None:
    before = digests(warm_shell.folder / "demo-out")
    again = warm_shell.run("build", "-o", "demo-out")
    assert again.returncode == 0, again.stderr
    assert digests(warm_shell.folder / "demo-out") == before
    why = json.loads(warm_shell.run("cache", "why", "--json").stdout)
    assert why
    assert all(decision["reused"] for decision in why)


def test_a_build_into_another_folder_gives_the_same_bytes(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell
) -> None:
    assert warm_shell.run("build", "-o", "demo-two").returncode == 0
    assert digests(warm_shell.folder / "demo-two") == digests(warm_shell.folder / "demo-out")


def test_the_predicted_file_is_exact_to_the_byte(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell
) -> None:
    plan = json.loads(warm_shell.run("plan", "--json").stdout)
    predicted = next(item for item in plan["candidates"] if item["scheme"] == "Q4_K_M")
    file = next((warm_shell.folder / "demo-out").glob("*.gguf"))
    assert predicted["predictions"]["artifact_bytes"]["value"] == file.stat().st_size


def test_the_built_demo_says_something(built_demo: subprocess.CompletedProcess[str], warm_shell: Shell) -> None:
    answer = warm_shell.run("run", "demo-out", "Tell me a story.", "--max-tokens", "20")
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.split()) >= 3


def test_json_prints_the_report_and_nothing_else(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell
) -> None:
    answer = warm_shell.run("build", "-o", "demo-out", "--json")
    report = report_from_json(answer.stdout)
    assert report.artifact.scheme == "Q4_K_M"
    assert report.measurements is not None
    assert isinstance(report.measurements.decode_tok_s, Measured)
    assert answer.stderr == ""


def test_a_quantized_file_is_measured_and_judged(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell
) -> None:
    file = next((warm_shell.folder / "demo-out").glob("*.gguf"))
    answer = warm_shell.run("profile", file, "--json")
    report = report_from_json(answer.stdout)
    assert answer.returncode == 0
    lines = {line.name: line.outcome for line in report.verdict.lines}
    assert lines["decode speed"] == "PASS"
    assert lines["same as the source"] == "UNKNOWN"


def test_the_same_verbs_in_python_take_paths_as_text(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell
) -> None:
    code = (
        "import edgeshrink; report = edgeshrink.build(target='laptop-cpu', scheme='Q4_K_M', out='api');"
        "print(report.verdict.outcome, report.quality.mean_kl.value < 0.1, edgeshrink.plan(scheme='Q8_0').start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=warm_shell.folder, env=warm_shell.environment(), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == ["True", "Q8_0"]
    assert (warm_shell.folder / "api" / "edgeshrink-demo-Q4_K_M.gguf").is_file()
