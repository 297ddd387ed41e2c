"""GGUF files with random weights: real work for the runtime where no model is needed (calibration, tests)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.quant_types import quant_type

_HEAD_DIM = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama-architecture decoder. `width` is a multiple of 64 (of 256 for K-quants), `ffn` likewise.

    `vocabulary` False writes no tokenizer (`vocab` ids, no text); True one where each byte is a token (`vocab` >= 259).
    """

    layers: int = 2
    width: int = 64
    ffn: int = 128
    vocab: int = 320
    context: int = 512
    type: str = "F16"
    vocabulary: bool = False

    @property
    def heads(self) -> int:
        return self.width // _HEAD_DIM

    @property
    def kv_heads(self) -> int:
        return max(1, self.heads // 4) if self.heads % 4 == 0 else 1

    @property
    def matrices(self) -> tuple[tuple[str, tuple[int, int]], ...]:
        """Name and (rows, row) of every weight matrix; the embeddings are also the output."""
        kv = self.kv_heads * _HEAD_DIM
        layer = (
            ("attn_q", (self.width, self.width)),
            ("attn_k", (kv, self.width)),
            ("attn_v", (kv, self.width)),
            ("attn_output", (self.width, self.width)),
            ("ffn_gate", (self.ffn, self.width)),
            ("ffn_up", (self.ffn, self.width)),
            ("ffn_down", (self.width, self.ffn)),
        )
        blocks = ((f"blk.{i}.{name}.weight", shape) for i in range(self.layers) for name, shape in layer)
        return (("token_embd.weight", (self.vocab, self.width)), *blocks)

    @property
    def parameters(self) -> int:
        """Weights in the matrices."""
        return sum(rows * row for _, (rows, row) in self.matrices)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the matrices: a decode step reads each of them once."""
        kind = quant_type(self.type)
        return sum(rows * kind.row_bytes(row) for _, (rows, row) in self.matrices)


def write_random_gguf(path: Path, shape: Shape, *, seed: int = 0) -> None:
    """Write `shape` to `path`, a matrix at a time (bounded memory), durable when it returns. OSError passes through."""
    import gguf

    random = np.random.default_rng(seed)
    temporary = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(temporary, "llama", use_temp_file=False)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_HEAD_DIM)
    writer.add_vocab_size(shape.vocab)
    _add_tokenizer(writer, shape)
    kind = quant_type(shape.type)
    raw = gguf.GGMLQuantizationType(kind.ggml_id)
    norms = ["output_norm.weight"]
    norms += [f"blk.{i}.{name}.weight" for i in range(shape.layers) for name in ("attn_norm", "ffn_norm")]
    for name, (rows, row) in shape.matrices:
        row_bytes = kind.row_bytes(row)
        writer.add_tensor_info(name, (rows, row_bytes), np.dtype(np.uint8), rows * row_bytes, raw_dtype=raw)
    for name in norms:
        writer.add_tensor_info(name, (shape.width,), np.dtype(np.float32), 4 * shape.width)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for _, (rows, row) in shape.matrices:
            writer.write_tensor_data(_random_rows(random, shape.type, rows, row))
        for _ in norms:
            writer.write_tensor_data(np.ones(shape.width, np.float32))
        writer.flush()
        for stream in writer.fout or ():
            os.fsync(stream.fileno())
        writer.close()
        temporary.replace(path)
    finally:
        writer.close()
        temporary.unlink(missing_ok=True)


def _add_tokenizer(writer: object, shape: Shape) -> None:
    import gguf

    assert isinstance(writer, gguf.GGUFWriter)
    if not shape.vocabulary:
        writer.add_tokenizer_model("no_vocab")
        return
    special = [b"<unk>", b"<s>", b"</s>"]
    tokens = special + [f"<0x{byte:02X}>".encode() for byte in range(256)]
    tokens += [f"<unused{index}>".encode() for index in range(shape.vocab - len(tokens))]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256
    kinds += [gguf.TokenType.UNUSED] * (shape.vocab - len(kinds))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * shape.vocab)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}")


def _random_rows(random: np.random.Generator, type_name: str, rows: int, row: int) -> NDArray[np.uint8]:
    """(rows, row bytes): quantized blocks of random codes, under scales that keep activations in range."""
    kind = quant_type(type_name)
    if kind.name in ("F32", "F16"):
        values = random.standard_normal((rows, row), np.float32) * np.float32(0.5 / np.sqrt(row))
        return values.astype(np.float32 if kind.name == "F32" else np.float16).view(np.uint8)
    blocks = random.integers(0, 256, (rows * row // kind.block_elements, kind.block_bytes), np.uint8)
    scale_at = {"Q8_0": ((0, 0.005),), "Q4_0": ((0, 0.08),), "Q4_K": ((0, 0.002), (2, 0.01)), "Q6_K": ((208, 0.001),)}
    for offset, weight in scale_at[kind.name]:
        half = np.array([weight * 22.0 / np.sqrt(row)], np.float16).view(np.uint8)
        blocks[:, offset : offset + 2] = half
    return blocks.reshape(rows, kind.row_bytes(row))
