"""llama.cpp's sources: out of the sdist that pip finds, and nowhere else on the disk."""

from __future__ import annotations

import io
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from edgeshrink.errors import DataError, ToolMissing, UsageError
from edgeshrink.toolchain.runner.sources import VARIABLE, llama_sources, unpack

VERSION = metadata.version("llama-cpp-python")
ROOT = f"llama_cpp_python-{VERSION}"
LLAMA = f"{ROOT}/vendor/llama.cpp"
WHOLE = {
    f"{LLAMA}/CMakeLists.txt": "project(llama)",
    f"{LLAMA}/include/llama.h": "// llama",
    f"{LLAMA}/ggml/CMakeLists.txt": "",
    f"{LLAMA}/src/CMakeLists.txt": "",
    f"{LLAMA}/models/huge.gguf": "not needed",
    f"{ROOT}/llama_cpp/llama.py": "not needed",
}
# A build back end of the sdist's own, so that pip needs nothing else to name its metadata.
BACK_END = f"""
import pathlib
def prepare_metadata_for_build_wheel(folder, settings=None):
    name = "llama_cpp_python-{VERSION}.dist-info"
    (pathlib.Path(folder) / name).mkdir()
    text = "Metadata-Version: 2.1\\nName: llama-cpp-python\\nVersion: {VERSION}\\n"
    (pathlib.Path(folder) / name / "METADATA").write_text(text)
    return name
def build_wheel(folder, settings=None, metadata=None):
    raise SystemExit("nothing is built to fetch sources")
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "back_end"\nbackend-path = ["."]\n'


def archive(path: Path, files: dict[str, str], *more: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for member in more:
            tar.addfile(member)
    return path


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip sees this folder only."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    monkeypatch.delenv(VARIABLE, raising=False)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(shelf), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    return shelf


def test_pip_fetches_the_installed_version_once_and_builds_nothing(offline: Path, tmp_path: Path) -> None:
    files = {**WHOLE, f"{ROOT}/pyproject.toml": PROJECT, f"{ROOT}/back_end.py": BACK_END}
    sdist = archive(offline / f"{ROOT}.tar.gz", {**files, f"{ROOT}/PKG-INFO": "Metadata-Version: 2.1\n"})
    cache = tmp_path / "cache"
    found = llama_sources(cache)
    assert names(found) == {"CMakeLists.txt", "include/llama.h", "ggml/CMakeLists.txt", "src/CMakeLists.txt"}
    sdist.unlink()
    assert llama_sources(cache) == found
    assert [path for path in cache.iterdir() if path.is_dir()] == [found]


def test_without_a_network_it_says_how_to_go_on(offline: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as error:
        llama_sources(tmp_path / "cache")
    assert f"llama-cpp-python=={VERSION}" in error.value.message
    assert VARIABLE in error.value.hint and "network" in error.value.hint
    assert not any(path.is_dir() for path in (tmp_path / "cache").iterdir())


def test_without_pip_it_says_how_to_get_it(offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip"; exit 1\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(ToolMissing) as error:
        llama_sources(tmp_path / "cache")
    assert "ensurepip" in error.value.hint and VARIABLE in error.value.hint


def test_a_folder_of_the_persons_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpack(archive(tmp_path / "sdist.tar.gz", WHOLE), tmp_path / "mine")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    assert llama_sources(tmp_path / "cache") == tmp_path / "mine"
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_is_no_llama_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match=r"include/llama\.h"):
        llama_sources(tmp_path / "cache")


@pytest.mark.parametrize(
    "name", [f"{LLAMA}/ggml/../../../../evil", "../evil", f"{LLAMA}/../../../evil", "/tmp/edgeshrink-evil"]
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="outside of itself"):
        unpack(archive(tmp_path / "sdist.tar.gz", {**WHOLE, name: "evil"}), tmp_path / "deep" / "target")
    assert not (tmp_path / "deep" / "target").exists()
    assert not list(tmp_path.rglob("evil")) and not Path("/tmp/edgeshrink-evil").exists()


@pytest.mark.parametrize("target", ["../../../outside", "/etc/hostname"])
def test_links_that_lead_out_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "outside").mkdir()
    planted = archive(tmp_path / "sdist.tar.gz", WHOLE, link(f"{LLAMA}/ggml/door", target))
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(planted, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_torn_archive_leaves_nothing(tmp_path: Path) -> None:
    whole = archive(tmp_path / "sdist.tar.gz", {**WHOLE, f"{LLAMA}/src/big.cpp": "x" * 100_000})
    torn = tmp_path / "torn.tar.gz"
    torn.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(DataError):
        unpack(torn, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_an_sdist_without_llama_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no llama\.cpp"):
        unpack(archive(tmp_path / "sdist.tar.gz", {f"{ROOT}/setup.py": ""}), tmp_path / "target")
