"""Places for low-rank updates in the graph that the model builder made: optional inputs that are empty by default.

Every updated layer gets two, `<layer>.lora_A` (in, rank) and `<layer>.lora_B` (rank, out), whose defaults have rank 0,
so that the product is zero. A session is given others for one run by ONNX Runtime's adapters ("Optional inputs and LoRA
adapters": overridable initializers, RunOptions.add_active_adapter). Only a child process imports this.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from edgeshrink.errors import StepFailed
from edgeshrink.export.onnx.adapter import A, B, Shape, packed_with


def add_adapter_inputs(model: ir.Model, layers: Mapping[str, Shape]) -> None:
    """Let the products of `layers` (model.layers.0.self_attn.q_proj) take updates. Where the builder packed queries,
    keys and values into one product, `layers` must name all three. StepFailed where a layer is not found."""
    outputs = {node.outputs[0].name: node for node in model.graph if node.outputs}
    done: set[str] = set()
    for layer in layers:
        if layer in done:
            continue
        node, parts = _product(outputs, layer)
        _add_update(model, node, {part: layers[part] for part in parts})
        done.update(parts)


def _product(outputs: Mapping[str | None, ir.Node], layer: str) -> tuple[ir.Node, tuple[str, ...]]:
    """The node that multiplies with the weight of `layer`, and the layers whose outputs stand side by side in its."""
    path = "/" + layer.replace("model.layers.", "model/layers.", 1).replace(".self_attn.", "/attn/").replace(
        ".mlp.", "/mlp/"
    )
    node = outputs.get(f"{path}/MatMul/output_0")
    if node is not None:
        return node, (layer,)
    parent = path.rpartition("/")[0]
    node = outputs.get(f"{parent}/qkv_proj/MatMul/output_0")
    if node is None:
        raise StepFailed(f"the model builder wrote no product for {layer}", hint="its version is not the tested one?")
    return node, packed_with(layer)


def _add_update(model: ir.Model, node: ir.Node, parts: Mapping[str, Shape]) -> None:
    """node's output + the updates of `parts`, side by side."""
    given, plain = node.inputs[0], node.outputs[0]
    assert given is not None
    after: list[ir.Node] = []
    updates = [_update(model, given, layer, shape, after) for layer, shape in parts.items()]
    name = f"{plain.name}/updated"
    if len(updates) > 1:
        joined = ir.node("Concat", updates, {"axis": -1}, name=f"{name}/Concat")
        after.append(joined)
        updates = [joined.outputs[0]]
    total = ir.node("Add", [plain, updates[0]], name=f"{name}/Add")
    after.append(total)
    for number, made in enumerate(after):
        made.outputs[0].name = f"{name}/{number}"
        made.outputs[0].type = plain.type
    total.outputs[0].shape = plain.shape
    users = [use for use in plain.uses() if use.node is not total]
    model.graph.insert_after(node, after)
    for use in users:
        use.node.replace_input_with(use.idx, total.outputs[0])


def _update(model: ir.Model, given: ir.Value, layer: str, shape: Shape, after: list[ir.Node]) -> ir.Value:
    rows, columns = shape
    rank = ir.SymbolicDim(f"{layer}.rank")
    kind = given.type
    assert kind is not None
    halves = []
    for name, empty, told in ((A, (columns, 0), (columns, rank)), (B, (0, rows), (rank, rows))):
        values = np.zeros(empty, kind.dtype.numpy())
        value = ir.Value(
            name=layer + name, shape=ir.Shape(told), type=kind, const_value=ir.tensor(values, name=layer + name)
        )
        model.graph.inputs.append(value)
        model.graph.register_initializer(value)
        halves.append(value)
    down = ir.node("MatMul", [given, halves[0]], name=f"/{layer}/lora_A/MatMul")
    up = ir.node("MatMul", [down.outputs[0], halves[1]], name=f"/{layer}/lora_B/MatMul")
    after.extend((down, up))
    return up.outputs[0]
