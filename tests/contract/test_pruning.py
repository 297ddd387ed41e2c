"""Every way to prune, on every architecture: the smaller folder computes what the larger model computes with those
parts silenced, opens in the catalog, and becomes a GGUF that computes the same."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.models import inspect_model
from edgeshrink.compress.prune.cutting import apply_cut
from edgeshrink.compress.prune.interface import STRUCTURED, UNSTRUCTURED
from edgeshrink.compress.prune.scores import Scores, read_scores
from edgeshrink.compress.prune.selecting import cut_of
from edgeshrink.compress.prune.sparsifying import sparsify
from edgeshrink.core.events import silent
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.shape import Cut, Shape
from edgeshrink.errors import PlanError
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.planning.layout import check_source, computed_tensors, layout, parameter_count
from edgeshrink.runtimes.llama_cpp import load

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
load_file = pytest.importorskip("safetensors.torch").load_file

WINDOW = 16
KINDS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
    "llama tied": {"model_type": "llama", "tie_word_embeddings": True, "head_dim": 32},
    "mistral": {"model_type": "mistral", "sliding_window": None},
    "qwen2": {"model_type": "qwen2", "tie_word_embeddings": True},
    "qwen3": {"model_type": "qwen3", "head_dim": 32},
    "qwen3 with a window": {
        "model_type": "qwen3",
        "head_dim": 16,
        "use_sliding_window": True,
        "sliding_window": WINDOW,
        "max_window_layers": 2,
    },
}
LAYERS, HIDDEN, FFN, HEADS, GROUPS = 4, 64, 96, 4, 2
IDS = [int(number) for number in np.random.default_rng(5).integers(3, 4096, 48)]
TEXT = "".join(
    f"The miller of house {n} had {n % 7} sons, and the {n * n % 91}th of them went to sea. " for n in range(90)
)


@dataclass(frozen=True)
class Scored:
    """A random model, as transformers loads it, what it says, and its scores."""

    folder: Path
    model: Any
    said: Any
    scores: Scores

    @property
    def shape(self) -> Shape:
        return Shape.of(inspect_folder(self.folder, "tiny"))


def loaded(folder: Path) -> Any:
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    return model.eval().requires_grad_(False).double()


def logits(model: Any) -> Any:
    return model(torch.tensor([IDS])).logits[0].numpy()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=KINDS)
def scored(request: pytest.FixtureRequest, demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    from edgeshrink.compress.prune.score_job import job

    base = tmp_path_factory.mktemp("pruning")
    folder = base / "model"
    config = transformers.AutoConfig.for_model(
        **{
            "vocab_size": 4096,
            "hidden_size": HIDDEN,
            "intermediate_size": FFN,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": GROUPS,
            "head_dim": 16,
            "max_position_embeddings": 128,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
            **KINDS[request.param],
        }
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            values = torch.randn(weights.shape, generator=generator)
            weights.copy_(1 + 0.3 * values if name.endswith("norm.weight") else 0.12 * values)
    model.to(torch.bfloat16).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copyfile(demo_model / name, folder / name)
    (folder / "LICENSE").write_text("yours", encoding="utf-8")
    (base / "text").write_text(TEXT, encoding="utf-8")
    parameters = {
        "model": str(folder),
        "folder": str(base),
        "text": str(base / "text"),
        "text_sha256": "",
        "methods": [*STRUCTURED, *UNSTRUCTURED],
        "tokens": 512,
        "depth_tokens": 256,
        "length": 64,
        "removals": None,
        "threads": 1,
        "seed": 0,
    }
    job(parameters, lambda event: None)
    whole = loaded(folder)
    return Scored(folder, whole, logits(whole), read_scores(base))


def without_layers(model: Any, cut: Cut) -> None:
    class Nothing(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, hidden_states: Any, *_: Any, **__: Any) -> Any:
            return hidden_states

    for layer in set(range(LAYERS)) - set(cut.layers):
        model.model.layers[layer] = Nothing()


def without_channels(model: Any, cut: Cut) -> None:
    for layer, kept in zip(model.model.layers, cut.ffn, strict=True):
        gone = sorted(set(range(FFN)) - set(kept))
        layer.mlp.down_proj.weight[:, gone] = 0


def without_groups(model: Any, cut: Cut) -> None:
    width = model.config.head_dim * HEADS // GROUPS if hasattr(model.config, "head_dim") else HIDDEN // GROUPS
    for layer, kept in zip(model.model.layers, cut.groups, strict=True):
        for group in set(range(GROUPS)) - set(kept):
            layer.self_attn.o_proj.weight[:, group * width : (group + 1) * width] = 0


def without_hidden(model: Any, cut: Cut) -> None:
    """Nothing writes those channels; the norms' mean over fewer channels is one over all, scaled."""
    gone = sorted(set(range(HIDDEN)) - set(cut.hidden))
    share = len(cut.hidden) / HIDDEN
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone(), requires_grad=False)
    model.model.embed_tokens.weight[:, gone] = 0
    for layer in model.model.layers:
        for writer in (layer.self_attn.o_proj, layer.mlp.down_proj):
            writer.weight[gone] = 0
            if writer.bias is not None:
                writer.bias[gone] = 0
        for norm in (layer.input_layernorm, layer.post_attention_layernorm):
            _narrowed(norm, share)
    _narrowed(model.model.norm, share)


