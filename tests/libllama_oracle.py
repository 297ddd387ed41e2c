"""libllama's own quantizer as the oracle, and small random models to put before both it and us."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import Experts, ModelFacts, ModelSource, SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quant_types import quant_type
from edgeshrink.planning.schemes import SCHEMES

PRESETS = tuple(SCHEMES)
QUANTIZED = tuple(name for name, entry in SCHEMES.items() if entry.quantizes)


def facts(
    *,
    model_type: str = "llama",
    layers: int = 8,
    hidden: int = 256,
    ffn: int = 768,
    heads: int = 4,
    kv_heads: int = 2,
    vocab: int = 512,
    tied: bool = False,
    experts: Experts | None = None,
) -> ModelFacts:
    return ModelFacts(
        source=ModelSource("huggingface", Path(), "test"),
        model_type=model_type,
        n_layers=layers,
        hidden_size=hidden,
        ffn_size=ffn,
        n_heads=heads,
        n_kv_heads=kv_heads,
        head_dim=hidden // heads,
        vocab_size=vocab,
        context_length=512,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        rope_scaling=None,
        tied_embeddings=tied,
        dtype="BF16",
        config={},
        experts=experts,
    )


def plans(model: ModelFacts, dtype: str = "BF16", *, permute: bool = False) -> tuple[TensorPlan, ...]:
    """The tensors of such a model in Hugging Face's order, attention biases with qwen2; nothing quantized yet."""
    kv = model.n_kv_heads * model.head_dim
    h = model.hidden_size
    found: list[TensorPlan] = []

    def add(name: str, *shape: int, heads: int = 0, dtype: str = dtype) -> None:
        type = "F32" if len(shape) == 1 else dtype
        transform = "rope_permute" if heads and permute else "flatten" if "inp_shexp" in name else "none"
        experts = shape[0] if len(shape) > 2 else 0
        source = f"hf.{name}" + ".{}" * bool(experts)
        found.append(TensorPlan(name, source, shape, type, "", transform, heads, experts))  # type: ignore[arg-type]

    if not model.tied_embeddings:
        add("output.weight", model.vocab_size, h)
    add("token_embd.weight", model.vocab_size, h)
    # numbers as text sort 10 before 2, which is what a safetensors file looks like
    for layer in sorted(range(model.n_layers), key=str):
        at = f"blk.{layer}"
        add(f"{at}.attn_norm.weight", h)
        _add_feed_forward(add, at, model)
        add(f"{at}.ffn_norm.weight", h)
        for part, rows, heads in (("q", h, model.n_heads), ("k", kv, model.n_kv_heads), ("v", kv, 0)):
            add(f"{at}.attn_{part}.weight", rows, h, heads=heads)
            if model.model_type in ("qwen2", "qwen2_moe"):
                add(f"{at}.attn_{part}.bias", rows, heads=heads)
        add(f"{at}.attn_output.weight", h, h)
    add("output_norm.weight", h)
    return tuple(found)


def _add_feed_forward(add: Callable[..., None], at: str, model: ModelFacts) -> None:
    h, experts = model.hidden_size, model.experts
    stacked = [("", (), model.ffn_size)] if experts is None else [("_exps", (experts.count,), experts.ffn)]
    if experts is not None:
        add(f"{at}.ffn_gate_inp.weight", experts.count, h, dtype="F32")
        if experts.shared_ffn:
            stacked.append(("_shexp", (), experts.shared_ffn))
            add(f"{at}.ffn_gate_inp_shexp.weight", h)
    for suffix, count, f in stacked:
        add(f"{at}.ffn_down{suffix}.weight", *count, h, f)
        add(f"{at}.ffn_gate{suffix}.weight", *count, f, h)
        add(f"{at}.ffn_up{suffix}.weight", *count, f, h)


def metadata(model: ModelFacts) -> tuple[KeyValue, ...]:
    arch = ARCHITECTURES[model.model_type].gguf_name
    experts = model.experts
    mixture = (
        ()
        if experts is None
        else (
            KeyValue(f"{arch}.expert_count", "uint32", experts.count),
            KeyValue(f"{arch}.expert_used_count", "uint32", experts.used),
            KeyValue(f"{arch}.expert_feed_forward_length", "uint32", experts.ffn),
            KeyValue(f"{arch}.expert_shared_feed_forward_length", "uint32", experts.shared_ffn),
        )
    )
    return (
        KeyValue("general.architecture", "string", arch),
        KeyValue(f"{arch}.block_count", "uint32", model.n_layers),
        KeyValue(f"{arch}.context_length", "uint32", model.context_length),
        KeyValue(f"{arch}.embedding_length", "uint32", model.hidden_size),
        KeyValue(f"{arch}.feed_forward_length", "uint32", model.ffn_size),
        KeyValue(f"{arch}.attention.head_count", "uint32", model.n_heads),
        KeyValue(f"{arch}.attention.head_count_kv", "uint32", model.n_kv_heads),
        KeyValue(f"{arch}.attention.layer_norm_rms_epsilon", "float32", model.rms_norm_eps),
        KeyValue(f"{arch}.vocab_size", "uint32", model.vocab_size),
        *mixture,
        KeyValue("tokenizer.ggml.tokens", "string", (b"a", "\u00e9", "")),
    )


