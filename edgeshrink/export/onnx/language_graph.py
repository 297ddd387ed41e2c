"""What is put right in the graph that the model builder made: rotary tables, the embedding, half precision.

Only a child process imports this. Values are looked up by the builder's own names, which its exact pin keeps stable;
a name that is not there is an error, never a silent skip.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgeshrink.errors import StepFailed
from edgeshrink.planning.eight_bit_rows import eight_bit_rows

_EMBEDDING = "/model/embed_tokens"
_CONTRIB = "com.microsoft"


def rotary_tables(model_type: str, config: Path, context: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """cos and sin of every position, (context, head_dim / 2) each, as transformers computes them for this model."""
    import torch
    from transformers import AutoConfig

    loaded = AutoConfig.from_pretrained(config, trust_remote_code=False)
    module = importlib.import_module(f"transformers.models.{model_type}.modeling_{model_type}")
    rotary = getattr(module, f"{model_type.capitalize()}RotaryEmbedding")(loaded)
    with torch.no_grad():
        cos, sin = rotary(torch.zeros(1, dtype=torch.float32), torch.arange(context)[None])
    half = cos.shape[-1] // 2
    return cos[0, :, :half].contiguous().numpy(), sin[0, :, :half].contiguous().numpy()


def set_rotary(model: ir.Model, cos: NDArray[np.float32], sin: NDArray[np.float32]) -> None:
    """Put these tables in the place of the builder's, in the type that it gave them."""
    for name, table in (("cos_cache", cos), ("sin_cache", sin)):
        value = _initializer(model, name)
        kept = value.const_value.dtype
        value.const_value = ir.tensor(table.astype(kept.numpy()), name=name)
        value.shape = ir.Shape(table.shape)


def set_windows(model: ir.Model, config: Path, context: int) -> None:
    """Let attention look back as far as the source's: the builder knows sliding windows of other families only."""
    from transformers import AutoConfig

    loaded = AutoConfig.from_pretrained(config, trust_remote_code=False)
    window = getattr(loaded, "sliding_window", None)
    if not window or window >= context:
        return
    attention = [node for node in model.graph if node.op_type == "GroupQueryAttention"]
    kinds = getattr(loaded, "layer_types", None) or ["sliding_attention"] * len(attention)
    for node, kind in zip(attention, kinds, strict=True):
        if kind == "sliding_attention":
            node.attributes["local_window_size"] = ir.AttrInt64("local_window_size", int(window))


def eight_bit_embedding(model: ir.Model, block_size: int, *, tied: bool) -> None:
    """Look tokens up in an 8-bit table: the output's own where both are tied, else one of its own.

    The builder leaves the table in float32 wherever the scheme is not int4 with tied embeddings: then it would be the
    largest tensor of a small model.
    """
    gather = _node(model, f"{_EMBEDDING}/Gather")
    if gather is None:
        return  # the builder shares the quantized output already
    table, ids = gather.inputs
    vocab, hidden = table.shape
    padded = -(-hidden // block_size) * block_size
    if tied:
        head = next(node for node in model.graph if node.op_type == "MatMulNBits" and node.outputs[0].name == "logits")
        shape = _constant(model, gather, f"{_EMBEDDING}/shape", np.array([vocab, padded], np.int64))
        reshape = ir.node("Reshape", [head.inputs[1], shape], name=f"{_EMBEDDING}/Reshape")
        reshape.outputs[0].name = f"{_EMBEDDING}/Reshape/output_0"
        model.graph.insert_before(gather, reshape)
        inputs = [reshape.outputs[0], ids, *head.inputs[2:4]]
    else:
        values = table.const_value.numpy()
        codes, scales = eight_bit_rows(values, block_size)
        inputs = [
            _add_initializer(model, "model.embed_tokens.weight_Q8", ir.tensor(codes)),
            ids,
            _add_initializer(model, "model.embed_tokens.weight_scale", ir.tensor(scales.astype(values.dtype))),
        ]
    attributes = {"bits": 8, "block_size": block_size, "gather_axis": 0, "quantize_axis": 1}
    found = ir.node("GatherBlockQuantized", inputs, attributes, domain=_CONTRIB, name=f"{_EMBEDDING}/Q8")
    found.outputs[0].name = f"{_EMBEDDING}/Q8/output_0"
    model.graph.insert_before(gather, found)
    result = found.outputs[0]
    if padded != hidden:
        ends = [_constant(model, gather, f"{_EMBEDDING}/{end}", np.array([end], np.int64)) for end in (0, hidden, 2)]
        cut = ir.node("Slice", [result, *ends], name=f"{_EMBEDDING}/Slice")
        cut.outputs[0].name = f"{_EMBEDDING}/Slice/output_0"
        model.graph.insert_before(gather, cut)
        result = cut.outputs[0]
    ir.convenience.replace_all_uses_with(gather.outputs[0], result)
    result.shape, result.type = gather.outputs[0].shape, gather.outputs[0].type
    model.graph.remove(gather, safe=True)
    if not table.uses():
        del model.graph.initializers[table.name]


def store_in_half(model: ir.Model) -> None:
    """Store every matrix in float16, with a cast to float32 in front of whoever reads it; tables of positions stay."""
    for name, value in list(model.graph.initializers.items()):
        tensor = value.const_value
        if tensor.dtype != ir.DataType.FLOAT or len(tensor.shape) < 2 or name in ("cos_cache", "sin_cache"):
            continue
        users = list(value.uses())
        half = _add_initializer(model, f"{name}_f16", _in_half(tensor))
        cast = ir.node("Cast", [half], {"to": ir.DataType.FLOAT}, name=f"{name}/Cast")
        cast.outputs[0].name = f"{name}_f32"
        model.graph.insert_before(next(iter(model.graph)), cast)
        for node, index in users:
            node.replace_input_with(index, cast.outputs[0])
        del model.graph.initializers[name]


def _in_half(tensor: ir.TensorProtocol) -> ir.LazyTensor:
    """The tensor in float16, converted when it is written: one at a time is in memory."""

    def convert() -> ir.TensorProtocol:
        values = tensor.numpy()
        largest = float(np.abs(values).max(initial=0))
        if not largest <= np.finfo(np.float16).max:
            raise StepFailed(
                f"{tensor.name}: {largest:g} is beyond what float16 can hold", hint="build fp32, or a quantized scheme"
            )
        return ir.tensor(values.astype(np.float16), name=f"{tensor.name}_f16")

    return ir.LazyTensor(convert, dtype=ir.DataType.FLOAT16, shape=tensor.shape, name=f"{tensor.name}_f16")


def _node(model: ir.Model, name: str) -> ir.Node | None:
    return next((node for node in model.graph if node.name == name), None)


def _initializer(model: ir.Model, name: str) -> ir.Value:
    found = model.graph.initializers.get(name)
    if found is None:
        raise StepFailed(f"the model builder wrote no tensor {name!r}", hint="its version is not the tested one?")
    return found


def _add_initializer(model: ir.Model, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    tensor.name = name
    value = ir.Value(name=name, const_value=tensor, shape=tensor.shape, type=ir.TensorType(tensor.dtype))
    model.graph.register_initializer(value)
    return value


def _constant(model: ir.Model, before: ir.Node, name: str, values: NDArray[Any]) -> ir.Value:
    node = ir.node("Constant", [], {"value": ir.tensor(values)}, name=name)
    node.outputs[0].name = f"{name}/output_0"
    model.graph.insert_before(before, node)
    return node.outputs[0]
