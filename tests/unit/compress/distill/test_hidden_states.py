"""What is heard of a running model, and how far its states are from another's."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch_decoders import DECODERS, VOCABULARY, decoder  # noqa: E402

from edgeshrink.compress.distill.representations.capture import capture  # noqa: E402
from edgeshrink.compress.distill.representations.states import fitted_projection, state_distance  # noqa: E402


def _hooks(model: Any) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


@pytest.fixture(scope="module")
def tokens() -> Any:
    return torch.randint(0, VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", DECODERS)
def test_states_are_what_layers_hand_on(kind: str, tokens: Any) -> None:
    model = decoder(kind, num_hidden_layers=3).eval()
    with torch.no_grad():
        with capture(model, (0, 2)) as captured:
            model.model(tokens)
        told = model.model(tokens, output_hidden_states=True)
        assert set(captured.states) == {0, 2}
        assert torch.equal(captured.states[0], told.hidden_states[1])
        assert torch.equal(model.model.norm(captured.states[2]), told.last_hidden_state)


@pytest.mark.parametrize("kind", DECODERS)
def test_queries_keys_and_values_are_what_the_layer_attends_with(kind: str, tokens: Any) -> None:
    model = decoder(kind).eval()
    block = model.model.layers[1]
    with torch.no_grad(), capture(model, (0,), (1,)) as captured:
        model.model(tokens)
        inputs = block.input_layernorm(captured.states[0])
        for part, heard in (("q", captured.queries), ("k", captured.keys), ("v", captured.values)):
            made = inputs @ getattr(block.self_attn, f"{part}_proj").weight.T
            if kind == "qwen2":
                made = made + getattr(block.self_attn, f"{part}_proj").bias
            if kind == "qwen3" and part != "v":
                heads = made.view(2, 9, -1, 8)
                norm = getattr(block.self_attn, f"{part}_norm")
                made = (
                    heads * (heads.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon).rsqrt() * norm.weight
                ).flatten(2)
            assert torch.allclose(heard[1], made, atol=1e-5)


def test_hooks_come_off_even_when_the_model_fails(tokens: Any) -> None:
    model = decoder("llama")
    with pytest.raises(IndexError), capture(model, (0, 1), (1,)):
        assert _hooks(model) == 5
        model.model(tokens + VOCABULARY)
    with pytest.raises(IndexError), capture(model, (0, 7)):
        raise AssertionError("layer 7 is not there")
    assert _hooks(model) == 0


def test_the_distance_is_half_the_squared_difference_after_a_norm(tokens: Any) -> None:
    generator = torch.Generator().manual_seed(2)
    ours, theirs = (torch.randn(2, 5, 16, generator=generator, dtype=torch.float64) for _ in range(2))
    weights = torch.rand(2, 5, generator=generator, dtype=torch.float64)
    ours[0, 0] *= 100  # a size of its own is no distance
    squared = (
        (torch.nn.functional.rms_norm(ours, (16,)) - torch.nn.functional.rms_norm(theirs, (16,))).square().mean(-1)
    )
    assert torch.allclose(state_distance(ours, theirs, weights), (weights * squared / 2).sum(), rtol=1e-9)


def test_the_fitted_projection_finds_the_channels_that_were_kept() -> None:
    teacher, student = decoder("llama"), decoder("llama", hidden_size=24)
    kept = torch.tensor(sorted(torch.randperm(32, generator=torch.Generator().manual_seed(3))[:24].tolist()))
    with torch.no_grad():
        student.model.embed_tokens.weight.copy_(teacher.model.embed_tokens.weight[:, kept])
    weight = fitted_projection(student, teacher).weight.detach()
    assert weight.shape == (32, 24)
    assert torch.allclose(weight[kept], torch.eye(24), atol=1e-4)


def test_the_fitted_projection_is_the_least_squares_one() -> None:
    teacher, student = decoder("llama", seed=4), decoder("llama", seed=5, hidden_size=24, vocab_size=VOCABULARY + 3)
    ours, theirs = student.model.embed_tokens.weight.detach(), teacher.model.embed_tokens.weight.detach()
    wanted = torch.linalg.lstsq(ours[:VOCABULARY].double(), theirs.double()).solution.T
    assert torch.allclose(fitted_projection(student, teacher).weight.detach().double(), wanted, atol=1e-4)
