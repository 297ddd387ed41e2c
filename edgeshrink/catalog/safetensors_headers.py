"""Names, shapes, types and places of all tensors of a folder, from safetensors headers. No weight is read."""

from __future__ import annotations

import math
from pathlib import Path

from edgeshrink.catalog.json_files import POINTER, read_json, refuse_pointer
from edgeshrink.core.model import SourceTensor
from edgeshrink.errors import DataError, UnsupportedModel

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
FLOATS = {"F32": 4, "F16": 2, "BF16": 2}
_LENGTH_BYTES = 8


def read_tensors(folder: Path) -> tuple[SourceTensor, ...]:
    """All tensors of `folder`, file after file; empty where the folder holds no weights at all."""
    tensors: list[SourceTensor] = []
    seen: dict[str, Path] = {}
    for file in weight_files(folder):
        for tensor in read_header(file):
            if tensor.name in seen:
                raise DataError(
                    f"tensor {tensor.name} stands in both {seen[tensor.name].name} and {file.name} of {folder}",
                    hint=f"keep the files that {INDEX} names, move the others out of the folder",
                )
            seen[tensor.name] = file
            tensors.append(tensor)
    return tuple(tensors)


def read_header(file: Path) -> tuple[SourceTensor, ...]:
    """The tensors of one safetensors file. DataError where it is cut short or no safetensors file."""
    from safetensors import SafetensorError, safe_open

    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(max(_LENGTH_BYTES, len(POINTER)))
    refuse_pointer(file, start)
    offset = _LENGTH_BYTES + int.from_bytes(start[:_LENGTH_BYTES], "little")
    if size < _LENGTH_BYTES or offset > size:
        raise _cut_short(file, size, "its header is not whole")
    tensors: list[SourceTensor] = []
    try:
        with safe_open(str(file), framework="numpy") as handle:
            for name in handle.offset_keys():
                view = handle.get_slice(name)
                shape, dtype = tuple(view.get_shape()), view.get_dtype()
                nbytes = _checked_width(file, name, dtype) * math.prod(shape)
                tensors.append(SourceTensor(name, shape, dtype, file, offset, nbytes))
                offset += nbytes
    except SafetensorError as problem:
        raise _cut_short(file, size, str(problem)) from problem
    if offset != size:
        raise _cut_short(file, size, f"its tensors end at byte {offset:,}")
    return tuple(tensors)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of `folder`, by its index where it has one; none where it holds no weights."""
    index = folder / INDEX
    if index.is_file():
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise DataError(f"{index}: expected an object under weight_map, found {type(weight_map).__name__}")
        names = sorted({str(name) for name in weight_map.values()})
        outside = [name for name in names if Path(name).name != name]
        if outside:
            raise DataError(f"{index} names a file outside its folder: {outside[0]}")
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise DataError(
                f"{folder} lacks {', '.join(missing[:3])}{' and more' * (len(missing) > 3)}: "
                f"{len(missing)} of the {len(names)} weight files that {INDEX} names",
                hint="fetch the missing files, for example `hf download MODEL --local-dir FOLDER`",
            )
        return tuple(folder / name for name in names)
    single = folder / SINGLE
    if single.is_file():
        return (single,)
    found = tuple(sorted(folder.glob("*.safetensors")))
    if not found:
        _refuse_pickles(folder)
    return found


def _refuse_pickles(folder: Path) -> None:
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise UnsupportedModel(
            f"{folder} holds its weights as {pickles[0]} only: a pickle can run code when it is read, "
            "so edgeshrink never opens one",
            hint="fetch the model's safetensors files, or write them from a source you trust: "
            "transformers' AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER), "
            "and the same for AutoTokenizer",
        )


def _checked_width(file: Path, name: str, dtype: str) -> int:
    width = FLOATS.get(dtype)
    if width is None:
        raise UnsupportedModel(
            f"{file.name}: tensor {name} is {dtype}; edgeshrink builds from {', '.join(FLOATS)} weights",
            hint="start from the model's unquantized checkpoint (bf16, f16 or f32)",
        )
    return width


def _cut_short(file: Path, size: int, why: str) -> DataError:
    return DataError(
        f"{file} is not a whole safetensors file ({size:,} bytes): {why}",
        hint="the download was probably cut short: fetch this file again",
    )
