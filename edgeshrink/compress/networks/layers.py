"""The layers of an ONNX network that have weights to quantize, wherever in its nested graphs they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from edgeshrink.catalog.onnx_file import graphs, subgraphs

# Where each operator has its weights, and the axis of them that is the output channel (or the row of a table).
_WEIGHTS = {
    "Conv": ((1, 0),),
    "ConvTranspose": ((1, 1),),
    "Gemm": ((1, 1),),
    "MatMul": ((1, -1),),
    "Gather": ((0, 0),),
    "LSTM": ((1, 1), (2, 1)),
    "GRU": ((1, 1), (2, 1)),
    "RNN": ((1, 1), (2, 1)),
}
LINEAR = ("Gemm", "MatMul")
_EIGHT_BIT = 127


@dataclass(frozen=True, slots=True)
class Weight:
    """A constant float32 input of a node: `index` of the input, `axis` of the channel, `owner` the graph it is in."""

    index: int
    tensor: TensorProto
    axis: int
    owner: GraphProto

    def array(self) -> NDArray[np.float32]:
        return np.asarray(numpy_helper.to_array(self.tensor), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Layer:
    """A node with constant weights, in `graph`; `depth` 0 is the model's own graph."""

    node: NodeProto
    graph: GraphProto
    depth: int
    weights: tuple[Weight, ...]

    @property
    def name(self) -> str:
        return str(self.node.name)


def layers(model: ModelProto) -> list[Layer]:
    """Every node with constant float32 weights of two dimensions or more, in the order of the graph."""
    return list(_layers(model.graph, {}, 0))


def _layers(graph: GraphProto, outer: dict[str, tuple[TensorProto, GraphProto]], depth: int) -> Iterator[Layer]:
    known = {**outer, **{tensor.name: (tensor, graph) for tensor in graph.initializer}}
    for node in graph.node:
        weights = tuple(_weights(node, known))
        if weights:
            yield Layer(node, graph, depth, weights)
        for inner in subgraphs(node):
            yield from _layers(inner, known, depth + 1)


def _weights(node: NodeProto, known: dict[str, tuple[TensorProto, GraphProto]]) -> Iterator[Weight]:
    if node.domain not in ("", "ai.onnx"):
        return
    if node.op_type == "Gather" and _attribute(node, "axis", 0) != 0:
        return
    for index, axis in _WEIGHTS.get(node.op_type, ()):
        if index >= len(node.input) or node.input[index] not in known:
            continue
        tensor, owner = known[node.input[index]]
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        if node.op_type == "Gather" and len(tensor.dims) != 2:
            continue
        transposed = node.op_type == "Gemm" and _attribute(node, "transB", 0)
        yield Weight(index, tensor, 0 if transposed else axis % len(tensor.dims), owner)


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((int(entry.i) for entry in node.attribute if entry.name == name), default)


def name_every_node(model: ModelProto) -> None:
    """Give each node a name of its own: what people and `keep` know it by."""
    taken = {node.name for graph in graphs(model) for node in graph.node if node.name}
    seen: set[str] = set()
    counter = 0
    for graph in graphs(model):
        for node in graph.node:
            if node.name and node.name not in seen:
                seen.add(node.name)
                continue
            while True:
                name = f"{node.name or node.op_type}_{counter}"
                counter += 1
                if name not in taken:
                    break
            node.name = name
            taken.add(name)
            seen.add(name)


def rounded(values: NDArray[np.float32], axis: int | None) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """`values` as int8 around zero, and the scales: (n,), one per slice of `axis`, or () without an axis."""
    across = None if axis is None else tuple(index for index in range(values.ndim) if index != axis)
    largest = np.max(np.abs(values), axis=across, initial=0.0)
    scale = np.where(largest > 0, largest / _EIGHT_BIT, 1.0).astype(np.float32)
    spread = scale if axis is None else scale.reshape([-1 if index == axis else 1 for index in range(values.ndim)])
    whole = np.clip(np.rint(values / spread), -_EIGHT_BIT, _EIGHT_BIT).astype(np.int8)
    return whole, scale


def drop_unused(model: ModelProto) -> None:
    """Remove the weights that no node reads any more."""
    every = list(graphs(model))
    used = {name for graph in every for node in graph.node for name in node.input}
    used |= {value.name for graph in every for value in graph.output}
    for graph in every:
        for index in reversed(range(len(graph.initializer))):
            if graph.initializer[index].name not in used:
                del graph.initializer[index]


def add_constant(graph: GraphProto, name: str, values: NDArray[np.generic]) -> str:
    """Put `values` into the graph's weights under `name`, once."""
    if all(tensor.name != name for tensor in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
    return name


def in_order(graph: GraphProto) -> None:
    """Sort the nodes so that each stands behind what it and its subgraphs read; otherwise their order stays."""
    made_by = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    order: list[int] = []
    placed: set[int] = set()
    for first in range(len(graph.node)):
        waiting = [first]
        while waiting:
            index = waiting[-1]
            before = {made_by[name] for name in _read_by(graph.node[index]) if name in made_by} - placed - {index}
            if before:
                waiting.extend(sorted(before, reverse=True))
                continue
            waiting.pop()
            if index not in placed:
                placed.add(index)
                order.append(index)
    if order != list(range(len(order))):
        nodes = [graph.node[index] for index in order]
        copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)


def _read_by(node: NodeProto) -> set[str]:
    read = {name for name in node.input if name}
    for inner in subgraphs(node):
        made = {name for other in inner.node for name in other.output}
        read |= {name for other in inner.node for name in _read_by(other)} - made
        read |= {value.name for value in inner.output} - made
    return read
