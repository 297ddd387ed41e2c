"""A network source as a module that runs: loaded, checked, and its ports found by running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgeshrink.core.network import NetworkSource, Port, TorchNetwork
from edgeshrink.errors import DataError, ToolMissing, UnsupportedModel
from edgeshrink.runtimes.torch_network.network import LoadedNetwork

_SMALLEST_DYNAMIC = 2  # torch.export takes a size of 0 or 1 for fixed
_GROWTH = 4
_TYPES = {"float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"}


def load(source: NetworkSource) -> LoadedNetwork:
    """The module of a function or a Hugging Face folder, in eval mode on the CPU.

    DataError names what is wrong with it. UnsupportedModel: an .onnx file, which is no torch module. ToolMissing: no
    torch. For child processes: it runs the person's code and torch.
    """
    if source.kind == "onnx":
        raise UnsupportedModel(
            f"{source.path} is an ONNX file, and this format is built from a torch module",
            hint="build --format onnx, or give the module that the file came from as package.module:function",
        )
    try:
        import torch  # noqa: F401
    except ImportError as problem:
        raise ToolMissing(
            "building from a torch module needs torch", hint="pip install 'edgeshrink[torch]'"
        ) from problem
    return _from_function(source) if source.kind == "function" else _from_folder(source)


def _from_function(source: NetworkSource) -> LoadedNetwork:
    from edgeshrink.runtimes.torch_network.function import call, plain
    from edgeshrink.runtimes.torch_network.imported_code import loaded_files

    network = call(source)
    limits = _limits(source.entry, network)
    module, names = plain(source.entry, network)
    return _finished(source, network, module, names, limits, "module", loaded_files(source))


def _from_folder(source: NetworkSource) -> LoadedNetwork:
    import torch

    from edgeshrink.runtimes.torch_network.flat import mapping_keys, named
    from edgeshrink.runtimes.torch_network.huggingface import data_files, read_network

    network, family, labels, notes = read_network(source)
    with torch.no_grad():
        keys = mapping_keys(network.module(**network.inputs))
    names = network.outputs or keys
    module = named(network.module, tuple(network.inputs), names)
    files = data_files(source.path)
    limits = _limits(source.given, network)
    return _finished(source, network, module, names, limits, family.model_type, files, labels, notes)


def _finished(
    source: NetworkSource,
    network: TorchNetwork,
    module: Any,
    names: tuple[str, ...],
    limits: dict[str, tuple[int, int]],
    family: str,
    files: tuple[Any, ...],
    labels: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> LoadedNetwork:
    dynamic = {name: dict(dims) for name, dims in network.dynamic.items() if dims}
    loaded = LoadedNetwork(
        source,
        module,
        {name: tensor.detach() for name, tensor in network.inputs.items()},
        dynamic,
        limits,
        (),
        (),
        network.preprocess,
        network.scorer,
        family,
        files,
        labels,
        notes,
    )
    sizes = {called: _size(loaded.inputs, dynamic, called) for called in limits}
    raised = {called: min(max(sizes[called], _SMALLEST_DYNAMIC, low), high) for called, (low, high) in limits.items()}
    inputs = loaded.sized(raised)
    ports = tuple(
        Port(name, dtype_name(tensor), _shape(tuple(tensor.shape), dynamic.get(name, {})))
        for name, tensor in inputs.items()
    )
    _check_types(source.given, ports)
    loaded = replace(loaded, inputs=inputs, ports=ports)
    outputs = _output_ports(source.given, loaded, names, raised)
    _check_types(source.given, outputs)
    return replace(loaded, outputs=outputs)


def _check_types(given: str, ports: tuple[Port, ...]) -> None:
    wrong = next((port for port in ports if port.dtype not in _TYPES), None)
    if wrong is not None:
        raise DataError(
            f"{given}: {wrong.name} is {wrong.dtype}, which does not go in or out of a built file",
            hint="return the module in float32 (module.float()), with example inputs of that type",
        )


def dtype_name(tensor: Any) -> str:
    """A tensor's type as numpy spells it (bfloat16, which numpy lacks, as torch does)."""
    return str(tensor.dtype).removeprefix("torch.")


