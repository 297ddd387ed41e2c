"""The llama.cpp that is installed here: its version, and the libraries and headers that pip put in place."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

from edgeshrink.errors import ToolMissing

PACKAGE = "llama-cpp-python"
_FIX = "pip install --force-reinstall 'llama-cpp-python==0.3.36'"


def llama_version() -> str:
    """The version of llama-cpp-python, which names the llama.cpp in it; a mark of who built it ("0.3.36+cu124") is left
    out, for the sources know none. ToolMissing where it is not installed."""
    try:
        return metadata.version(PACKAGE).partition("+")[0]
    except metadata.PackageNotFoundError:
        raise ToolMissing(f"{PACKAGE} is not installed: the runner is built from its sources", hint=_FIX) from None


def llama_libraries() -> Path:
    """The folder with libllama and libggml: LLAMA_CPP_LIB_PATH as llama-cpp-python takes it, else its own."""
    if given := os.environ.get("LLAMA_CPP_LIB_PATH"):
        return Path(given)
    return _folder_of("llama_cpp/lib/libllama.so", "llama_cpp/lib/libllama.dylib")


def llama_headers() -> Path:
    """The folder with llama.h and ggml.h of the installed version."""
    return _folder_of("include/llama.h")


def _folder_of(*names: str) -> Path:
    llama_version()
    for file in metadata.files(PACKAGE) or ():
        if file.as_posix().endswith(names) and (path := Path(str(file.locate()))).is_file():
            return path.resolve().parent
    raise ToolMissing(f"the installed {PACKAGE} has no {Path(names[0]).name}", hint=_FIX)
