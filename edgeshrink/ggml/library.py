"""Finds and loads the ggml that llama-cpp-python ships, without importing llama_cpp (which loads all of llama.cpp).

ctypes releases the GIL while a function of the library runs, so callers may use threads. Source: ggml.h.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from edgeshrink.core.quant_types import QUANT_TYPES
from edgeshrink.errors import ToolMissing

_INSTALL = "pip install 'llama-cpp-python==0.3.36'"
_ToFloat = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class TypeTraits(ctypes.Structure):
    """`struct ggml_type_traits`. `verify` reads names and sizes through it, so another layout cannot go unnoticed."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", _ToFloat),
        ("from_float_ref", ctypes.c_void_p),
    )


@cache
def library_folder() -> Path:
    """The folder with libggml and libllama: LLAMA_CPP_LIB_PATH as llama-cpp-python takes it, else its own `lib`."""
    given = os.environ.get("LLAMA_CPP_LIB_PATH")
    if given:
        return Path(given)
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or not spec.submodule_search_locations:
        raise ToolMissing("llama-cpp-python is not installed: quantizing needs its libggml", hint=_INSTALL)
    return Path(next(iter(spec.submodule_search_locations))) / "lib"


def shared_libraries(*kinds: str) -> tuple[Path, ...]:
    """The libraries in the folder whose names begin with one of `kinds`, by name, one file for each.

    ToolMissing where there is none of the first kind.
    """
    suffixes = (".dll",) if sys.platform == "win32" else (".so", ".dylib")
    folder = library_folder()
    found = sorted(
        path
        for path in folder.glob("*")
        # macOS puts the version before the suffix (libggml.0.dylib), Linux behind it: such files are the same again
        if path.suffix in suffixes and "." not in path.stem and path.name.removeprefix("lib").startswith(kinds)
    )
    if not any(path.name.removeprefix("lib").startswith(kinds[0]) for path in found):
        raise ToolMissing(f"no lib{kinds[0]} in {folder}", hint=f"reinstall it: {_INSTALL}")
    return tuple(found)


def digest_of(files: Iterable[Path]) -> str:
    """sha256 over the names and contents of `files`."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            digest.update(f"{path.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


@cache
def library_files() -> tuple[Path, ...]:
    """Every ggml library in the folder."""
    return shared_libraries("ggml")


@cache
def library_digest() -> str:
    """Digest of `library_files`: what quantized bytes depend on."""
    return digest_of(library_files())


@cache
def load() -> ctypes.CDLL:
    """libggml-base with its functions typed, checked to lay types out as our table says."""
    path = next((path for path in library_files() if path.stem in ("libggml-base", "ggml-base")), None)
    if path is None:
        raise ToolMissing(f"no libggml-base in {library_folder()}", hint=f"reinstall it: {_INSTALL}")
    if sys.platform == "win32":
        os.add_dll_directory(str(path.parent))
    try:
        library = ctypes.CDLL(str(path))
        _declare(library)
    except (OSError, AttributeError) as error:
        raise ToolMissing(f"{path} does not load: {error}", hint=f"reinstall it: {_INSTALL}") from error
    _verify(library, path)
    return library


def _declare(library: ctypes.CDLL) -> None:
    pointer, count, size = ctypes.c_void_p, ctypes.c_int64, ctypes.c_size_t
    library.ggml_quantize_init.argtypes = [ctypes.c_int]
    library.ggml_quantize_init.restype = None
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, pointer, pointer, count, count, count, pointer]
    library.ggml_quantize_chunk.restype = size
    library.ggml_validate_row_data.argtypes = [ctypes.c_int, pointer, size]
    library.ggml_validate_row_data.restype = ctypes.c_bool
    library.ggml_get_type_traits.argtypes = [ctypes.c_int]
    library.ggml_get_type_traits.restype = ctypes.POINTER(TypeTraits)


def _verify(library: ctypes.CDLL, path: Path) -> None:
    for type in QUANT_TYPES.values():
        traits = library.ggml_get_type_traits(type.ggml_id).contents
        found = (traits.type_name.decode().upper(), traits.blck_size, traits.type_size)
        if found != (type.name, type.block_elements, type.block_bytes):
            message = f"{path} has {found[0]} as type {type.ggml_id} with blocks of {found[1:]}, not {type}"
            raise ToolMissing(message, hint=f"this release of edgeshrink needs {_INSTALL}")
