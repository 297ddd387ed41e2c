"""One base with an adapter beside it: built, judged as the pair that runs, run, and locked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from low_rank import write_random_adapter
from shell import Shell

from edgeshrink.core.reading import Measured
from edgeshrink.core.report import Report
from edgeshrink.report.json import report_from_json
from edgeshrink.report.manifest import verify_manifest

NAME = "helper"
OUT = "with-adapter"
ONE_TEXT = """
name = "one-text"
looks = 1
text-tokens = 512
reading = ["text"]
text = [{ label = "general", title = "general text" }]
"""


def report_in(folder: Path) -> Report:
    return report_from_json((folder / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def adapter(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random updates, large enough that every text reads otherwise."""
    folder = tmp_path_factory.mktemp("adapters") / NAME
    return write_random_adapter(folder, demo_model, rank=2, size=0.05, seed=3)


@pytest.fixture(scope="module")
def built(built_demo: subprocess.CompletedProcess[str], warm_shell: Shell, adapter: Path) -> Path:
    made = warm_shell.run("build", "--scheme", "Q4_K_M", "--adapter", adapter, "-o", OUT)
    assert made.returncode == 0, made.stderr
    assert NAME in made.stdout
    return warm_shell.folder / OUT


def test_the_report_sizes_it_and_compares_the_pair_with_both_in_full_precision(built: Path) -> None:
    report = report_in(built)
    (one,) = report.adapters
    file = built / one.file
    assert (one.name, one.file, one.nbytes, one.rank) == (NAME, f"adapters/{NAME}.gguf", file.stat().st_size, 2)
    assert one.share_of_base == one.nbytes / report.artifact.nbytes
    assert one.quality is not None and isinstance(one.mean_kl, Measured)
    assert {check.name: check.outcome for check in one.quality.checks}["reference is source and adapter"] == "ok"
    # The same rounding of the same base: near what the base alone loses, and no zero.
    base = report.quality.mean_kl
    assert isinstance(base, Measured) and 0.2 * base.value < one.mean_kl.value < 5 * base.value
    assert one.quality.perplexity != report.quality.perplexity
    line = next(line for line in report.verdict.lines if line.name == f"with the adapter {NAME}")
    assert line.outcome == one.outcome
    assert "does not say which weights" in " ".join(one.notes)


def test_its_file_is_in_the_manifest_and_runs_beside_the_model(built: Path, warm_shell: Shell) -> None:
    assert verify_manifest(built) == ()
    asked = ("run", OUT, "Once upon a time there was", "--raw", "--max-tokens", "24")
    plain, paired = (warm_shell.run(*asked, *more) for more in ((), ("--adapter", NAME)))
    assert plain.returncode == paired.returncode == 0, paired.stderr
    assert plain.stdout.strip() and paired.stdout.strip() and plain.stdout != paired.stdout


def test_evaluating_the_pair_finds_what_the_build_found(built: Path, warm_shell: Shell) -> None:
    (warm_shell.folder / "one-text.toml").write_text(ONE_TEXT, encoding="utf-8")
    asked = ("evaluate", OUT, "--adapter", NAME, "--suite", "one-text.toml", "-o", "evaluated")
    done = warm_shell.run(*asked)
    assert done.returncode in (0, 1), done.stderr
    told, (one,) = report_in(warm_shell.folder / "evaluated"), report_in(built).adapters
    assert told.quality is not None and told.behaviour is not None
    found, expected = told.quality.mean_kl, one.mean_kl
    assert isinstance(found, Measured) and isinstance(expected, Measured)
    assert (
        abs(found.value - expected.value) < 0.02 * expected.value
    )  # its F16 file beside both, F32 beside the reference
    assert f"base with the adapter {NAME}" in " ".join(told.notes)


def test_a_locked_build_gives_the_same_adapter(built: Path, warm_shell: Shell, adapter: Path) -> None:
    lock = built / "edgeshrink.lock"
    same = warm_shell.run("build", "--locked", "--lock", lock, "-o", "locked", "--adapter", adapter)
    assert same.returncode == 0, same.stderr
    one, other = (folder / "adapters" / f"{NAME}.gguf" for folder in (built, warm_shell.folder / "locked"))
    assert one.read_bytes() == other.read_bytes()