def random_weights(tensors: tuple[TensorPlan, ...], seed: int = 0) -> dict[str, np.ndarray]:
    """Values that bfloat16 holds exactly, by source name, with a few outliers as real weights have."""
    random = np.random.default_rng(seed)
    found = {}
    for plan in tensors:
        values = random.standard_normal(plan.shape, np.float32) * np.float32(0.05)
        values *= np.where(random.random(plan.shape) < 0.003, np.float32(12), np.float32(1))
        found[plan.source] = (values.view(np.uint32) & 0xFFFF0000).view(np.float32)
    return found


def stored(values: np.ndarray, dtype: str) -> bytes:
    if dtype == "BF16":
        return (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    return values.astype("<f2" if dtype == "F16" else "<f4").tobytes()


def checkpoint(path: Path, weights: Mapping[str, np.ndarray], dtype: str = "BF16") -> dict[str, SourceTensor]:
    """The weights in one file, as a checkpoint holds them: bytes at offsets."""
    found, offset = {}, 40
    with path.open("wb") as file:
        file.write(b"x" * offset)
        for name, values in weights.items():
            data = stored(values, dtype)
            file.write(data)
            found[name] = SourceTensor(name, values.shape, dtype, path, offset, len(data))
            offset += len(data)
    return found


def gguf_by_gguf_py(path: Path, model: ModelFacts, values: Mapping[str, np.ndarray], dtype: str = "F32") -> None:
    """A GGUF written by gguf's own writer alone: matrices in `dtype`, vectors F32."""
    entries = metadata(model)
    writer = gguf.GGUFWriter(path, str(entries[0].value))
    for entry in entries[1:]:
        if not isinstance(entry.value, tuple):
            writer.add_key_value(entry.key, entry.value, gguf.GGUFValueType[entry.type.upper()])
    for name, array in values.items():
        if array.ndim == 1 or dtype == "F32":
            writer.add_tensor(name, array)
        else:
            data = np.frombuffer(stored(array, dtype), np.uint16).reshape(array.shape).view(np.uint8)
            writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType[dtype])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def header_only(path: Path, model: ModelFacts, tensors: tuple[TensorPlan, ...]) -> None:
    """The same, with a hole where the weights would be: enough for a dry run, whatever the size."""
    entries = metadata(model)
    writer = gguf.GGUFWriter(path, str(entries[0].value))
    for entry in entries[1:]:
        if not isinstance(entry.value, tuple):
            writer.add_key_value(entry.key, entry.value, gguf.GGUFValueType[entry.type.upper()])
    total = 0
    for plan in tensors:
        kind = gguf.GGMLQuantizationType(quant_type(plan.type).ggml_id)
        writer.add_tensor_info(plan.name, plan.shape, None, plan.nbytes, raw_dtype=kind)
        total += -(-plan.nbytes // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.truncate(-(-path.stat().st_size // 32) * 32 + total)


@contextmanager
def libllama_says() -> Iterator[list[str]]:
    """What libllama logs, in pieces, instead of on stderr."""
    import llama_cpp
    from llama_cpp import _logger

    pieces: list[str] = []
    listener = llama_cpp.llama_log_callback(lambda level, text, data: pieces.append(text.decode(errors="replace")))
    llama_cpp.llama_log_set(listener, ctypes.c_void_p())
    try:
        yield pieces
    finally:
        llama_cpp.llama_log_set(_logger.llama_log_callback, ctypes.c_void_p())


def quantize(
    source: Path,
    out: Path,
    scheme: str,
    *,
    imatrix: Mapping[str, np.ndarray] | None = None,
    overrides: tuple[tuple[str, str], ...] = (),
    dry_run: bool = False,
) -> str:
    """libllama's `llama_model_quantize`; its log."""
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread = 1
    parameters.ftype = SCHEMES[scheme].file_type
    parameters.dry_run = dry_run
    kept: list[Any] = []
    if imatrix is not None:
        entries = (llama_cpp.llama_model_imatrix_data * (len(imatrix) + 1))()
        for entry, (name, values) in zip(entries, imatrix.items(), strict=False):
            data = np.ascontiguousarray(values, np.float32)
            kept.append(data)
            entry.name, entry.size = name.encode(), data.size
            entry.data = data.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        parameters.imatrix = entries
    if overrides:
        given = (llama_cpp.llama_model_tensor_override * (len(overrides) + 1))()
        for entry, (pattern, type) in zip(given, overrides, strict=False):
            entry.pattern, entry.type = pattern.encode(), quant_type(type).ggml_id
        parameters.tt_overrides = given
    with libllama_says() as pieces:
        code = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(parameters))
    log = "".join(pieces)
    assert code == 0, log
    return log


def dry_run_types(source: Path, scheme: str, **given: Any) -> dict[str, str]:
    """Tensor name -> the type that libllama would write, read off the log of its dry run."""
    log = quantize(source, source.with_suffix(".none"), scheme, dry_run=True, **given)
    line = re.compile(r"\] (\S+)\s+- \[[^]]*\], type =\s*(\w+),.*?size = [^\n]*?(?:\((\w+)\))?\n", re.S)
    return {name: (new or old).upper() for name, old, new in line.findall(log)}


def tensor_bytes(path: Path) -> dict[str, tuple[str, bytes]]:
    """Tensor name -> (type, raw bytes), read by gguf's own reader."""
    return {t.name: (t.tensor_type.name, t.data.tobytes()) for t in gguf.GGUFReader(path).tensors}


def with_types(tensors: tuple[TensorPlan, ...], types: Mapping[str, str]) -> tuple[TensorPlan, ...]:
    return tuple(replace(plan, type=types[plan.name]) for plan in tensors)
