"""The keys that describe the model. That they are right is shown by logits (tests/contract/test_architectures.py)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelSource
from edgeshrink.planning.gguf_metadata import model_metadata, size_label


def test_the_keys_of_a_small_llama(stories: Path) -> None:
    keys = {
        entry.key: entry.value for entry in model_metadata(inspect_model(str(stories)), file_type=15, name="stories")
    }
    assert keys == {
        "general.architecture": "llama",
        "general.type": "model",
        "general.name": "stories",
        "general.size_label": "260K",
        "general.file_type": 15,
        "llama.vocab_size": 512,
        "llama.block_count": 5,
        "llama.context_length": 512,
        "llama.embedding_length": 64,
        "llama.feed_forward_length": 172,
        "llama.attention.head_count": 8,
        "llama.attention.head_count_kv": 4,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.attention.key_length": 8,
        "llama.attention.value_length": 8,
        "llama.rope.dimension_count": 8,
        "llama.rope.freq_base": 10000.0,
        "general.quantization_version": gguf.GGML_QUANT_VERSION,
    }


def test_every_key_is_one_that_the_gguf_package_knows(stories: Path) -> None:
    known = {
        value.replace("{arch}", "llama")
        for group in vars(gguf.Keys).values()
        if isinstance(group, type)
        for value in vars(group).values()
        if isinstance(value, str)
    }
    scaling = {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 128,
        "attention_factor": 1.1,
    }
    source = ModelSource("huggingface", stories, "x", hub_id="a/b", license="mit")
    facts = replace(inspect_model(str(stories)), rope_scaling=scaling, source=source)
    for entry in model_metadata(facts, file_type=0, name="x"):
        assert entry.key in known | {"general.source.huggingface.repository"}, entry.key


def test_the_length_of_the_header_does_not_depend_on_the_scheme(stories: Path) -> None:
    facts = inspect_model(str(stories))
    one, two = (model_metadata(facts, file_type=kind, name="x") for kind in (0, 38))
    assert [(entry.key, entry.type) for entry in one] == [(entry.key, entry.type) for entry in two]


def test_a_gguf_source_keeps_its_own_keys(stories: Path) -> None:
    own = (
        KeyValue("general.architecture", "string", "llama"),
        KeyValue("general.author", "string", "someone"),
        KeyValue("general.file_type", "uint32", 1),
        KeyValue("llama.context_length", "uint64", 77),
        KeyValue("tokenizer.ggml.model", "string", "llama"),
        KeyValue("split.count", "uint16", 1),
    )
    facts = replace(inspect_model(str(stories)), source=ModelSource("gguf", stories, "x"), metadata=own)
    assert model_metadata(facts, file_type=7, name="ignored") == (
        own[0],
        own[1],
        own[3],
        KeyValue("general.file_type", "uint32", 7),
        KeyValue("general.quantization_version", "uint32", 2),
    )


@pytest.mark.parametrize(
    "parameters", [260_032, 999_400, 4_500_000, 134_515_008, 596_049_920, 1_235_814_400, 70_553_706_496]
)
def test_size_labels_are_those_of_the_gguf_package(parameters: int) -> None:
    assert size_label(parameters) == gguf.size_label(parameters, 0, 0, 0)
