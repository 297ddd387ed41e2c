"""The ladder, walked for real on a small model by a target and a profile of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from shell import Shell

TARGET = """
id = "short"
name = "Two rungs"
family = "android"
default_profile = "picky"
power_sources = []
bundle = "android"
pins = {}

[formats.gguf]
runtime = "llama_cpp"
delegates = ["cpu"]
schemes = ["Q2_K", "Q8_0"]
preferred_scheme = "PREFERRED"
"""


def write_own_data(shell: Shell, repository: Path, *, preferred: str, limits: str) -> None:
    """A target with two rungs, and a phone whose budget is nothing but `limits`."""
    (shell.folder / "targets" / "short").mkdir(parents=True)
    target = TARGET.replace("PREFERRED", preferred)
    (shell.folder / "targets" / "short" / "target.toml").write_text(target, encoding="utf-8")
    phone = (repository / "profiles" / "moto-g-play-2024.toml").read_text(encoding="utf-8")
    facts = phone[phone.index("[facts.cpu]") : phone.index("[budget]")]
    head = 'id = "picky"\nname = "A picky phone"\nfamily = "android"\npreferred_target = "short"\n'
    (shell.folder / "profiles").mkdir()
    (shell.folder / "profiles" / "picky.toml").write_text(f"{head}{facts}{limits}", encoding="utf-8")


def built_report(shell: Shell, stories: Path, exit_code: int) -> dict[str, Any]:
    answer = shell.run("build", stories, "--target", "short", "--imatrix", "none", "--json", "-o", "out")
    assert answer.returncode == exit_code, answer.stderr
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def test_goes_up_where_quality_fails_and_shows_both_rungs(shell: Shell, stories: Path, repository: Path) -> None:
    write_own_data(shell, repository, preferred="Q2_K", limits="[budget.quality]\nmean_kl_max = 0.006\n")
    report = built_report(shell, stories, 0)
    assert [rung["scheme"] for rung in report["ladder"]] == ["Q2_K", "Q8_0"]
    assert report["ladder"][0]["move"].startswith("on to Q8_0: quality fails")
    assert report["artifact"]["scheme"] == "Q8_0"
    assert report["verdict"]["outcome"] == "PASS"


def test_starts_lower_where_the_preferred_scheme_is_predicted_not_to_fit(
    shell: Shell, stories: Path, repository: Path
) -> None:
    write_own_data(shell, repository, preferred="Q8_0", limits="[budget]\nartifact_bytes_max = 300000\n")
    report = built_report(shell, stories, 0)
    assert [rung["scheme"] for rung in report["ladder"]] == ["Q2_K"]


@pytest.mark.parametrize("strict", [False, True])
def test_a_failed_line_is_exit_code_one_and_the_folder_is_there(
    shell: Shell, stories: Path, repository: Path, strict: bool
) -> None:
    limits = "[budget]\ndecode_tok_s_min = 1\n" if strict else "[budget.quality]\nmean_kl_max = 1e-9\n"
    write_own_data(shell, repository, preferred="Q8_0", limits=limits)
    flags = ("--strict",) if strict else ()
    answer = shell.run("build", stories, "--target", "short", "--imatrix", "none", "-o", "out", *flags)
    assert answer.returncode == 1
    assert ("UNKNOWN" if strict else "FAIL") in answer.stdout
    assert (shell.folder / "out" / "manifest.json").is_file()
