"""A Hugging Face folder of MiniLM's shape with random weights and a real tokenizer.

Shape: nreimers/MiniLM-L6-H384 (6 layers, 384 wide, 12 heads, 1536 in the middle). The tokenizer is a small WordPiece
one, trained on the text that is given.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_minilm(
    folder: Path,
    text: Path,
    *,
    layers: int = 6,
    hidden: int = 384,
    heads: int = 12,
    middle: int = 1536,
    vocab: int = 4000,
    positions: int = 512,
    seed: int = 0,
    labels: tuple[str, ...] = (),
) -> Path:
    """Write the folder and return it. With `labels` it is a sequence classifier, without the bare encoder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=vocab, special_tokens=special, show_progress=False)
    tokenizer.train([str(text)], trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    settings: dict[str, Any] = {"tokenizer_class": "BertTokenizer", "model_max_length": positions}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=vocab,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=middle,
        max_position_embeddings=positions,
        **({"id2label": dict(enumerate(labels))} if labels else {}),
    )
    model = BertForSequenceClassification(config) if labels else BertModel(config)
    model.eval().save_pretrained(folder)
    return folder
