"""A real model nobody here trained: its author's own expected output is the oracle."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Shell


def test_stories_at_q8_0_continues_as_its_author_says(warm_shell: Shell, stories: Path) -> None:
    built = warm_shell.run("build", stories, "--scheme", "q8_0", "-o", "stories")
    assert built.returncode in (0, 1), built.stderr
    expected = (stories / "expected_greedy_200steps.txt").read_text(encoding="utf-8").strip()
    said = warm_shell.run("run", "stories", "Once upon a time", "--raw", "--max-tokens", "195")
    text = f"Once upon a time{said.stdout}".strip()
    assert text[: len(expected)] == expected[: len(text)]
    assert len(text) >= 300
    report = json.loads((warm_shell.folder / "stories" / "report.json").read_text(encoding="utf-8"))
    down = next(tensor for tensor in report["artifact"]["tensors"] if tensor["name"] == "blk.0.ffn_down.weight")
    assert down["type"] == "F16"
    assert "172" in down["why"]


def test_k_quants_fall_back_on_narrow_rows_and_the_report_says_so(warm_shell: Shell, stories: Path) -> None:
    warm_shell.run("build", stories, "--scheme", "Q4_K_M", "--imatrix", "none", "-o", "stories-k")
    report = json.loads((warm_shell.folder / "stories-k" / "report.json").read_text(encoding="utf-8"))
    query = next(tensor for tensor in report["artifact"]["tensors"] if tensor["name"] == "blk.0.attn_q.weight")
    assert query["type"] == "Q5_0"
    assert "64" in query["why"]
    assert any("fell back" in sentence for sentence in report["traded_away"])


def test_an_unquantized_gguf_is_a_source_too(warm_shell: Shell, stories: Path) -> None:
    assert warm_shell.run("build", stories, "--scheme", "F16", "-o", "stories-f16").returncode in (0, 1)
    source = next((warm_shell.folder / "stories-f16").glob("*.gguf"))
    built = warm_shell.run("build", source, "--scheme", "Q8_0", "-o", "stories-again")
    assert built.returncode in (0, 1), built.stderr
    direct = warm_shell.folder / "stories" / "report.json"
    if not direct.exists():
        warm_shell.run("build", stories, "--scheme", "Q8_0", "-o", "stories")
    report = json.loads((warm_shell.folder / "stories-again" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"]["lines"][0]["outcome"] == "PASS"
    assert (
        report["artifact"]["tensor_bytes"] == json.loads(direct.read_text(encoding="utf-8"))["artifact"]["tensor_bytes"]
    )


def test_a_quantized_gguf_is_not_quantized_again(warm_shell: Shell, stories: Path) -> None:
    warm_shell.run("build", stories, "--scheme", "Q8_0", "-o", "stories")
    quantized = next((warm_shell.folder / "stories").glob("*.gguf"))
    answer = warm_shell.run("build", quantized)
    assert answer.returncode == 2
    assert "already quantized" in answer.stderr
