"""The llama.cpp library that llama-cpp-python ships: loaded once, silenced, and asked what it is."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeshrink.errors import ToolMissing
from edgeshrink.ggml.library import digest_of, shared_libraries
from edgeshrink.runtimes.log import tail

# ggml/include/ggml-backend.h, enum ggml_backend_dev_type
_DEVICE_KINDS = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accel"}


@dataclass(frozen=True, slots=True)
class BackendDevice:
    """A device that the library could compute on: `kind` is cpu, gpu, igpu or accel (BLAS and the like)."""

    name: str
    kind: str
    description: str


@functools.cache
def library() -> Any:
    """The low-level ctypes module `llama_cpp.llama_cpp`, initialized, its log collected in `log.tail`."""
    try:
        import llama_cpp.llama_cpp as api
    except (ImportError, OSError, RuntimeError) as error:
        raise ToolMissing(
            f"llama.cpp cannot be loaded: {error}",
            hint="pip install --force-reinstall --no-cache-dir llama-cpp-python==0.3.36 (it needs a C++ compiler)",
        ) from error
    collect_log(api)
    api.llama_backend_init()
    return api


def collect_log(api: Any) -> None:
    """Send the library's log to `log.tail`; again before each load, as other users of llama_cpp may have taken it."""
    api.llama_log_set(_log_callback(api), ctypes.c_void_p(0))


@functools.cache
def _log_callback(api: Any) -> Any:
    def collect(level: int, text: bytes, _: object) -> None:
        tail.write(level, text.decode("utf-8", "replace"))

    return api.llama_log_callback(collect)


@functools.cache
def version() -> str:
    """Version of llama-cpp-python, and of the llama.cpp in it where the library says it."""
    library()
    import llama_cpp

    commit = _ggml_text("ggml_commit")
    return f"{llama_cpp.__version__} (llama.cpp {commit})" if commit else str(llama_cpp.__version__)


@functools.cache
def build_id() -> str:
    """sha256 over libllama and libggml* as installed: any rebuild, with whatever flags, has another one."""
    return f"llama.cpp-{digest_of(library_files())[:32]}"


def library_files() -> tuple[Path, ...]:
    """The shared libraries that compute, in name order."""
    return shared_libraries("llama", "ggml")


@functools.cache
def devices() -> tuple[BackendDevice, ...]:
    """Every device of every backend that is compiled in; empty where this build of the library cannot be asked."""
    try:
        libggml = _ggml()
        count, get = libggml.ggml_backend_dev_count, libggml.ggml_backend_dev_get
        name, describe, kind = (
            libggml.ggml_backend_dev_name,
            libggml.ggml_backend_dev_description,
            libggml.ggml_backend_dev_type,
        )
    except (OSError, AttributeError):
        return ()
    count.restype, get.argtypes, get.restype = ctypes.c_size_t, [ctypes.c_size_t], ctypes.c_void_p
    for function in (name, describe):
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    kind.argtypes, kind.restype = [ctypes.c_void_p], ctypes.c_int
    found = []
    for index in range(count()):
        device = get(index)
        words = [(function(device) or b"").decode("utf-8", "replace") for function in (name, describe)]
        found.append(BackendDevice(words[0], _DEVICE_KINDS.get(kind(device), "other"), words[1]))
    return tuple(found)


@functools.cache
def cpu_features() -> tuple[str, ...]:
    """CPU features compiled in *and* found on this CPU, as the library names them (AVX2, NEON, ...)."""
    return parse_system_info(library().llama_print_system_info().decode("utf-8", "replace"))


def parse_system_info(text: str) -> tuple[str, ...]:
    """Names that are 1 in the CPU part of "CPU : AVX = 1 | AVX2 = 0 | Metal : EMBED_LIBRARY = 1 | "."""
    names: list[str] = []
    backend = "CPU"
    for part in text.split("|"):
        head, colon, rest = part.partition(" : ")
        if colon:
            backend = head.strip()
        name, equals, value = (rest if colon else part).partition("=")
        if equals and backend == "CPU" and value.strip() == "1":
            names.append(name.strip())
    return tuple(names)


def _ggml() -> ctypes.CDLL:
    """The libggml that libllama computes with; `llama_cpp._ggml` does not look at LLAMA_CPP_LIB_PATH."""
    library()
    path = next((file for file in library_files() if file.stem in ("libggml", "ggml")), None)
    if path is None:
        raise OSError("libllama has no libggml beside it")
    return ctypes.CDLL(str(path))


def _ggml_text(symbol: str) -> str | None:
    try:
        function = getattr(_ggml(), symbol)
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_char_p
    answer: bytes | None = function()
    return answer.decode() if answer else None
