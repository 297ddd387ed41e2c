"""A network: a model with named inputs and outputs that generates no text (an encoder, a classifier, any module)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

NetworkKind = Literal["function", "huggingface", "onnx"]


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output. A dynamic dimension is its name, a fixed one its size; `dtype` as numpy spells it."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """Where a network came from.

    `given` is what the person wrote; `path` the folder or file ("function": the file that defines it);
    `entry` is "package.module:function", "" for the other kinds.
    """

    kind: NetworkKind
    given: str
    path: Path
    entry: str = ""
    hub_id: str | None = None
    revision: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """A network before anything is built.

    `family` is the model_type of config.json, "module" for a function, "onnx" for a file. `weight_elements` are the
    elements of weights with two dimensions or more, which quantization can shrink; `parameters` counts all.
    `scores`: it brings a scorer of its own. `notes`: what a reader should know.
    """

    source: NetworkSource
    name: str
    family: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: int
    weight_elements: int
    dtype: str
    scores: bool = False
    files: tuple[Path, ...] = ()
    """Files whose digests decide what is built."""
    notes: tuple[str, ...] = ()
    weights_sha256: str = ""
    """Of all weights as loaded: a function may take them from anywhere, so its files do not tell."""
    limits: tuple[tuple[str, int, int], ...] = ()
    """Smallest and largest size of each dynamic dimension."""
    labels: tuple[str, ...] = ()
    """What a classifier's outputs are called, in their order, where the source says so."""
    packages: tuple[str, ...] = ()
    """Of a function: "name==version" of the installed distributions of all modules that are imported once it has made
    its network, without edgeshrink. They may hold code that computes, which `files` and the weights do not tell."""


@dataclass(frozen=True)
class TorchNetwork:
    """What a function that is named as MODEL ("package.module:function") returns.

    `module` is a torch.nn.Module in eval mode; `inputs` are example tensors by the name of its forward arguments, in
    their order; `dynamic` names the dimensions that vary ({"input_ids": {1: "sequence"}}); `outputs` names what it
    returns, "output_0" and so on where empty. `preprocess` turns a PIL image into the array of the one input, without
    the batch dimension; `scorer(outputs, label)` scores one sample, higher is better: `outputs` are arrays by name,
    `label` the index of the sample's folder in name order (None where the samples have no folders).
    """

    module: Any
    inputs: Mapping[str, Any]
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    preprocess: Callable[[Any], Any] | None = None
    scorer: Callable[[Mapping[str, Any], int | None], float] | None = None
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Smallest and largest size of a dynamic dimension, by its name: 1 to 4 times the example's where not said."""
