"""Every score against the same quantity worked out in float64 from transformers' own hidden states and weights."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.prune.calibration_rows import calibration_rows
from edgeshrink.compress.prune.interface import METHODS, STRUCTURED, method
from edgeshrink.compress.prune.scores import INPUTS, Scores, read_scores
from edgeshrink.core.events import Progress
from edgeshrink.errors import DataError, UsageError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def scores(score_parameters: dict[str, Any]) -> Scores:
    from edgeshrink.compress.prune.score_job import job

    job({**score_parameters, "methods": list(METHODS)}, lambda event: None)
    return read_scores(Path(score_parameters["folder"]))


@pytest.fixture(scope="module")
def rows(tiny_llama: Path, pruning_text: str) -> Any:
    facts = inspect_folder(tiny_llama, "tiny")
    return torch.from_numpy(calibration_rows(facts, pruning_text, tokens=256, length=32, seed=0))


@pytest.fixture(scope="module")
def model(tiny_llama: Path) -> Any:
    found = transformers.AutoModelForCausalLM.from_pretrained(
        tiny_llama, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    return found.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def inputs(model: Any, rows: Any) -> dict[str, Any]:
    """What enters and leaves the parts of the model in float64: "layer.part" -> (tokens, width)."""
    seen: dict[str, Any] = {}

    def keep(name: str) -> Any:
        def hook(_: Any, given: Any, said: Any) -> None:
            seen[f"{name} in"], seen[f"{name} out"] = given[0].flatten(0, -2), said.flatten(0, -2)

        return hook

    handles = []
    for number, layer in enumerate(model.model.layers):
        for part in ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj"):
            handles.append(layer.get_submodule(part).register_forward_hook(keep(f"{number}.{part}")))
        for part in ("input_layernorm", "post_attention_layernorm"):
            handles.append(layer.get_submodule(part).register_forward_hook(keep(f"{number}.{part}")))
    handles.append(model.model.norm.register_forward_hook(keep("norm")))
    said = model(rows, output_hidden_states=True)
    for handle in handles:
        handle.remove()
    seen["logits"] = said.logits.flatten(0, 1)
    return seen


def test_block_influence_is_one_minus_the_mean_cosine(scores: Scores, inputs: dict[str, Any]) -> None:
    ways = ["0.input_layernorm in", "1.input_layernorm in", "norm in"]
    expected = []
    for before, after in pairwise(ways):
        a, b = inputs[before], inputs[after]
        expected.append(1 - ((a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))).mean().item())
    np.testing.assert_allclose(scores.layers, expected, rtol=1e-5)


def test_a_channel_counts_by_what_it_adds(scores: Scores, inputs: dict[str, Any], model: Any) -> None:
    assert scores.ffn is not None
    for number, layer in enumerate(model.model.layers):
        entered, weight = inputs[f"{number}.mlp.down_proj in"], layer.mlp.down_proj.weight
        for channel in (0, 17, 127):
            added = entered[:, channel, None] * weight[:, channel]
            assert scores.ffn[number, channel] == pytest.approx(added.square().sum(-1).mean().sqrt().item(), rel=1e-5)


def test_a_group_counts_by_what_its_heads_add_together(scores: Scores, inputs: dict[str, Any], model: Any) -> None:
    assert scores.groups is not None and scores.groups.shape == (2, 2)
    for number, layer in enumerate(model.model.layers):
        entered = inputs[f"{number}.self_attn.o_proj in"]
        for group in range(2):
            alone = torch.zeros_like(entered)
            alone[:, group * 32 : group * 32 + 32] = entered[:, group * 32 : group * 32 + 32]
            added = layer.self_attn.o_proj(alone)
            assert scores.groups[number, group] == pytest.approx(added.square().sum(-1).mean().sqrt().item(), rel=1e-5)


def test_a_hidden_channel_counts_by_its_size_behind_the_norms(scores: Scores, inputs: dict[str, Any]) -> None:
    norms = [f"{n}.{part}" for n in range(2) for part in ("input_layernorm", "post_attention_layernorm")] + ["norm"]
    expected = sum(inputs[f"{norm} out"].abs().mean(0) for norm in norms)
    np.testing.assert_allclose(scores.hidden, expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_are_root_mean_squares(name: str, scores: Scores, inputs: dict[str, Any]) -> None:
    part = {"qkv": "self_attn.q_proj", "o": "self_attn.o_proj", "mlp": "mlp.up_proj", "down": "mlp.down_proj"}[name]
    for number in range(2):
        expected = inputs[f"{number}.{part} in"].square().mean(0).sqrt()
        np.testing.assert_allclose(scores.inputs[name][number], expected.numpy(), rtol=1e-5)


def test_depth_by_measurement_takes_the_least_missed_layer(
    scores: Scores, model: Any, rows: Any, inputs: dict[str, Any]
) -> None:
    few = rows[: 128 // 32]
    whole = inputs["logits"][: few.numel()].log_softmax(-1)
    measured = []
    for gone in range(2):
        layer = model.model.layers[gone]
        silent = {part: layer.get_submodule(part).weight for part in ("self_attn.o_proj", "mlp.down_proj")}
        kept = {part: weight.clone() for part, weight in silent.items()}
        for weight in silent.values():
            weight.zero_()
        without = model(few).logits.flatten(0, 1).log_softmax(-1)
        for part, weight in silent.items():
            weight.copy_(kept[part])
        measured.append((whole.exp() * (whole - without)).sum(-1).mean().item())
    assert scores.order == (int(np.argmin(measured)),)
    assert scores.order_kl == pytest.approx((min(measured),), rel=1e-4)


def test_only_what_was_asked_is_scored(score_parameters: dict[str, Any], tmp_path: Path) -> None:
    from edgeshrink.compress.prune.score_job import job

    job({**score_parameters, "folder": str(tmp_path), "methods": ["ffn"]}, lambda event: None)
    found = read_scores(tmp_path)
    assert found.methods == ("ffn",) and found.ffn is not None and found.tokens == 256
    assert found.layers is None and found.groups is None and found.hidden is None
    assert not found.order and not found.inputs


def test_hooks_are_gone_even_after_a_failure(model: Any) -> None:
    from edgeshrink.compress.prune.input_norms import InputNorms

    def hooks() -> int:
        return sum(len(module._forward_pre_hooks) for module in model.modules())

    with pytest.raises(KeyError), InputNorms(model):
        assert hooks() == 8
        raise KeyError
    assert hooks() == 0


def test_a_killed_depth_measurement_goes_on_where_it_was(
    score_parameters: dict[str, Any], demo_model: Path, tmp_path: Path
) -> None:
    from edgeshrink.compress.prune.score_job import PARTIAL, job

    asked = {**score_parameters, "model": str(demo_model), "folder": str(tmp_path), "methods": ["measured-kl"]}
    asked |= {"removals": 2, "depth_tokens": 64}

    def killed(event: dict[str, object]) -> None:
        if event.get("done") == 7:  # five candidates for the first removal, two for the second
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job(asked, killed)
    assert (tmp_path / PARTIAL).is_file()
    done: list[object] = []
    job(asked, lambda event: done.append(event.get("done")))
    assert [step for step in done if step is not None] == [6, 7, 8, 9]
    resumed = read_scores(tmp_path)
    assert not (tmp_path / PARTIAL).exists()

    (tmp_path / "again").mkdir()
    job({**asked, "folder": str(tmp_path / "again")}, lambda event: None)
    assert read_scores(tmp_path / "again") == resumed
    assert len(resumed.order) == 2 and resumed.order_kl[0] < resumed.order_kl[1]


def test_the_same_seed_scores_the_same_rows(tiny_llama: Path, pruning_text: str) -> None:
    facts = inspect_folder(tiny_llama, "tiny")
    first, again, other = (
        calibration_rows(facts, pruning_text, tokens=256, length=32, seed=seed) for seed in (0, 0, 1)
    )
    assert first.shape == (8, 32)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_short_text_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(DataError, match="fewer than 2 rows"):
        calibration_rows(inspect_folder(tiny_llama, "tiny"), "Once.", tokens=256, length=32, seed=0)


def test_an_unknown_method_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="'lottery'") as refused:
        method("lottery")
    assert all(name in refused.value.hint for name in METHODS)


def test_a_folder_of_something_else_is_no_scores(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"schema": "mine"}', encoding="utf-8")
    with pytest.raises(DataError, match="'mine'"):
        read_scores(tmp_path)


def test_a_child_scores_and_tells_how_far_it_is(tiny_llama: Path, pruning_text: str, tmp_path: Path) -> None:
    from edgeshrink.compress.prune.scoring import score

    told: list[Progress] = []
    found = score(
        tiny_llama, pruning_text, tmp_path, methods=STRUCTURED, tokens=256, length=32, threads=1, listener=told.append
    )
    assert found.layers is not None and len(found.order) == 1
    assert any(progress.unit == "tokens" and progress.done == progress.total == 256 for progress in told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.json", "scores.safetensors"]
