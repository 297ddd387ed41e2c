"""Folders of cut mixtures, as transformers computes them, against the whole model with parts switched off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tiny_models import MIXTURES

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.distill.models import load_frozen
from edgeshrink.compress.prune.experts.cut import ExpertCut, expert_cut_json
from edgeshrink.compress.prune.experts.cut_module import cut_experts
from edgeshrink.compress.prune.experts.cutting import apply_expert_cut
from edgeshrink.compress.prune.experts.dropping import dropped, narrowed
from edgeshrink.compress.prune.experts.measure_job import job
from edgeshrink.compress.prune.experts.merging import merged
from edgeshrink.compress.prune.experts.scores import ExpertScores

TOKENS = torch.arange(40, 88).view(2, 24)


def logits_of(model: Any) -> Any:
    with torch.no_grad():
        return model(input_ids=TOKENS, use_cache=False).logits


@pytest.mark.parametrize("kind", MIXTURES)
def test_dropped_experts_are_those_that_a_router_never_asks(
    kind: str, mixtures: dict[str, Path], expert_scores: dict[str, ExpertScores], tmp_path: Path
) -> None:
    whole = load_frozen(mixtures[kind], mixed=False)
    cut = dropped(expert_scores[kind].norm, 5)
    apply_expert_cut(inspect_folder(mixtures[kind], kind), cut, tmp_path / "cut")
    for layer, kept in zip(whole.model.layers, cut.layers, strict=True):
        gone = torch.tensor([number for number in range(8) if all(number not in one.members for one in kept)])
        layer.mlp.gate.register_forward_hook(_without(layer.mlp.gate, gone))
    torch.testing.assert_close(logits_of(load_frozen(tmp_path / "cut", mixed=False)), logits_of(whole))


def _without(gate: Any, gone: torch.Tensor) -> Any:
    """The router's own arithmetic with some experts at minus infinity."""

    def again(module: Any, given: Any, out: Any) -> Any:
        logits = out[0].index_fill(1, gone, float("-inf"))
        weights, used = logits.float().softmax(-1).topk(module.top_k, dim=-1)
        if getattr(module, "norm_topk_prob", True):
            weights = weights / weights.sum(-1, keepdim=True)
        return logits, weights, used

    return again


@pytest.mark.parametrize("kind", MIXTURES)
def test_narrow_experts_are_those_whose_other_channels_say_nothing(
    kind: str, mixtures: dict[str, Path], expert_scores: dict[str, ExpertScores], tmp_path: Path
) -> None:
    whole = load_frozen(mixtures[kind], mixed=False)
    cut = narrowed(expert_scores[kind].channels, 32)
    apply_expert_cut(inspect_folder(mixtures[kind], kind), cut, tmp_path / "cut")
    facts = inspect_folder(tmp_path / "cut", "cut")
    assert facts.experts is not None and facts.experts.ffn == 32
    for layer, kept in zip(whole.model.layers, cut.layers, strict=True):
        for number, one in enumerate(kept):
            assert one.channels is not None
            silent = sorted(set(range(layer.mlp.experts.down_proj.shape[2])) - set(one.channels))
            layer.mlp.experts.down_proj.data[number][:, silent] = 0
    torch.testing.assert_close(logits_of(load_frozen(tmp_path / "cut", mixed=False)), logits_of(whole))


@pytest.mark.parametrize("kind", MIXTURES)
def test_in_memory_a_cut_is_what_the_folder_is_and_leaves_no_trace(
    kind: str, mixtures: dict[str, Path], expert_scores: dict[str, ExpertScores], tmp_path: Path
) -> None:
    scores = expert_scores[kind]
    cut = merged(scores.distances, scores.norm, scores.counts, 4)
    assert any(len(one.members) > 1 for one in cut.layers[0])
    apply_expert_cut(inspect_folder(mixtures[kind], kind), cut, tmp_path / "cut")
    model = load_frozen(mixtures[kind], mixed=False)
    before = logits_of(model)
    with cut_experts(model, cut):
        inside = logits_of(model)
    assert torch.equal(inside, logits_of(load_frozen(tmp_path / "cut", mixed=False)))
    assert torch.equal(before, logits_of(model))
    assert not torch.equal(before, inside)


def test_the_folder_says_what_it_holds_and_keeps_the_rest_bit_for_bit(
    mixtures: dict[str, Path], expert_scores: dict[str, ExpertScores], tmp_path: Path
) -> None:
    source = mixtures["qwen2_moe"]
    apply_expert_cut(inspect_folder(source, "whole"), dropped(expert_scores["qwen2_moe"].norm, 3), tmp_path / "cut")
    config = json.loads((tmp_path / "cut" / "config.json").read_text(encoding="utf-8"))
    assert (config["num_experts"], config["num_experts_per_tok"], config["moe_intermediate_size"]) == (3, 3, 64)
    old, new = load_file(source / "model.safetensors"), load_file(tmp_path / "cut" / "model.safetensors")
    same = [name for name in new if ".experts." not in name and ".mlp.gate." not in name]
    assert len(same) == sum(".experts." not in name and ".mlp.gate." not in name for name in old)
    assert all(np.array_equal(old[name], new[name]) for name in same)
    assert (tmp_path / "cut" / "tokenizer.json").is_file()


def test_measured_is_the_mean_divergence_of_each_cut(
    mixtures: dict[str, Path],
    expert_scores: dict[str, ExpertScores],
    expert_parameters: dict[str, Any],
    pruning_text: str,
    tmp_path: Path,
) -> None:
    whole = ExpertCut(dropped(expert_scores["mixtral"].norm, 8).layers)
    cuts = (whole, dropped(expert_scores["mixtral"].norm, 4))
    (tmp_path / "cuts.json").write_text(json.dumps([expert_cut_json(cut) for cut in cuts]), encoding="utf-8")
    (tmp_path / "text.txt").write_text(pruning_text, encoding="utf-8")
    parameters = {**expert_parameters, "model": str(mixtures["mixtral"]), "folder": str(tmp_path)}
    nothing, half = job(parameters, lambda _event: None)["kl"]  # type: ignore[misc]
    assert abs(nothing) < 1e-6
    model = load_frozen(mixtures["mixtral"], mixed=False)
    from edgeshrink.compress.prune.calibration_rows import calibration_rows

    rows = torch.from_numpy(
        calibration_rows(inspect_folder(mixtures["mixtral"], ""), pruning_text, tokens=128, length=32, seed=0)
    )
    with torch.no_grad():
        expected = model(input_ids=rows).logits.double().log_softmax(-1)
        with cut_experts(model, cuts[1]):
            found = model(input_ids=rows).logits.double().log_softmax(-1)
    assert half == pytest.approx(float((expected.exp() * (expected - found)).sum(-1).mean()), rel=1e-4)
