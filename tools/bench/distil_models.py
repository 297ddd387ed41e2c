"""Models and texts that distil_speed.py works on, and how a student is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.corpus.build import build_corpus
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.corpus.material import Material
from edgeshrink.compress.corpus.writing import CorpusWriter
from edgeshrink.compress.distill.objectives.logits import Logits
from edgeshrink.compress.prune.cutting import apply_cut
from edgeshrink.compress.training.objective import Batch, Frozen
from edgeshrink.core.shape import Cut
from edgeshrink.core.training import ObjectiveSettings

DEMO = Path(__file__).resolve().parents[2] / "edgeshrink" / "_demo"
_HELD_OUT_ROWS = 64


def random_llama(folder: Path, *, hidden: int, layers: int, vocabulary: int) -> tuple[Path, int]:
    """A Llama with tied embeddings and random weights; its folder and parameters."""
    torch.manual_seed(0)
    transformers.utils.logging.disable_progress_bar()
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3 // 32 * 32,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=hidden // 64,
        head_dim=32,
        max_position_embeddings=512,
        tie_word_embeddings=True,
    )
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return folder, sum(one.numel() for one in model.parameters())


def random_corpus(folder: Path, *, rows: int, length: int, vocabulary: int) -> Corpus:
    random = np.random.default_rng(0)
    with CorpusWriter(folder, length=length, vocab_size=vocabulary) as writer:
        writer.add("train", random.integers(3, vocabulary, rows * length).tolist())
        writer.add("held_out", random.integers(3, vocabulary, length).tolist())
        return writer.finish()


def text_corpus(books: Path, folder: Path, *, tokens: int, length: int) -> Corpus:
    """Of the books, cut by the demo model's tokenizer; a tenth of the documents is held out."""
    files = sorted(books.glob("*.txt"))
    return build_corpus(Material(tuple(files), DEMO, held_out=0.05), folder, length=length, limit_tokens=tokens)


def pruned_demo(folder: Path, *, keep: int) -> Path:
    """The demo model with the `keep` channels of each feed-forward whose columns of down_proj are longest."""
    facts = inspect_folder(DEMO, "demo")
    tensors = {tensor.name: tensor for tensor in facts.tensors}
    channels = []
    for layer in range(facts.n_layers):
        norms = np.linalg.norm(read_rows(tensors[f"model.layers.{layer}.mlp.down_proj.weight"]), axis=0)
        channels.append(tuple(int(channel) for channel in np.sort(np.argsort(-norms)[:keep])))
    layers, groups = tuple(range(facts.n_layers)), tuple(range(facts.n_kv_heads))
    cut = Cut(layers, tuple(channels), tuple(groups for _ in layers), tuple(range(facts.hidden_size)))
    apply_cut(facts, cut, folder)
    return folder


def held_out(student: Any, teacher: Any, corpus: Corpus) -> tuple[float, float]:
    """Mean forward KL from the teacher and cross-entropy of the text, nats a token."""
    objective = Logits(student.eval(), ObjectiveSettings(), Frozen(teacher), None)
    sums = np.zeros(3)
    for first in range(0, min(corpus.held_out_rows, _HELD_OUT_ROWS), 8):
        rows = np.arange(first, min(corpus.held_out_rows, first + 8))
        tokens, weights = corpus.batch(rows, "held_out")
        batch = Batch(torch.from_numpy(tokens).long(), torch.from_numpy(weights), torch.from_numpy(rows), 0)
        parts = objective.held_out(batch).parts
        sums += [float(parts["divergence"]), float(parts["cross-entropy"]), float(weights.sum())]
    return sums[0] / sums[2], sums[1] / sums[2]
