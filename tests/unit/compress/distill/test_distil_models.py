"""Loading models to train and to listen to, against transformers' own forward pass; folders that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file
from tiny_models import write_tiny_model

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from edgeshrink.compress.distill.models import (  # noqa: E402
    decoder_layers,
    head_weight,
    hidden_states,
    load_frozen,
    load_model,
)
from edgeshrink.errors import DataError  # noqa: E402


@pytest.fixture(scope="module", params=["llama", "qwen3"])
def tiny(request: pytest.FixtureRequest, demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / request.param, demo_model, request.param)


@pytest.fixture
def tokens() -> Any:
    return torch.randint(4096, (2, 9), generator=torch.Generator().manual_seed(0))


def test_states_times_head_are_the_logits(tiny: Path, tokens: Any) -> None:
    whole = transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)(tokens).logits
    for model in (load_model(tiny), load_frozen(tiny, mixed=False)):
        states = hidden_states(model, tokens)
        assert states.shape == (2, 9, 64)
        torch.testing.assert_close(states @ head_weight(model).t(), whole)


def test_a_model_to_train_has_float32_gradients_everywhere_and_a_frozen_one_none(tiny: Path, tokens: Any) -> None:
    model, frozen = load_model(tiny), load_frozen(tiny)
    (hidden_states(model, tokens) @ head_weight(model).t()).logsumexp(-1).sum().backward()
    assert model.training
    assert all(one.dtype == one.grad.dtype == torch.float32 for one in model.parameters())
    assert not frozen.training
    assert not any(one.requires_grad for one in frozen.parameters())


def test_a_mixed_model_computes_what_autocast_does_from_half_the_bytes(tiny: Path, tokens: Any) -> None:
    mixed, exact = load_frozen(tiny, mixed=True), load_frozen(tiny, mixed=False)
    with torch.autocast("cpu", torch.bfloat16):
        wanted = hidden_states(exact, tokens)
    found = hidden_states(mixed, tokens)
    assert torch.equal(found, wanted)
    assert not torch.equal(found, hidden_states(exact, tokens))
    of_layers = [sum(one.nbytes for one in decoder_layers(model).parameters()) for model in (mixed, exact)]
    assert of_layers[0] < 0.51 * of_layers[1]
    assert head_weight(mixed).dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_hidden_layers": 3}, "has no model.layers.2.input_layernorm.weight, .* and 6 more"),
        ({"num_hidden_layers": 1}, "its config.json knows nothing of, model.layers.1"),
        ({"intermediate_size": 96}, "has another shape of model.layers.0.mlp.down_proj.weight"),
        ({"model_type": "nothing-known"}, "cannot be loaded"),
    ],
)
def test_weights_that_do_not_fit_the_configuration_are_refused(
    demo_model: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    folder = write_tiny_model(tmp_path / "model", demo_model)
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(DataError, match=words):
        load_model(folder)


def test_a_missing_tensor_is_not_filled_with_random_numbers(demo_model: Path, tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model", demo_model)
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(DataError, match=r"has no model\.layers\.1\.mlp\.up_proj\.weight"):
        load_model(folder)


def test_pickles_and_damaged_files_are_refused(demo_model: Path, tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model", demo_model)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="cannot be loaded"):
        load_model(folder)
    (folder / "model.safetensors").write_bytes(b"not a header")
    with pytest.raises(DataError, match="cannot be loaded"):
        load_model(folder)
