"""`distill` for a grid, an adapter, preferences and a policy, and what `build`, `run` and `prune` make of it all: the
real commands, on the demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from shell import Shell
from tiny_models import write_tiny_model

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.catalog.huggingface import inspect_folder

DEMO = Path(__file__).resolve().parents[2] / "edgeshrink/_demo"
TEXT = DEMO.parent / "_texts/calibration.txt"
SHORT = ("--steps", "4", "--batch-tokens", "1024", "--suite", "none")
NARROW = """
id = "narrow"
name = "A phone that wants a small file and a near one"
family = "android"
preferred_target = "laptop-cpu"
{facts}
[budget]
artifact_bytes_max = 2600000
[budget.quality]
mean_kl_max = {mean_kl}
slices = {{ "*" = {{}}, "text/*" = {{}}, "long-context/drift" = {{}} }}
"""


def record(folder: Path) -> dict[str, Any]:
    step: dict[str, Any] = json.loads((folder / "edgeshrink-step.json").read_text(encoding="utf-8"))
    return step


def distill(shell: Shell, objective: str, data: Path, out: str, *words: str, student: Path = DEMO) -> Path:
    run = ("distill", "--student", student, "--objective", objective, "--data", data, *SHORT, *words, "-o", out)
    done = shell.run(*run)
    assert done.returncode == 0, done.stderr
    return shell.folder / out


def build(shell: Shell, model: Path, out: str, *words: str | Path) -> dict[str, Any]:
    done = shell.run("build", model, *words, "--imatrix", "none", "-o", out, "--json")
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def checks(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in report["quality"]["checks"]}


@pytest.fixture(scope="module")
def on_grid(warm_shell: Shell) -> Path:
    return distill(warm_shell, "grid", TEXT, "on-grid", "--scheme", "Q3_K_S")


@pytest.fixture(scope="module")
def adapter(warm_shell: Shell) -> Path:
    return distill(warm_shell, "text", TEXT, "tale", "--lora-rank", "2", "--base-scheme", "Q4_K_M")


def test_a_model_trained_for_a_scheme_is_built_of_the_codes_that_were_trained(warm_shell: Shell, on_grid: Path) -> None:
    report = build(warm_shell, on_grid, "from-grid", "--scheme", "Q3_K_S")
    found = checks(report)
    assert {found[name]["outcome"] for name in ("trained codes", "trained and finished agree")} == {"ok"}
    other = build(warm_shell, on_grid, "other-scheme", "--scheme", "Q4_K_S")
    assert "trained codes" not in checks(other)
    assert any("Q3_K_S" in note for note in other["notes"])


def test_weights_that_were_changed_after_they_were_trained_for_a_scheme_are_refused(
    warm_shell: Shell, on_grid: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    changed.mkdir()
    for file in on_grid.iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    weights = changed / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    done = warm_shell.run("build", changed, "--scheme", "Q3_K_S", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "changed" in done.stderr


def test_an_adapter_of_another_base_is_refused_by_name(warm_shell: Shell, adapter: Path, on_grid: Path) -> None:
    told = read_adapter(adapter)
    assert (told.rank, told.scheme) == (2, "Q4_K_M")
    # The weights that its record counts are those of both together.
    assert record(adapter)["after"]["name"].endswith("_demo with tale")
    done = warm_shell.run("build", on_grid, "--scheme", "Q4_K_M", "--adapter", adapter, "-o", "wrong-base")
    assert done.returncode == 2
    assert "tale" in done.stderr and "_demo" in done.stderr
    assert not (warm_shell.folder / "wrong-base").exists()


def test_what_is_preferred_is_counted_on_pairs_that_were_held_out(warm_shell: Shell, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    lines = [
        {"prompt": f"Name {n} birds.", "chosen": f"{n} larks.", "rejected": f"I cannot count {n}."} for n in range(40)
    ]
    pairs.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (counted, *_) = record(distill(warm_shell, "preference", pairs, "preferring", "--length", "64"))["learnt"]
    assert 0 < counted["items"] < 40
    assert 0 <= counted["before"] <= counted["items"]


def test_a_policy_is_counted_as_too_eager_and_too_shy(warm_shell: Shell, tmp_path: Path) -> None:
    tool = {"name": "find_thing", "description": "Find a thing that was lost"}
    tool["parameters"] = {"type": "object", "properties": {"thing": {"type": "string"}}, "required": ["thing"]}  # type: ignore[assignment]
    cases = []
    for n in range(30):
        offer = {"tools": [{"type": "function", "function": tool}], "pair": n}
        call = {"function": {"name": "find_thing", "arguments": {"thing": f"kite {n}"}}}
        asked = [{"role": "user", "content": f"Locate kite {n} please."}]
        told = [{"role": "user", "content": f"Kite {n} was never lost."}]
        cases += [
            {**offer, "messages": asked, "answer": {"tool_calls": [call]}},
            {**offer, "messages": told, "answer": "Good to know."},
        ]
    data = tmp_path / "cases.jsonl"
    data.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    learnt = {row["name"]: row for row in record(distill(warm_shell, "tool-policy", data, "policy"))["learnt"]}
    assert learnt["too eager"]["low_is_better"] and learnt["too shy"]["low_is_better"]
    assert learnt["too eager"]["items"] > 0


def test_a_mixture_loses_experts_and_is_built(warm_shell: Shell, tmp_path: Path) -> None:
    mixture = write_tiny_model(tmp_path / "mixture", DEMO, "mixtral")
    before = inspect_folder(mixture, "mixture").experts
    assert before is not None
    out = warm_shell.folder / "fewer"
    done = warm_shell.run("prune", mixture, "--experts", str(before.count // 2), "--suite", "none", "-o", out)
    assert done.returncode == 0, done.stderr
    after = inspect_folder(out, "fewer").experts
    assert after is not None and after.count == before.count // 2
    report = build(warm_shell, out, "fewer-out", "--scheme", "Q8_0")
    assert all(check["outcome"] != "failed" for check in report["quality"]["checks"])


@pytest.mark.parametrize(("mean_kl", "kept"), [(9.0, None), (0.0001, False)])
def test_a_build_trains_for_its_grid_only_where_its_floor_is_missed(
    shell: Shell, repository: Path, mean_kl: float, kept: bool | None
) -> None:
    phone = (repository / "profiles/moto-g-play-2024.toml").read_text(encoding="utf-8")
    facts = phone[phone.index("[facts.cpu]") : phone.index("[budget]")]
    (shell.folder / "profiles").mkdir()
    profile = NARROW.format(facts=facts, mean_kl=mean_kl)
    (shell.folder / "profiles/narrow.toml").write_text(profile, encoding="utf-8")
    training = ("--train-for-grid", "--data", str(TEXT), "--heal-steps", "3")
    report = build(shell, DEMO, "out", "--profile", "narrow", *training)
    if kept is None:
        assert report["shrinkage"] is None
        return
    plain, trained = report["shrinkage"]["rungs"]
    assert (plain["scheme"], trained["kept"]) == (trained["scheme"], kept)
    assert report["shrinkage"]["refusal"]
