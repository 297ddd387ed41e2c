"""The importance matrix of a mixture of experts: each expert's own, from the tokens that were sent to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built_gguf import Built, build_gguf
from tiny_models import write_tiny_model

from edgeshrink.catalog.source_tokenizer import open_source_tokenizer
from edgeshrink.compress.imatrix import check_importance, collect_importance
from edgeshrink.compress.imatrix.formats import read_importance, write_importance
from edgeshrink.core.importance import Importance
from edgeshrink.errors import DataError

CHUNK, CHUNKS = 32, 3
TEXT = "A model of many experts sends each token to few of them. " * 12


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Built:
    folder = tmp_path_factory.mktemp("mixture")
    return build_gguf(write_tiny_model(folder / "model", demo_model, "qwen2_moe"), folder / "f32.gguf", "F32")


@pytest.fixture(scope="module")
def collected(mixture: Built) -> Importance:
    return collect_importance(mixture.path, TEXT, name="text", context=CHUNK, threads=1, max_chunks=CHUNKS)


def test_every_expert_has_the_mean_square_of_what_enters_it(mixture: Built, collected: Importance) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(mixture.facts.source.path, dtype=torch.float32).eval()
    experts, count = mixture.facts.experts, CHUNK * CHUNKS
    assert experts is not None
    sums: dict[str, Any] = {}
    tokens: dict[str, Any] = {}

    def listen(layer: int) -> Any:
        def hook(module: Any, inputs: tuple[Any, ...]) -> None:
            state, chosen, _ = (part.double() for part in inputs)
            for number in range(experts.count):
                rows = state[(chosen == number).any(-1)]
                gate, up = (rows @ module.gate_up_proj[number].double().T).chunk(2, -1)
                inner = torch.nn.functional.silu(gate) * up
                for part, entering in (("gate", rows), ("up", rows), ("down", inner)):
                    name = f"blk.{layer}.ffn_{part}_exps.weight"
                    sums.setdefault(name, np.zeros((experts.count, entering.shape[1])))
                    sums[name][number] += (entering * entering).sum(0).numpy()
                    tokens.setdefault(name, np.zeros(experts.count, np.int64))[number] += len(rows)

        return hook

    for layer, block in enumerate(model.model.layers):
        block.mlp.experts.register_forward_pre_hook(listen(layer))
    vocabulary = mixture.vocabulary
    ids = open_source_tokenizer(mixture.facts, vocabulary).frame(TEXT)
    with torch.no_grad():
        for start in range(0, count, CHUNK):
            first = [vocabulary.bos_id] if vocabulary.add_bos else [ids[start]]
            model(torch.tensor([[*first, *ids[start + 1 : start + CHUNK]]]))
    assert len(sums) == 6
    for name, expected in sums.items():
        assert collected.counts[name].tolist() == tokens[name].tolist()
        np.testing.assert_allclose(collected.sums[name], expected, rtol=1e-4, atol=1e-6)
    assert tokens["blk.0.ffn_up_exps.weight"].sum() == experts.used * count


def test_it_fits_its_model_and_comes_back_from_its_file(mixture: Built, collected: Importance, tmp_path: Path) -> None:
    reached = all((counts > 0).all() for counts in collected.counts.values())
    assert (check_importance(collected, mixture.tensors) == ()) is reached
    write_importance(tmp_path / "imatrix.gguf", collected)
    again = read_importance(tmp_path / "imatrix.gguf")
    for name, sums in collected.sums.items():
        assert again.sums[name].tobytes() == sums.tobytes()
        assert again.counts[name].tolist() == collected.counts[name].tolist()


def test_experts_that_no_token_went_to_are_told(mixture: Built, collected: Importance) -> None:
    counts = dict(collected.counts)
    name = "blk.1.ffn_down_exps.weight"
    others = {each: np.maximum(found, 1) for each, found in counts.items()}
    silenced = replace(collected, counts={**others, name: np.array([0, 0, 3, 1, 1, 1, 1, 0])})
    (note,) = check_importance(silenced, mixture.tensors)
    assert "3 of 16 experts" in note
    assert (silenced.values[name].reshape(8, -1)[[0, 1, 7]] == 1).all()


def test_the_matrix_of_fewer_experts_is_another_models(mixture: Built, collected: Importance) -> None:
    name = "blk.0.ffn_up_exps.weight"
    fewer = replace(collected, sums={**collected.sums, name: collected.sums[name][:4]})
    with pytest.raises(DataError, match="another model"):
        check_importance(fewer, mixture.tensors)
