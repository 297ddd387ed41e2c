"""Wrong input: a clear sentence, exit code 2, and nothing lost or half-written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from shell import Shell


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "--no-such-flag"), "no-such-flag"),
        (("bulid",), "bulid"),
        (("build", "--target", "toaster"), "toaster"),
        (("build", "--profile", "pixel-99"), "pixel-99"),
        (("build", "--scheme", "Q9_Z"), "Q9_Z"),
        (("build", "--tensor-type", "ffn_down"), "REGEX=TYPE"),
        (("build", "--tensor-type", "no_such_tensor=Q6_K"), "no_such_tensor"),
        (("build", "--format", "tflite"), "tflite"),
        (("build", "no/such/model", "--offline"), "no/such/model"),
        (("build", "--imatrix", "missing.gguf"), "missing.gguf"),
        (("build", "--calibration", "missing.txt"), "missing.txt"),
        (("run", "nothing-here", "hello"), "nothing-here"),
        (("profile", "nothing-here.gguf"), "nothing-here.gguf"),
    ],
)
def test_bad_input_is_refused_with_its_name(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    answer = shell.run(*arguments)
    assert answer.returncode == 2, answer.stdout + answer.stderr
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (shell.folder / "edgeshrink-out").exists()


def test_a_folder_that_is_not_ours_is_refused_and_kept(shell: Shell) -> None:
    (shell.folder / "mine").mkdir()
    (shell.folder / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    answer = shell.run("build", "-o", "mine")
    assert answer.returncode == 2
    assert "did not write it" in answer.stderr
    assert [path.name for path in (shell.folder / "mine").iterdir()] == ["thesis.txt"]


def test_a_pickle_is_never_loaded(shell: Shell, stories: Path) -> None:
    folder = shell.folder / "pickled"
    folder.mkdir()
    (folder / "config.json").write_text((stories / "config.json").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    answer = shell.run("build", folder)
    assert answer.returncode == 2
    assert "safetensors" in answer.stderr


def test_a_broken_profile_of_ones_own_names_file_and_key(shell: Shell) -> None:
    (shell.folder / "profiles").mkdir()
    (shell.folder / "profiles" / "mine.toml").write_text('id = "mine"\nname = 3\n', encoding="utf-8")
    answer = shell.run("plan", "--profile", "mine")
    assert answer.returncode == 2
    assert "mine.toml" in answer.stderr
    assert "name" in answer.stderr


def test_an_unwritable_store_is_said_with_the_way_out(shell: Shell) -> None:
    (shell.folder / "file").write_text("", encoding="utf-8")
    blocked = Shell(shell.folder, shell.folder / "file" / "store")
    answer = blocked.run("build")
    assert answer.returncode == 2
    assert "EDGESHRINK_CACHE" in answer.stderr


def test_debug_shows_the_traceback(shell: Shell) -> None:
    answer = shell.run("--debug", "build", "--scheme", "Q9_Z")
    assert "Traceback" in answer.stderr


def test_plan_answers_from_a_configuration_alone_without_torch(shell: Shell) -> None:
    folder = shell.folder / "llama-1b"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA_3_2_1B), encoding="utf-8")
    answer = shell.run("plan", folder, "--target", "jetson", "--json")
    assert answer.returncode == 0, answer.stderr
    plan = json.loads(answer.stdout)
    assert plan["parameters"] == 1_235_814_400
    assert len(plan["candidates"]) >= 5


def test_an_output_that_cannot_be_written_is_refused_before_any_work(shell: Shell, stories: Path) -> None:
    (shell.folder / "file").write_text("", encoding="utf-8")
    answer = shell.run("build", stories, "-o", "file/out")
    assert answer.returncode == 2
    assert "file" in answer.stderr
    assert not list(shell.store.glob("steps/*"))


def test_a_broken_chat_template_is_refused_before_any_work(shell: Shell, stories: Path) -> None:
    folder = shell.folder / "broken"
    shutil.copytree(stories, folder)
    (folder / "chat_template.jinja").write_text("{% for message in messages %}", encoding="utf-8")
    answer = shell.run("build", folder)
    assert answer.returncode == 2
    assert "Jinja" in answer.stderr
    assert not list(shell.store.glob("steps/*"))


def test_a_calibration_text_that_nothing_would_use_is_refused(shell: Shell, stories: Path) -> None:
    answer = shell.run("build", stories, "--imatrix", "none", "--calibration", "text.txt")
    assert answer.returncode == 2
    assert "--imatrix" in answer.stderr


def test_a_measuring_report_never_replaces_the_model_it_measured(shell: Shell, stories: Path) -> None:
    built = shell.run("build", stories, "--scheme", "Q4_0", "--imatrix", "none", "--target", "jetson", "-o", "out")
    assert built.returncode in (0, 1), built.stderr
    answer = shell.run("profile", "out", "-o", "out")
    assert answer.returncode == 2
    assert list((shell.folder / "out").glob("*.gguf"))


LLAMA_3_2_1B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "attention_bias": False,
    "bos_token_id": 128000,
    "eos_token_id": 128001,
    "head_dim": 64,
    "hidden_act": "silu",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "num_attention_heads": 32,
    "num_hidden_layers": 16,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {
        "factor": 32.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vocab_size": 128256,
}