def _narrowed(norm: Any, share: float) -> None:
    norm.weight.mul_(share**0.5)
    norm.variance_epsilon *= share


SMALLER: dict[str, tuple[dict[str, int], Callable[[Any, Cut], None]]] = {
    "block-influence": ({"layers": 2}, without_layers),
    "measured-kl": ({"layers": 2}, without_layers),
    "ffn": ({"ffn": 32}, without_channels),
    "heads": ({"heads": 2, "kv_heads": 1}, without_groups),
    "hidden": ({"hidden": 48}, without_hidden),
}


def test_every_structured_method_is_tried_here() -> None:
    assert set(SMALLER) == set(STRUCTURED)


def cut_folder(scored: Scored, name: str, out: Path) -> Cut:
    sizes = {**{field: getattr(scored.shape, field) for field in Shape.__slots__}, **SMALLER[name][0]}
    depth = "measured-kl" if name == "measured-kl" else "block-influence"
    cut = cut_of(scored.scores, Shape(**sizes), scored.shape, depth)
    apply_cut(inspect_folder(scored.folder, "tiny"), cut, out)
    return cut


@pytest.mark.parametrize("name", STRUCTURED)
def test_a_cut_model_is_the_whole_one_with_those_parts_silent(scored: Scored, name: str, tmp_path: Path) -> None:
    facts = inspect_folder(scored.folder, "tiny")
    if facts.model_type == "qwen2" and name in {"heads", "hidden"}:
        with pytest.raises(PlanError, match=r"heads \* head_dim only"):
            cut_folder(scored, name, tmp_path / "cut")
        return
    cut = cut_folder(scored, name, tmp_path / "cut")
    silenced = copy.deepcopy(scored.model)
    SMALLER[name][1](silenced, cut)
    expected = logits(silenced)
    found = logits(loaded(tmp_path / "cut"))
    assert np.abs(expected - scored.said).max() > 0.1  # the parts did matter
    np.testing.assert_allclose(found, expected, atol=1e-5)

    smaller = inspect_folder(tmp_path / "cut", "cut")
    assert Shape.of(smaller) == cut.shape(scored.shape)
    assert smaller.dtype == "BF16" and smaller.head_dim == facts.head_dim
    check_source(smaller, layout(smaller))
    assert parameter_count(smaller) < parameter_count(facts)


def test_all_at_once_becomes_a_gguf_that_computes_the_same(scored: Scored, tmp_path: Path) -> None:
    before = scored.shape
    hidden = before.head_dim * 2 if inspect_folder(scored.folder, "tiny").model_type == "qwen2" else 48
    shape = Shape(3, hidden, 64, 2, 1, before.head_dim, before.vocab)
    cut = cut_of(scored.scores, shape, before)
    apply_cut(inspect_folder(scored.folder, "tiny"), cut, tmp_path / "cut")
    facts = inspect_model(str(tmp_path / "cut"))
    tensors = tuple(type(plan)(**{**_fields(plan), "type": "F32"}) for plan in layout(facts))
    metadata = (*model_metadata(facts, file_type=0, name="tiny"), KeyValue("tokenizer.ggml.model", "string", "none"))
    source = {tensor.name: tensor for tensor in facts.tensors}
    file = tmp_path / "cut.gguf"
    computed = computed_tensors(facts)
    write_gguf(file, metadata, tensors, source, importance=None, threads=1, listener=silent, computed=computed)
    with load(file, context=64, threads=1, exact=True) as session:
        found = session.logits(IDS)
    expected = logits(loaded(tmp_path / "cut"))
    assert np.abs(expected).max() > 0.5
    same = slice(WINDOW)  # llama.cpp knows no window in Qwen3
    np.testing.assert_allclose(found[same], expected[same], atol=2e-3)


def _fields(plan: Any) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__slots__}


@pytest.mark.parametrize("name", UNSTRUCTURED)
def test_zeros_are_where_they_were_asked_for_and_nowhere_else(scored: Scored, name: Any, tmp_path: Path) -> None:
    facts = inspect_folder(scored.folder, "tiny")
    told = sparsify(facts, tmp_path / "sparse", method=name, zeros=0.5, scores=scored.scores)
    before, after = (load_file(folder / "model.safetensors") for folder in (scored.folder, tmp_path / "sparse"))
    assert before.keys() == after.keys()
    zeros = 0
    for tensor, weights in after.items():
        kept = weights != 0
        assert torch.equal(weights[kept], before[tensor][kept])
        if "_proj.weight" in tensor:
            assert abs(1 - kept.double().mean().item() - 0.5) < 0.01
            zeros += int((~kept).sum())
        else:
            assert torch.equal(weights, before[tensor])
    assert told.zeros == pytest.approx(zeros / parameter_count(facts))


def test_what_belongs_to_the_model_goes_with_it(scored: Scored, tmp_path: Path) -> None:
    cut_folder(scored, "ffn", tmp_path / "cut")
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "LICENSE"):
        assert (tmp_path / "cut" / name).read_bytes() == (scored.folder / name).read_bytes()
    config = json.loads((tmp_path / "cut" / "config.json").read_text(encoding="utf-8"))
    source = json.loads((scored.folder / "config.json").read_text(encoding="utf-8"))
    changed = {key for key in config if config[key] != source.get(key)}
    assert changed - {"max_window_layers"} == {"intermediate_size"} | ({"head_dim"} - set(source))
