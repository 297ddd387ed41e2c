"""Fixtures that every room may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.fixtures import adb_device, lab, ssh_device, x86_ssh_device
from one_process import OneProcess

from edgeshrink.store import store_root

__all__ = ["adb_device", "lab", "ssh_device", "x86_ssh_device"]

# A run started in the background by a script (or by nohup) has Ctrl-C (SIGHUP) ignored, and so would every process have
# that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Runners for devices take minutes to build: tests share those of the person's own cache, which are kept by content.
os.environ.setdefault("EDGESHRINK_RUNNERS", str(store_root() / "runners"))

# A suite takes longer than a build: tests that are about one ask for it.
os.environ["EDGESHRINK_SUITE"] = "none"
os.environ["EDGESHRINK_SHRINK"] = "never"

_REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    return _REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real models, tokenizers and text nobody here wrote: EDGESHRINK_SHARED_DATA, or ../shared/data."""
    folder = Path(os.environ.get("EDGESHRINK_SHARED_DATA", _REPOSITORY.parent / "shared" / "data"))
    if not (folder / "MANIFEST.md").is_file():
        pytest.skip(f"no shared test data at {folder} (set EDGESHRINK_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def stories(shared_data: Path) -> Path:
    """A real trained Llama of 260K parameters, as a Hugging Face folder."""
    return shared_data / "lm" / "stories260K"


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The trained model that ships with the package."""
    return _REPOSITORY / "edgeshrink" / "_demo"


@pytest.fixture(scope="session")
def one_process() -> Iterator[OneProcess]:
    """Where small exports run one after another."""
    one = OneProcess()
    yield one
    one.close()


@pytest.fixture(scope="module")
def exports_in_one_process(one_process: OneProcess) -> Iterator[None]:
    """For all of a module's exports."""
    with one_process.for_exporters():
        yield


@pytest.fixture(autouse=True)
def private_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own store."""
    monkeypatch.setenv("EDGESHRINK_CACHE", str(tmp_path_factory.getbasetemp() / "store"))
