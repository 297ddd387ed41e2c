"""A network from a function that the person wrote: package.module:function."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from edgeshrink.core.network import NetworkSource, TorchNetwork
from edgeshrink.errors import DataError, Error
from edgeshrink.runtimes.torch_network.flat import mapping_keys, named

_WAY = "return edgeshrink.TorchNetwork(module, {name: example tensor}), or (module, example inputs[, scorer])"


def call(source: NetworkSource) -> TorchNetwork:
    """What the function returns, checked: a module in eval mode whose forward takes the example inputs by name.

    DataError names what is wrong with it, and where.
    """
    module_name, _, function_name = source.entry.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Error:
        raise
    except Exception as problem:
        raise DataError(f"{module_name} cannot be imported: {said(problem)}", hint=where(problem)) from problem
    function = getattr(module, function_name, None)
    if not callable(function):
        known = [name for name, value in vars(module).items() if inspect.isfunction(value) and name[0] != "_"]
        raise DataError(
            f"{source.path} has no function {function_name}",
            hint=f"its functions: {', '.join(known) or 'none'}",
        )
    try:
        given = function()
    except Error:
        raise
    except Exception as problem:
        raise DataError(f"{source.entry} failed: {said(problem)}", hint=where(problem)) from problem
    return _checked(source.entry, _as_network(source.entry, given))


def plain(entry: str, network: TorchNetwork) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The module as it can be exported, and its outputs' names: as it is where its forward takes the inputs in their
    order and returns a tensor or a flat tuple, behind `named` where not."""
    names = tuple(network.inputs)
    try:
        with torch.no_grad():
            found = network.module(**network.inputs)
    except Exception as problem:
        raise DataError(
            f"{entry}: the module does not run on its own example inputs: {said(problem)}", hint=where(problem)
        ) from problem
    keys = mapping_keys(found)
    first = tuple(inspect.signature(network.module.forward).parameters)[: len(names)]
    module = network.module
    if keys or first != names or not _is_flat(found):
        module = named(network.module, names, keys)
        with torch.no_grad():
            found = module(*network.inputs.values())
    count = 1 if isinstance(found, torch.Tensor) else len(found)
    outputs = network.outputs or keys or tuple(f"output_{index}" for index in range(count))
    if len(outputs) != count or len(set(outputs)) != count:
        raise DataError(f"{entry}: outputs names {', '.join(outputs)}, and the module returns {count} tensors")
    taken = sorted(set(outputs) & set(names))
    if taken:
        raise DataError(f"{entry}: {taken[0]} names both an input and an output", hint="name the output otherwise")
    return module, outputs


def said(problem: BaseException) -> str:
    """An exception in one line."""
    first = (str(problem).strip().splitlines() or [""])[0]
    return f"{type(problem).__name__}: {first}" if first else type(problem).__name__


def where(problem: BaseException) -> str:
    """The innermost line of the person's own code that an exception passed, else the innermost line."""
    trace = problem.__traceback__
    last = ""
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        library = {"site-packages", "importlib", "<frozen importlib._bootstrap>"} & set(path.parts)
        if path.is_file() and not library and "edgeshrink/runtimes" not in path.as_posix():
            last = f"{path}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return last


def _is_flat(found: Any) -> bool:
    return isinstance(found, torch.Tensor) or (
        isinstance(found, tuple) and bool(found) and all(isinstance(value, torch.Tensor) for value in found)
    )


def _as_network(entry: str, given: Any) -> TorchNetwork:
    if isinstance(given, TorchNetwork):
        return given
    if not isinstance(given, tuple) or len(given) not in (2, 3):
        raise DataError(f"{entry} returns {_described(given)}", hint=_WAY)
    module, inputs = given[0], given[1]
    if isinstance(inputs, torch.Tensor):
        inputs = (inputs,)
    if isinstance(inputs, (tuple, list)) and isinstance(module, torch.nn.Module):
        arguments = tuple(inspect.signature(module.forward).parameters)
        if len(inputs) > len(arguments):
            raise DataError(f"{entry} gives {len(inputs)} example inputs, and forward takes {len(arguments)}")
        inputs = dict(zip(arguments, inputs, strict=False))
    return TorchNetwork(module, inputs, scorer=given[2] if len(given) == 3 else None)


def _checked(entry: str, network: TorchNetwork) -> TorchNetwork:
    if not isinstance(network.module, torch.nn.Module):
        raise DataError(f"{entry}: the module is {_described(network.module)}, no torch.nn.Module", hint=_WAY)
    if not isinstance(network.inputs, Mapping) or not network.inputs:
        raise DataError(f"{entry}: the example inputs are {_described(network.inputs)}", hint=_WAY)
    for name, value in network.inputs.items():
        if not isinstance(value, torch.Tensor):
            raise DataError(f"{entry}: the example input {name} is {_described(value)}, no tensor", hint=_WAY)
    _check_names(entry, network)
    for role in ("preprocess", "scorer"):
        if getattr(network, role) is not None and not callable(getattr(network, role)):
            raise DataError(f"{entry}: {role} is {_described(getattr(network, role))}, no function", hint=_WAY)
    on = {str(tensor.device) for tensor in (*network.module.parameters(), *network.inputs.values())} - {"cpu"}
    if on:
        raise DataError(f"{entry}: there are tensors on {', '.join(sorted(on))}", hint="return everything on the CPU")
    network.module.eval()
    return network


def _check_names(entry: str, network: TorchNetwork) -> None:
    parameters = inspect.signature(network.module.forward).parameters
    anything = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    unknown = [name for name in network.inputs if name not in parameters and not anything]
    if unknown:
        raise DataError(
            f"{entry}: forward has no argument {unknown[0]}", hint=f"its arguments: {', '.join(parameters) or 'none'}"
        )
    missing = [
        name
        for name, parameter in parameters.items()
        if name not in network.inputs
        and parameter.default is inspect.Parameter.empty
        and parameter.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    ]
    if missing:
        raise DataError(f"{entry}: there is no example for the argument {missing[0]} of forward", hint=_WAY)


def _described(value: Any) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"
