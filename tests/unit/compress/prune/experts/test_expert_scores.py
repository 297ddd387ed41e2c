"""Scores of experts against dense formulas: every expert on every token, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_models import MIXTURES
from torch import Tensor

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.distill.models import load_frozen
from edgeshrink.compress.prune.calibration_rows import calibration_rows
from edgeshrink.compress.prune.experts.score_job import observed
from edgeshrink.compress.prune.experts.scores import ARRAYS_FILE, FACTS_FILE, ExpertScores, read_expert_scores
from edgeshrink.errors import DataError, UsageError


@dataclass
class Dense:
    """One layer computed densely: `gates` (tokens, experts) 0 where not chosen, `channels` (experts, tokens, ffn),
    `outputs` (experts, tokens, hidden), `effects` (tokens, experts) what the loss would change to first order."""

    gates: NDArray[np.float64]
    channels: NDArray[np.float64]
    outputs: NDArray[np.float64]
    effects: NDArray[np.float64]


def dense(folder: Path, rows: Tensor) -> tuple[list[Dense], Any]:
    """By swapping every layer's experts for a dense sum whose every term has a factor of its own."""
    model = load_frozen(folder, mixed=False).double()
    kept: list[dict[str, Tensor]] = []

    def dense_experts(module: Any) -> Any:
        def forward(hidden: Tensor, used: Tensor, weights: Tensor) -> Tensor:
            count, _, ffn = module.down_proj.shape
            gates = torch.zeros(len(hidden), count, dtype=torch.float64).scatter(1, used, weights.double())
            gate, up = (hidden @ module.gate_up_proj.transpose(1, 2)).split(ffn, dim=-1)
            channels = torch.nn.functional.silu(gate) * up
            outputs = channels @ module.down_proj.transpose(1, 2)
            factors = torch.ones_like(gates, requires_grad=True)
            kept.append({"gates": gates, "channels": channels, "outputs": outputs, "factors": factors})
            return torch.einsum("te,eth->th", gates * factors, outputs)

        return forward

    for layer in model.model.layers:
        layer.mlp.experts.forward = dense_experts(layer.mlp.experts)
    logits = model(input_ids=rows, use_cache=False).logits[:, :-1]
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="sum").backward()
    return [
        Dense(
            one["gates"].detach().numpy(),
            one["channels"].detach().numpy(),
            one["outputs"].detach().numpy(),
            one["factors"].grad.numpy(),  # type: ignore[union-attr]
        )
        for one in kept
    ], model


@pytest.mark.parametrize("kind", MIXTURES)
def test_every_score_is_that_of_the_dense_formulas(
    kind: str, mixtures: dict[str, Path], expert_scores: dict[str, ExpertScores], pruning_text: str
) -> None:
    facts = inspect_folder(mixtures[kind], kind)
    rows = calibration_rows(facts, pruning_text, tokens=128, length=32, seed=0)
    layers, model = dense(mixtures[kind], torch.from_numpy(rows))
    scores, tokens = expert_scores[kind], rows.size
    assert scores.tokens == tokens
    for number, layer in enumerate(layers):
        chosen = layer.gates > 0
        counts = chosen.sum(0)
        norms = np.linalg.norm(layer.outputs, axis=2).T
        np.testing.assert_array_equal(scores.counts[number], counts)
        np.testing.assert_allclose(scores.weights[number], layer.gates.sum(0), rtol=1e-5)
        expected = (layer.gates * norms).sum(0) / np.maximum(counts, 1)
        np.testing.assert_allclose(scores.norm[number], expected, rtol=1e-4)
        np.testing.assert_allclose(scores.attribution[number], np.abs(layer.effects).mean(0), rtol=2e-3, atol=1e-9)
        shares = layer.gates / layer.gates.sum(1, keepdims=True)
        np.testing.assert_allclose(scores.sharpness[number], (shares**2).sum(1).mean(), rtol=1e-5)
        down = model.model.layers[number].mlp.experts.down_proj.detach().numpy()
        weighted = layer.gates.T[:, :, None] * layer.channels
        expected = np.sqrt((weighted**2).mean(1)) * np.linalg.norm(down, axis=1)
        np.testing.assert_allclose(scores.channels[number], expected, rtol=1e-4, atol=1e-9)
        seen = layer.outputs[:, ::8]
        apart = ((seen[:, None] - seen[None]) ** 2).sum(3).mean(2)
        np.testing.assert_allclose(scores.distances[number], np.sqrt(apart), rtol=1e-2, atol=2e-2)
        router = model.model.layers[number].mlp.gate.weight.detach().numpy()
        np.testing.assert_allclose(scores.router[number], np.linalg.norm(router, axis=1), rtol=1e-5)


def test_hooks_come_off_and_no_parameter_gets_a_gradient(mixtures: dict[str, Path]) -> None:
    model = load_frozen(mixtures["mixtral"], mixed=False)
    rows = torch.arange(64).view(2, 32)
    observed(model, rows, lambda *_: None)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(layer.mlp.experts._forward_hooks for layer in model.model.layers)
    assert not model(input_ids=rows).logits.requires_grad


def test_usage_is_the_share_of_the_choices(expert_scores: dict[str, ExpertScores]) -> None:
    scores = expert_scores["qwen2_moe"]
    usage = scores.usage
    assert usage.used == 3
    for counts, layer in zip(scores.counts, usage.layers, strict=True):
        assert sum(layer.shares) == pytest.approx(1)
        shares = counts / counts.sum()
        expected = -(shares[shares > 0] * np.log(shares[shares > 0])).sum() / np.log(8)
        assert layer.entropy == pytest.approx(expected)
        assert 1 / 3 <= layer.sharpness <= 1


def test_an_unknown_ranking_is_refused_with_the_names_there_are(expert_scores: dict[str, ExpertScores]) -> None:
    with pytest.raises(UsageError, match="'luck'") as refused:
        expert_scores["mixtral"].ranking("luck")
    assert "activation-norm" in (refused.value.hint or "")


def test_scores_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    (tmp_path / FACTS_FILE).write_text('{"schema": "edgeshrink-expert-scores-1"}', encoding="utf-8")
    with pytest.raises(DataError, match=ARRAYS_FILE):
        read_expert_scores(tmp_path)
    (tmp_path / FACTS_FILE).write_text('{"schema": "another"}', encoding="utf-8")
    with pytest.raises(DataError, match="another"):
        read_expert_scores(tmp_path)
