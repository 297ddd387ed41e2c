"""Jetson packages for tests: around any bytes and a program that only looks like a runner, or around the real ones."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from built_gguf import build_gguf
from built_runners import ready_runner
from lab.programs import arm64_program
from sample_cargo import DEMO_CHAT, LLAMA, sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.chat import chat_of
from edgeshrink.bundle.chat_words import read_words
from edgeshrink.bundle.jetson.bundler import BUNDLER
from edgeshrink.core.bundle import BundleOptions, Chat, Engine
from edgeshrink.core.events import silent

UNITS = tuple(f"edgeshrink-tiny{ending}" for ending in (".service", ".socket", "-check.service", "-check.timer"))
ONNX = Engine("onnx", "onnxruntime-genai", "onnxruntime-genai", "0.18.0")


def needs(program: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} not installed (Debian: {package})")


def looks_like_a_runner(path: Path, version: str = LLAMA.version) -> Path:
    """A static arm64 program that does nothing, and names that version of its engine."""
    path.write_bytes(arm64_program("none") + b"\0" + version.encode() + b"\0")
    path.chmod(0o755)
    return path


def package(
    folder: Path,
    model: bytes | Path = b"GGUF" + bytes(5000),
    *,
    runner: Path | None = None,
    name: str = "tiny",
    chat: Chat | None = DEMO_CHAT,
    archives: bool = True,
) -> Cargo:
    """A whole GGUF bundle in the new folder `folder`."""
    cargo = sample_cargo(folder, model, kind="jetson", name=name, chat=chat)
    runner = runner or looks_like_a_runner(folder.parent / "runner")
    options = BundleOptions("jetson", name, runner=runner, archives=archives)
    BUNDLER.check(cargo.manifest, options)
    BUNDLER.write(cargo, options, silent)
    return cargo


def demo_package(folder: Path) -> Path:
    """The demo model in Q4_K_M with the runner for a Jetson's CPU: a whole bundle in the existing `folder`."""
    build_gguf(Path(__file__).resolve().parents[1] / "edgeshrink" / "_demo", folder / "demo.gguf", "Q4_K_M")
    chat, _ = chat_of(read_words(folder / "demo.gguf", "llama_cpp"), today="2026-11-21")
    runner = ready_runner("arm64-dotprod").path
    return package(folder / "bundle", folder / "demo.gguf", runner=runner, chat=chat).folder


def wheel(folder: Path, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> Path:
    """A wheel with one module, which knows its version."""
    folder.mkdir(exist_ok=True)
    module = name.replace("-", "_")
    path = folder / f"{module}-{version}-{tag}.whl"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}/__init__.py", f"__version__ = {version!r}\n")
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        archive.writestr(f"{module}-{version}.dist-info/METADATA", head + needs)
        about = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
        archive.writestr(f"{module}-{version}.dist-info/WHEEL", about)
        archive.writestr(f"{module}-{version}.dist-info/RECORD", "")
    return path


def onnx_wheels(folder: Path, python: str = "311") -> Path:
    """What the ONNX runtime needs, as wheels that weigh nothing."""
    native = f"cp{python}-cp{python}-manylinux_2_28_aarch64"
    wheel(folder, "onnxruntime", "1.31.1", "numpy>=1.21", "sympy; extra == 'symbolic'", tag=native)
    wheel(folder, "onnxruntime-genai", "0.18.0", "numpy>=1.21", "onnxruntime>=1.31.0", tag=native)
    wheel(folder, "numpy", "2.4.0", tag=f"cp{python}-cp{python}-manylinux_2_27_aarch64.manylinux_2_28_aarch64")
    return folder


def arm64_python(folder: Path, version: str = "3.11") -> Path:
    """A folder laid out as a relocatable Python for arm64 Linux."""
    library = folder / "lib" / f"python{version}"
    for name in ("os.py", "json/__init__.py", "test/test_os.py", "__pycache__/os.cpython-311.pyc"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text("")
    (folder / "bin").mkdir()
    (folder / "bin" / f"python{version}").write_bytes(arm64_program("none"))
    (folder / "bin" / "python3").symlink_to(f"python{version}")
    return folder
