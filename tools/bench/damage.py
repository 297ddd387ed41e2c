"""Planted damage: copies of a finished file with one thing broken in each, as compression breaks things.

Every damage is of a kind that an average over text hides or half hides, and is aimed at one slice of the behaviour
suite. GGUF copies keep all else to the byte: metadata, other tensors, types.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from edgeshrink.evaluate.subject import Subject

Floats = NDArray[np.float32]
Change = Callable[[Floats], Floats]


def rewrite_gguf(
    source: Path,
    out: Path,
    *,
    change: Mapping[str, Change] | None = None,
    add: Mapping[str, Floats] | None = None,
) -> Path:
    """A copy of `source` in which `change` was applied to tensors by name (then stored in their own type again), and
    `add` tensors stand besides as F32."""
    reader = gguf.GGUFReader(source)
    fields = reader.fields
    writer = gguf.GGUFWriter(out, arch=str(fields["general.architecture"].contents()))
    for name, field in fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value: Any = field.contents()
        kinds = field.types
        writer.add_key_value(name, value, kinds[0], kinds[-1] if kinds[0] == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        data: Any = tensor.data
        if tensor.name in (change or {}):
            values = gguf.quants.dequantize(data, tensor.tensor_type)
            changed = (change or {})[tensor.name](values.astype(np.float32))
            data = gguf.quants.quantize(changed, tensor.tensor_type)
        writer.add_tensor(tensor.name, data, raw_dtype=tensor.tensor_type)
    for name, values in (add or {}).items():
        writer.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def read_tensor(source: Path, name: str) -> Floats:
    tensor = next(tensor for tensor in gguf.GGUFReader(source).tensors if tensor.name == name)
    values: Floats = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    return values


def two_bits(values: Floats) -> Floats:
    """Rounded to the four levels of a signed 2-bit integer, one scale for the whole matrix."""
    step = np.abs(values).max() / 2
    rounded: Floats = (np.clip(np.round(values / step), -2, 1) * step).astype(np.float32)
    return rounded


def two_bit_key_projection(source: Path, out: Path, layer: int) -> Path:
    """One layer's K projection at 2 bits."""
    return rewrite_gguf(source, out, change={f"blk.{layer}.attn_k.weight": two_bits})


def lost_key_projection(source: Path, out: Path, layer: int) -> Path:
    """One layer's K projection all zero: it looks everywhere alike, and what was told is not found again."""
    return rewrite_gguf(source, out, change={f"blk.{layer}.attn_k.weight": np.zeros_like})


def noisy_language(source: Path, out: Path, texts: Mapping[str, str], language: str, *, size: float, seed: int) -> Path:
    """Embeddings of the tokens that are typical of one language of `texts`, perturbed as `noisy_tokens` does."""
    return noisy_tokens(source, out, typical_tokens(source, texts, language), size=size, seed=seed)


def noisy_tokens(source: Path, out: Path, tokens: Sequence[int], *, size: float, seed: int) -> Path:
    """Embeddings of `tokens`, with noise of `size` times a row's own length."""
    random = np.random.default_rng(seed)

    def perturb(values: Floats) -> Floats:
        rows, noise = values[tokens], random.standard_normal((len(tokens), values.shape[1])).astype(np.float32)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
        values = values.copy()
        values[tokens] += size * lengths * noise
        return values

    return rewrite_gguf(source, out, change={"token_embd.weight": perturb})


def typical_tokens(source: Path, texts: Mapping[str, str], language: str) -> list[int]:
    """Ids of which at least 80 % of all occurrences, by equal lengths of text, are in `language`."""
    with Subject(source, "llama_cpp", "cpu").open_vocabulary() as session:
        counts = {
            name: Counter(session.tokenize(text, add_special=False, parse_special=False))
            for name, text in texts.items()
        }
    shares = {name: {token: n / count.total() for token, n in count.items()} for name, count in counts.items()}
    own = shares[language]
    everywhere = {token: sum(share.get(token, 0.0) for share in shares.values()) for token in own}
    return sorted(token for token, share in own.items() if share >= 0.8 * everywhere[token])


def scaled_logits(source: Path, out: Path, factor: float) -> Path:
    """All logits times `factor`: every greedy answer stays, every confidence is wrong."""
    return rewrite_gguf(source, out, change={"output_norm.weight": lambda values: values * np.float32(factor)})


def biased_token(source: Path, out: Path, token: int, factor: float) -> Path:
    """The logit of one token times `factor`, wherever it may stand: what decides for or against a tool call. The file
    must have tied embeddings: a matrix of its own for the output is added."""
    rows = read_tensor(source, "token_embd.weight")
    rows[token] *= np.float32(factor)
    return rewrite_gguf(source, out, add={"output.weight": rows})


def wrong_stop(source: Path, out: Path, token: int) -> Path:
    """An ONNX folder in which another token ends a text. (In a GGUF llama.cpp knows stop tokens by their names.)"""
    shutil.copytree(source, out)
    for name in ("genai_config.json", "generation_config.json"):
        file = out / name
        if file.is_file():
            content = json.loads(file.read_text(encoding="utf-8"))
            _set_stop(content, token)
            file.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return out


def _set_stop(content: dict[str, Any], token: int) -> None:
    for name, value in content.items():
        if name == "eos_token_id":
            content[name] = token
        elif isinstance(value, dict):
            _set_stop(value, token)


def tokens_of(source: Path, text: str) -> list[int]:
    """Ids of `text` in the vocabulary of the GGUF `source`."""
    with Subject(source, "llama_cpp", "cpu").open_vocabulary() as session:
        return session.tokenize(text, add_special=False, parse_special=False)


def stop_of(source: Path) -> int:
    """The first id that ends a text."""
    with Subject(source, "llama_cpp", "cpu").open_vocabulary() as session:
        return session.stop_ids[0]


def wrong_rotary_base(source: Path, out: Path, *, base: float, beyond: int) -> Path:
    """An ONNX folder whose rotary tables are those of another `base` from position `beyond` on."""
    import onnx
    from onnx import numpy_helper

    shutil.copytree(source, out)
    model = onnx.load(out / "model.onnx", load_external_data=True)
    for tensor in model.graph.initializer:
        if tensor.name not in ("cos_cache", "sin_cache"):
            continue
        table = numpy_helper.to_array(tensor).copy()
        half = table.shape[1]
        frequencies = base ** (-np.arange(half) / half)
        angles = np.outer(np.arange(beyond, len(table)), frequencies)
        table[beyond:] = (np.cos if tensor.name == "cos_cache" else np.sin)(angles).astype(table.dtype)
        tensor.CopyFrom(numpy_helper.from_array(table, tensor.name))
    (out / "model.onnx.data").unlink(missing_ok=True)
    onnx.save(model, out / "model.onnx", save_as_external_data=True, location="model.onnx.data")
    return out
