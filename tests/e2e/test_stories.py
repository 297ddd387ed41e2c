"""A real model nobody here trained: its author's own expected output is the oracle."""

from __future__ import annotations

import json
from pathlib import Path

from shell import Shell


def said_after(shell: Shell, folder: str, beginning: str) -> str:
    answer = shell.run("run", folder, beginning, "--raw", "--max-tokens", "200")
    assert answer.returncode == 0, answer.stderr
    return f"{beginning}{answer.stdout}".strip()


def test_stories_in_f32_continues_to_the_letter_as_its_author_says(warm_shell: Shell, stories: Path) -> None:
    assert warm_shell.run("build", stories, "--scheme", "F32", "-o", "stories-f32").returncode in (0, 1)
    expected = (stories / "expected_greedy_200steps.txt").read_text(encoding="utf-8").strip()
    assert said_after(warm_shell, "stories-f32", "Once upon a time").startswith(expected)


def test_stories_at_q8_0_follows_its_author_until_a_near_tie(warm_shell: Shell, stories: Path) -> None:
    built = warm_shell.run("build", stories, "--scheme", "q8_0", "-o", "stories")
    assert built.returncode in (0, 1), built.stderr
    expected = (stories / "expected_greedy_200steps.txt").read_text(encoding="utf-8").strip()
    # llama.cpp rounds activations to 8 bits as well, and how depends on the processor's kernels: two almost equally
    # probable words tip over after 295 characters on AVX-512, and may a little earlier elsewhere.
    assert said_after(warm_shell, "stories", "Once upon a time")[:150] == expected[:150]
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