def outputs_of(module: Any, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
    """The tensors that a loaded module returns."""
    import torch

    with torch.no_grad():
        found = module(*inputs.values())
    return (found,) if isinstance(found, torch.Tensor) else tuple(found)


def _output_ports(
    given: str, loaded: LoadedNetwork, names: tuple[str, ...], sizes: Mapping[str, int]
) -> tuple[Port, ...]:
    """What the module returns; a dimension that follows a dynamic one is found by running it at another size."""
    from edgeshrink.runtimes.torch_network.function import said, where

    first = outputs_of(loaded.module, loaded.inputs)
    shapes: list[list[int | str]] = [list(tensor.shape) for tensor in first]
    for called, size in sizes.items():
        low, high = loaded.limits[called]
        other = size + 1 if size < high else size - 1
        if other < low:
            continue
        try:
            again = outputs_of(loaded.module, loaded.sized({**sizes, called: other}))
        except Exception as problem:
            raise DataError(
                f"{given}: the dimension {called} is declared dynamic, and the module runs with {size} and fails with "
                f"{other}: {said(problem)}",
                hint=where(problem) or "declare only dimensions that vary",
            ) from problem
        for shape, before, after in zip(shapes, first, again, strict=True):
            for index, (one, two) in enumerate(zip(before.shape, after.shape, strict=True)):
                if one != two:
                    shape[index] = called if (one, two) == (size, other) else f"{called}_{index}"
    return tuple(
        Port(name, dtype_name(tensor), tuple(shape)) for name, tensor, shape in zip(names, first, shapes, strict=True)
    )


def _limits(given: str, network: TorchNetwork) -> dict[str, tuple[int, int]]:
    """Each dynamic dimension's smallest and largest size, checked against the examples."""
    limits: dict[str, tuple[int, int]] = {}
    seen: dict[str, int] = {}
    for name, dims in network.dynamic.items():
        if name not in network.inputs:
            raise DataError(
                f"{given}: dynamic names {name}, which is no input", hint=f"inputs: {', '.join(network.inputs)}"
            )
        shape = tuple(network.inputs[name].shape)
        for index, called in dims.items():
            if not isinstance(index, int) or not 0 <= index < len(shape):
                raise DataError(f"{given}: {name} has no dimension {index!r}: its example is {_cross(shape)}")
            if not isinstance(called, str) or not called.isidentifier():
                raise DataError(f"{given}: dimension {index} of {name} is called {called!r}, expected a plain name")
            size = seen.setdefault(called, shape[index])
            if size != shape[index]:
                raise DataError(f"{given}: {called} is {size} in one example input and {shape[index]} in {name}")
            limits[called] = _limit(given, called, size, network.limits.get(called))
    unknown = [called for called in network.limits if called not in limits]
    if unknown:
        raise DataError(f"{given}: limits names {unknown[0]}, which is no dynamic dimension")
    return limits


def _limit(given: str, called: str, size: int, said: tuple[int, int] | None) -> tuple[int, int]:
    if said is None:
        return 1, max(_SMALLEST_DYNAMIC, size * _GROWTH)
    whole = isinstance(said, (tuple, list)) and len(said) == 2 and all(isinstance(value, int) for value in said)
    if not whole or not 1 <= said[0] <= said[1] or said[1] < _SMALLEST_DYNAMIC:
        raise DataError(f"{given}: the limits of {called} are {said!r}, expected (smallest, largest)")
    return int(said[0]), int(said[1])


def _size(inputs: Mapping[str, Any], dynamic: Mapping[str, Mapping[int, str]], called: str) -> int:
    places = ((name, index) for name, dims in dynamic.items() for index, what in dims.items() if what == called)
    name, index = next(places)
    return int(inputs[name].shape[index])


def _shape(shape: tuple[int, ...], dims: Mapping[int, str]) -> tuple[int | str, ...]:
    return tuple(dims.get(index, size) for index, size in enumerate(shape))


def _cross(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
