"""Whether what a person called MODEL is a network, and where it comes from. Names and files only: no code is run."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, cast

from edgeshrink.catalog.hub import HUB_ID, fetch
from edgeshrink.catalog.huggingface import model_license, snapshot_revision
from edgeshrink.catalog.json_files import read_json
from edgeshrink.catalog.network_families import FAMILIES, Family, Task, task_of
from edgeshrink.catalog.refusals import refuse_quantized
from edgeshrink.catalog.safetensors_headers import weight_files
from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.network import NetworkKind, NetworkSource, Port
from edgeshrink.errors import DataError, UnsupportedModel

ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_FUNCTION_WAY = (
    "write a function that returns edgeshrink.TorchNetwork(module, example inputs) and give it as "
    "package.module:function"
)


def network_source(given: str, *, offline: bool = False, revision: str | None = None) -> NetworkSource | None:
    """The network that `given` names; None where it is none: a language model, or nothing that is known here.

    `given` is "package.module:function", a Hugging Face folder or hub id of an encoder or image model, or an .onnx
    file. DataError, UnsupportedModel: it is meant as a network and cannot be one.
    """
    path = Path(given).expanduser()
    try:
        exists = path.exists()
    except OSError:
        exists = False
    if exists and path.is_dir():
        return _folder_source(path, given)
    if path.suffix.lower() == ".onnx":
        if not exists:
            raise DataError(f"there is no file {given}", hint="check the path")
        return NetworkSource("onnx", given, path.resolve())
    if not exists and ENTRY.fullmatch(given):
        return NetworkSource("function", given, _module_file(given), entry=given)
    if not exists and HUB_ID.fullmatch(given) and path.suffix != ".gguf":
        return _hub_source(given, offline=offline, revision=revision)
    return None


def folder_family(folder: Path) -> tuple[Family, Task] | None:
    """The row and the task of a Hugging Face folder; None where it is no network (a language model, no config.json).

    UnsupportedModel: an encoder or image model of a family that has no row, or a head that has none.
    """
    file = folder / "config.json"
    if not file.is_file():
        return None
    config = read_json(file)
    family, task, name = FAMILIES.get(str(config.get("model_type"))), task_of(class_name(config)), class_name(config)
    if family is None:
        if task is None or not name or config.get("model_type") in ARCHITECTURES or config.get("auto_map"):
            return None
        raise UnsupportedModel(
            f"{file}: {name} (model_type {config.get('model_type')!r}) is a network of a family that edgeshrink does "
            "not know by its folder",
            hint=f"known families: {', '.join(FAMILIES)}; for any other, {_FUNCTION_WAY}",
        )
    if task is None:
        raise UnsupportedModel(
            f"{file}: the class is {name}, and edgeshrink does not know the inputs and outputs of that head",
            hint=_FUNCTION_WAY,
        )
    refuse_quantized(file, config)
    return family, task


def class_name(config: Mapping[str, Any]) -> str:
    """The first class that config.json names; "" where none is."""
    classes = config.get("architectures")
    return str(classes[0]) if isinstance(classes, list) and classes else ""


def source_to_json(source: NetworkSource) -> dict[str, str | None]:
    """`source` as a job's parameter."""
    return {
        "kind": source.kind,
        "given": source.given,
        "path": str(source.path),
        "entry": source.entry,
        "hub_id": source.hub_id,
        "revision": source.revision,
        "license": source.license,
    }


def source_from_json(parameters: Mapping[str, Any]) -> NetworkSource:
    """`source_to_json` back."""
    return NetworkSource(
        cast(NetworkKind, parameters["kind"]),
        str(parameters["given"]),
        Path(parameters["path"]),
        str(parameters["entry"]),
        parameters["hub_id"],
        parameters["revision"],
        parameters["license"],
    )


def port_to_json(port: Port) -> list[object]:
    """A port as JSON: [name, dtype, shape]."""
    return [port.name, port.dtype, list(port.shape)]


def port_from_json(found: Any) -> Port:
    """`port_to_json` back."""
    name, dtype, shape = found
    return Port(str(name), str(dtype), tuple(shape))


def _folder_source(folder: Path, given: str, hub_id: str | None = None) -> NetworkSource | None:
    if folder_family(folder) is None:
        return None
    if hub_id is None and not weight_files(folder):
        raise DataError(f"{folder} holds no *.safetensors", hint="fetch the model's weights into this folder")
    return NetworkSource(
        "huggingface",
        given,
        folder.resolve(),
        hub_id=hub_id,
        revision=snapshot_revision(folder),
        license=model_license(folder / "README.md"),
    )


def _hub_source(hub_id: str, *, offline: bool, revision: str | None) -> NetworkSource | None:
    """The small files first: gigabytes are fetched only for what can be built."""
    folder = fetch(hub_id, offline=offline, weights=False, revision=revision)
    if folder_family(folder) is None:
        return None
    folder = fetch(hub_id, offline=offline, weights=True, revision=snapshot_revision(folder))
    if not weight_files(folder):
        raise UnsupportedModel(
            f"{hub_id} has no model*.safetensors on the hub; edgeshrink opens no other weights",
            hint="ask its authors for safetensors, or convert it yourself and give the folder",
        )
    return _folder_source(folder, hub_id, hub_id)


def _module_file(entry: str) -> Path:
    """The file of the module that `entry` names, found as Python would find it, without importing anything."""
    module, _, function = entry.partition(":")
    names = module.split(".")
    places = [str(Path.cwd()), *sys.path]
    spec: ModuleSpec | None = None
    for count in range(1, len(names) + 1):
        name = ".".join(names[:count])
        spec = _spec(name, places)
        if spec is None and count == 1:
            spec = _installed_spec(name)
        if spec is None:
            raise DataError(
                f"{entry}: there is no Python module {name} in {Path.cwd()} or on the Python path",
                hint="start edgeshrink in the folder that holds it, or install its package",
            )
        places = list(spec.submodule_search_locations or ())
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise DataError(f"{entry}: {module} is a folder without a file of code", hint=f"name the module of {function}")
    return Path(spec.origin).resolve()


def _spec(name: str, places: list[str]) -> ModuleSpec | None:
    """What `places` hold under `name`, a folder without __init__.py too."""
    try:
        return PathFinder.find_spec(name, places)
    except KeyError:  # such a folder inside another: its path looks the outer one up among the imported modules
        spec = ModuleSpec(name, None, is_package=True)
        folders = (Path(place) / name.rpartition(".")[2] for place in places)
        spec.submodule_search_locations = [str(folder) for folder in folders if folder.is_dir()]
        return spec


def _installed_spec(name: str) -> ModuleSpec | None:
    """A package that only an import hook knows (an editable install)."""
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
