"""libggml is found without importing llama_cpp, and what is wrong with it is said."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeshrink.core.quant_types import QUANT_TYPES
from edgeshrink.errors import ToolMissing
from edgeshrink.ggml import library


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    cached = (library.library_folder, library.library_files, library.library_digest, library.load)
    for function in cached:
        function.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    for function in cached:
        function.cache_clear()


def test_loading_imports_neither_llama_cpp_nor_gguf() -> None:
    code = (
        "import sys; from edgeshrink.ggml import library; library.load(); print(library.library_digest());"
        "sys.exit(1 if {'llama_cpp', 'gguf', 'torch'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.strip()) == 64


def test_the_digest_follows_the_contents(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    suffix = library.library_files()[0].suffix
    fresh.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    digests = set()
    for content in (b"one", b"two"):
        (tmp_path / f"libggml-base{suffix}").write_bytes(content)
        for function in (library.library_folder, library.library_files, library.library_digest):
            function.cache_clear()
        digests.add(library.library_digest())
    assert len(digests) == 2


def test_a_folder_without_libggml_is_said(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="no libggml in") as caught:
        library.load()
    assert "llama-cpp-python" in caught.value.hint


def test_a_library_that_is_none_is_said(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    suffix = library.library_files()[0].suffix
    library.library_folder.cache_clear()
    library.library_files.cache_clear()
    fresh.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    (tmp_path / f"libggml-base{suffix}").write_bytes(b"not a library")
    with pytest.raises(ToolMissing, match="does not load"):
        library.load()


def test_without_llama_cpp_the_way_to_get_it_is_said(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(library.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissing) as caught:
        library.load()
    assert "pip install" in caught.value.hint


def test_a_libggml_with_another_block_layout_is_refused(fresh: pytest.MonkeyPatch) -> None:
    entry = QUANT_TYPES["Q4_K"]
    fresh.setitem(library.QUANT_TYPES, "Q4_K", type(entry)("Q4_K", 256, 148, ggml_id=entry.ggml_id))
    with pytest.raises(ToolMissing, match="blocks of"):
        library.load()


def test_the_library_is_the_one_that_llama_cpp_uses() -> None:
    assert isinstance(library.load(), ctypes.CDLL)
    import llama_cpp

    assert library.library_folder() == Path(llama_cpp.__file__).parent / "lib"
