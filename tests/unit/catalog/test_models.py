"""What `inspect_model` finds out, and what it refuses at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgeshrink.catalog.models import inspect_model, source_digest_files
from edgeshrink.errors import DataError, Error, UnsupportedModel

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 32,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}


def folder_with(path: Path, **changes: Any) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    config = {key: value for key, value in {**CONFIG, **changes}.items() if value is not ...}
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


def two_shards(path: Path) -> Path:
    folder_with(path)
    parts = {"model-00001-of-00002.safetensors": "a", "model-00002-of-00002.safetensors": "b"}
    for file, name in parts.items():
        save_file({name: np.ones((3, 5), np.float32), f"{name}.half": np.ones(7, np.float16)}, path / file)
    weight_map = {key: file for file, name in parts.items() for key in (name, f"{name}.half")}
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    return path


def refusal(given: Path | str) -> Error:
    with pytest.raises(Error) as caught:
        inspect_model(str(given))
    return caught.value


def test_a_folder_tells_its_numbers(stories: Path) -> None:
    facts = inspect_model(str(stories))
    assert (facts.model_type, facts.n_layers, facts.hidden_size, facts.ffn_size) == ("llama", 5, 64, 172)
    assert (facts.n_heads, facts.n_kv_heads, facts.head_dim, facts.vocab_size) == (8, 4, 8, 512)
    assert (facts.context_length, facts.dtype, facts.tied_embeddings) == (512, "F32", True)
    assert facts.rope_scaling is None
    assert facts.source.kind == "huggingface"
    assert {file.name for file in facts.tokenizer_files} > {"tokenizer.json", "generation_config.json"}


def test_tensor_places_are_those_of_the_bytes(stories: Path) -> None:
    from safetensors.numpy import load_file

    expected = load_file(stories / "model.safetensors")
    tensors = inspect_model(str(stories)).tensors
    assert {tensor.name for tensor in tensors} == set(expected)
    raw = (stories / "model.safetensors").read_bytes()
    for tensor in tensors:
        values = np.frombuffer(raw[tensor.offset : tensor.offset + tensor.nbytes], np.float32).reshape(tensor.shape)
        assert np.array_equal(values, expected[tensor.name]), tensor.name


def test_shards_are_read_through_the_index(tmp_path: Path) -> None:
    facts = inspect_model(str(two_shards(tmp_path)))
    assert sorted(tensor.name for tensor in facts.tensors) == ["a", "a.half", "b", "b.half"]
    assert {tensor.file.name for tensor in facts.tensors if tensor.name.startswith("b")} == {
        "model-00002-of-00002.safetensors"
    }
    names = [file.name for file in source_digest_files(facts)]
    assert names == sorted(names)
    assert {"config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"} <= set(names)


def test_a_configuration_alone_is_enough_for_the_facts(tmp_path: Path) -> None:
    facts = inspect_model(str(folder_with(tmp_path)))
    assert not facts.has_weights
    assert facts.dtype == "BF16"
    assert facts.tokenizer_files == ()


def test_head_dim_is_explicit_or_a_share_of_the_hidden_size(tmp_path: Path) -> None:
    assert inspect_model(str(folder_with(tmp_path / "a"))).head_dim == 4
    assert inspect_model(str(folder_with(tmp_path / "b", head_dim=8))).head_dim == 8


def test_the_license_is_read_from_the_model_card(tmp_path: Path) -> None:
    (folder_with(tmp_path) / "README.md").write_text(
        "---\nlanguage: en\nlicense: apache-2.0\n---\n# x\n", encoding="utf-8"
    )
    facts = inspect_model(str(tmp_path))
    assert facts.source.license == "apache-2.0"
    assert tmp_path / "README.md" in source_digest_files(facts)


def test_a_snapshot_of_the_hub_cache_tells_its_commit(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    facts = inspect_model(str(folder_with(tmp_path / "models--a--b" / "snapshots" / commit)))
    assert facts.source.revision == commit


def test_torch_is_not_imported(stories: Path) -> None:
    code = (
        "import sys; from edgeshrink.catalog.models import inspect_model; "
        "from edgeshrink.planning.layout import layout; "
        f"layout(inspect_model({str(stories)!r})); sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, ("gpt2", "GPT2LMHeadModel")),
        ({"model_type": ...}, ("no model_type",)),
        ({"architectures": ["LlamaForSequenceClassification"]}, ("LlamaForSequenceClassification",)),
        ({"model_type": "mine", "auto_map": {"AutoModel": "modeling_mine.Mine"}}, ("mine", "never runs code")),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, ("quantized", "gptq", "4 bits")),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, ("awq",)),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, ("bitsandbytes", "4 bits")),
        ({"quantization_config": {"quant_method": "fp8"}}, ("fp8",)),
        ({"quantization": {"group_size": 64, "bits": 4}}, ("mlx", "4 bits")),
        ({"hidden_act": "gelu"}, ("hidden_act", "gelu", "silu")),
        ({"rope_scaling": {"rope_type": "longrope", "factor": 4.0}}, ("longrope", "yarn")),
        ({"rope_parameters": {"rope_type": "made-up"}}, ("made-up",)),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "beta_fast": 16}}, ("beta_fast", "16")),
        ({"partial_rotary_factor": 0.5}, ("partial_rotary_factor",)),
        ({"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "attention_bias": True}, ("attention_bias",)),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(
    changes: dict[str, Any], words: tuple[str, ...], tmp_path: Path
) -> None:
    error = refusal(folder_with(tmp_path, **changes))
    assert isinstance(error, UnsupportedModel)
    for word in (*words, "config.json"):
        assert word in error.message


def test_an_unsupported_architecture_lists_the_supported_ones(tmp_path: Path) -> None:
    error = refusal(folder_with(tmp_path, model_type="gpt2", architectures=["GPT2LMHeadModel"]))
    for name in ("llama", "mistral", "qwen2", "qwen3", "convert_hf_to_gguf"):
        assert name in error.hint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": "16"}, ("hidden_size", "'16'", "whole number")),
        ({"hidden_size": ...}, ("no hidden_size",)),
        ({"num_hidden_layers": 0}, ("num_hidden_layers", "above zero")),
        ({"num_key_value_heads": 3}, ("num_key_value_heads 3", "multiple")),
        ({"hidden_size": 18}, ("18", "multiple")),
        ({"head_dim": 5}, ("head_dim", "even")),
        ({"tie_word_embeddings": "yes"}, ("tie_word_embeddings", "true or false")),
        ({"torch_dtype": "float8_e4m3fn"}, ("dtype", "float8_e4m3fn", "bfloat16")),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, ("rope_parameters.low_freq_factor",)),
        ({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "head_dim": 8}, ("head_dim", "qwen2")),
    ],
)
def test_a_wrong_number_names_file_key_and_what_was_expected(
    changes: dict[str, Any], words: tuple[str, ...], tmp_path: Path
) -> None:
    error = refusal(folder_with(tmp_path, **changes))
    assert isinstance(error, DataError)
    for word in (*words, "config.json"):
        assert word in error.message


def test_malformed_json_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{\n "model_type": "llama",\n oops\n}', encoding="utf-8")
    error = refusal(tmp_path)
    assert "config.json, line 3" in error.message


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    (two_shards(tmp_path) / "model-00002-of-00002.safetensors").unlink()
    error = refusal(tmp_path)
    assert "model-00002-of-00002.safetensors" in error.message
    assert "1 of the 2" in error.message


def test_a_truncated_shard_is_named(tmp_path: Path) -> None:
    file = two_shards(tmp_path) / "model-00001-of-00002.safetensors"
    file.write_bytes(file.read_bytes()[:-6])
    error = refusal(tmp_path)
    assert file.name in error.message
    assert "cut short" in error.hint


def test_a_file_with_half_a_header_is_named(tmp_path: Path) -> None:
    file = two_shards(tmp_path) / "model-00001-of-00002.safetensors"
    file.write_bytes(file.read_bytes()[:20])
    assert file.name in refusal(tmp_path).message


def test_a_tensor_in_two_files_is_refused(tmp_path: Path) -> None:
    folder_with(tmp_path)
    for name in ("x.safetensors", "y.safetensors"):
        save_file({"a": np.ones(4, np.float32)}, tmp_path / name)
    error = refusal(tmp_path)
    assert "x.safetensors" in error.message and "y.safetensors" in error.message


def test_integer_weights_are_refused_by_name(tmp_path: Path) -> None:
    save_file({"layer.qweight": np.ones((4, 4), np.int32)}, folder_with(tmp_path) / "model.safetensors")
    error = refusal(tmp_path)
    assert isinstance(error, UnsupportedModel)
    assert "layer.qweight" in error.message and "I32" in error.message


def test_a_folder_of_pickles_is_never_opened(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (folder_with(tmp_path / "m") / "pytorch_model.bin").write_bytes(
        b"cos\nsystem\n(S'touch " + str(trap).encode() + b"'\ntR."
    )
    error = refusal(tmp_path / "m")
    assert isinstance(error, UnsupportedModel)
    assert "pytorch_model.bin" in error.message and "safetensors" in error.hint
    assert not trap.exists()


def test_a_git_lfs_pointer_is_recognised(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 99\n"
    (folder_with(tmp_path) / "model.safetensors").write_bytes(pointer)
    error = refusal(tmp_path)
    assert "Git LFS" in error.message and "git lfs pull" in error.hint


def test_an_index_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "../other.safetensors"}}
    (folder_with(tmp_path) / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert "outside its folder" in refusal(tmp_path).message


def test_a_folder_without_a_configuration_says_what_to_give(tmp_path: Path) -> None:
    assert "config.json" in refusal(tmp_path).message
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    assert "x.gguf" in refusal(tmp_path).hint


def test_a_file_of_a_folder_leads_to_the_folder(tmp_path: Path) -> None:
    assert str(tmp_path) in refusal(folder_with(tmp_path) / "config.json").hint


def test_a_path_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert "no model" in refusal(tmp_path / "nowhere").message


def test_code_of_a_supported_model_type_is_left_alone(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    folder = folder_with(tmp_path / "m", auto_map={"AutoModelForCausalLM": "modeling_x.X"})
    (folder / "modeling_x.py").write_text(f"open({str(trap)!r}, 'w')", encoding="utf-8")
    assert inspect_model(str(folder)).model_type == "llama"
    assert not trap.exists()


@pytest.mark.parametrize(
    ("changes", "noted"),
    [
        ({"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": 16}, True),
        ({"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": None}, False),
        ({"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": 64}, False),
        ({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "sliding_window": 16}, False),
        (
            {
                "model_type": "qwen2",
                "architectures": ["Qwen2ForCausalLM"],
                "sliding_window": 16,
                "use_sliding_window": True,
            },
            True,
        ),
    ],
)
def test_a_sliding_window_shorter_than_the_context_is_noted(
    changes: dict[str, Any], noted: bool, tmp_path: Path
) -> None:
    notes = inspect_model(str(folder_with(tmp_path, **changes))).notes
    assert any("16 tokens" in note and "ONNX keeps the window" in note for note in notes) is noted


def test_dynamic_rope_is_plain_up_to_the_models_length(tmp_path: Path) -> None:
    facts = inspect_model(str(folder_with(tmp_path, rope_scaling={"type": "dynamic", "factor": 2.0})))
    assert facts.rope_scaling is None
    assert "64" in facts.notes[0]
