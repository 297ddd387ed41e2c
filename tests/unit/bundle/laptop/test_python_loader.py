"""The loader in Python: nothing is opened before every byte and the engine are what was measured."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from loaded_bundles import Python, write_loader
from sample_cargo import sample_cargo

from edgeshrink.bundle.laptop.loader import loader_files
from edgeshrink.core.bundle import Engine

FALLBACK: dict[str, Any] = {"threshold": 0.6, "temperature": 1.5, "risk": 0.05, "coverage": 0.8, "curve": []}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A GGUF that no engine opens, in a bundle that is whole."""
    folder = tmp_path / "bundle"
    sample_cargo(folder, b"GGUF" + bytes(1000))
    return folder


@pytest.fixture
def folder_bundle(tmp_path: Path) -> Path:
    """The model is a folder of two files."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "model.onnx").write_bytes(b"onnx")
    (source / "tokenizer.json").write_bytes(b"{}")
    folder = tmp_path / "folder-bundle"
    engine = Engine("onnx", "onnxruntime-genai", "onnxruntime-genai", "0.18.0")
    sample_cargo(folder, source, format="onnx", engine=engine, main="model/lm")
    return folder


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "bundle.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))


def test_a_folder_without_a_bundle_is_missing(loader: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(loader.BundleMissing, match=r"bundle\.json"):
        loader.load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"schema": "edgeshrink-bundle-1"}',
        '{"schema": 1}',
        '{"schema": "edgeshrink-bundle-1", "schema": "edgeshrink-bundle-1"}',
        '{"schema": NaN}',
        "[" * 100_000,
        '"\ud800"',
    ],
)
def test_what_is_no_manifest_is_invalid(loader: ModuleType, tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(loader.BundleInvalid):
        loader.load(tmp_path)


def test_a_manifest_without_an_end_is_not_read_to_it(loader: ModuleType, tmp_path: Path) -> None:
    with (tmp_path / "bundle.json").open("wb") as stream:
        stream.truncate(1 << 34)
    with pytest.raises(loader.BundleInvalid, match="longer than"):
        loader.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(schema="edgeshrink-bundle-2"),
        lambda said: said.update(context="512"),
        lambda said: said.update(context=True),
        lambda said: said.update(artifact_bytes=-1),
        lambda said: said.update(context=10**400),
        lambda said: said.update(fallback=dict.fromkeys(("threshold", "temperature", "risk", "coverage"), 10**400)),
        *(
            lambda said, change=change: said.update(fallback={**FALLBACK, **change})
            for change in (
                {"threshold": 1.5},
                {"risk": -0.1},
                {"coverage": "all"},
                {"temperature": 0},
                {"curve": None},
                {"curve": [{"threshold": 0.5, "coverage": 1.01, "risk": 0}]},
                {"curve": [{"threshold": 0.5, "coverage": 1.0}]},
            )
        ),
        lambda said: said.update(fallback={key: FALLBACK[key] for key in ("threshold", "risk", "coverage", "curve")}),
        lambda said: said.update(artifact_sha256="A" * 64),
        lambda said: said.update(artifact_sha256="0" * 64),
        lambda said: said.update(main="model/other.gguf"),
        lambda said: said["engine"].update(package="llama-cpp-python; rm -rf /"),
        lambda said: said["engine"].update(version="0.3.36' 'evil"),
        lambda said: said["files"].append(said["files"][0]),
        lambda said: said["files"].append({**said["files"][0], "name": said["files"][0]["name"].upper()}),
        lambda said: said.update(files={}),
    ],
)
def test_a_manifest_that_says_something_else_is_invalid(
    loader: ModuleType, bundle: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    edit(bundle, change)
    with pytest.raises(loader.BundleInvalid):
        loader.load(bundle)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "C:/x",
        "c:x",
        "a\\b",
        "a//b",
        "./a",
        "",
        ".",
        "a/\x1b[2J",
        "a\0b",
        "a/\u202eb",
    ],
)
def test_no_name_leads_out_of_the_bundle(loader: ModuleType, bundle: Path, name: str) -> None:
    edit(bundle, lambda said: said["files"][0].update(name=name))
    with pytest.raises(loader.BundleInvalid, match="no file inside"):
        loader.load(bundle)


def test_a_file_that_is_gone_is_named(loader: ModuleType, bundle: Path) -> None:
    (bundle / "MODEL_CARD.md").unlink()
    with pytest.raises(loader.FileMissing, match=r"MODEL_CARD\.md"):
        loader.load(bundle)


@pytest.mark.parametrize("name", ["model/tiny.gguf", "licenses/model/LICENSE"])
@pytest.mark.parametrize("spoil", [lambda b: b[:-1] + bytes((b[-1] ^ 1,)), lambda b: b + b"\0", lambda b: b[:-1]])
def test_changed_bytes_are_named(loader: ModuleType, bundle: Path, name: str, spoil: Callable[[bytes], bytes]) -> None:
    (bundle / name).write_bytes(spoil((bundle / name).read_bytes()))
    with pytest.raises(loader.DigestMismatch, match=Path(name).name):
        loader.load(bundle)


@pytest.mark.parametrize("added", ["file", "link to a folder"])
def test_nothing_is_added_to_a_folder_that_the_engine_reads(
    loader: ModuleType, folder_bundle: Path, tmp_path: Path, added: str
) -> None:
    if added == "file":
        (folder_bundle / "model" / "lm" / "genai_config.json").write_text("{}")
    else:
        (folder_bundle / "model" / "lm" / "more").symlink_to(tmp_path)
    with pytest.raises(loader.BundleInvalid, match="does not list"):
        loader.load(folder_bundle)


def test_another_version_of_the_engine_is_refused_with_both_and_a_way_out(loader: ModuleType, bundle: Path) -> None:
    edit(bundle, lambda said: said["engine"].update(version="0.3.1"))
    with pytest.raises(loader.EngineMismatch) as refused:
        loader.load(bundle)
    assert "0.3.1" in str(refused.value)
    assert "0.3.36" in str(refused.value)
    assert "pip install 'llama-cpp-python==0.3.1'" in str(refused.value)


def test_an_engine_that_is_not_installed_is_named(loader: ModuleType, bundle: Path) -> None:
    edit(bundle, lambda said: said["engine"].update(package="no-such-engine"))
    with pytest.raises(loader.EngineMismatch, match="no-such-engine"):
        loader.load(bundle)


def test_a_local_label_names_the_same_version(
    loader: ModuleType, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    about = importlib_about(loader, bundle)
    engine = sys.modules[f"{loader.__name__}.engine"]
    monkeypatch.setattr(metadata, "version", lambda _: "0.3.36+cu124")
    engine.require_engine(about)
    monkeypatch.setattr(metadata, "version", lambda _: "0.3.361")
    with pytest.raises(loader.EngineMismatch):
        engine.require_engine(about)


def importlib_about(loader: ModuleType, bundle: Path) -> Any:
    import importlib

    return importlib.import_module(f"{loader.__name__}.about").read_about(bundle)


def test_what_was_read_once_is_remembered_until_it_changes(
    loader: ModuleType, bundle: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = sys.modules[f"{loader.__name__}.digests"]
    about = importlib_about(loader, bundle)
    count = len(about.files)
    assert digests.check_files(bundle, about) == digests.Checked(count, 0)
    assert digests.check_files(bundle, about) == digests.Checked(0, count)
    assert digests.check_files(bundle, about, again=True) == digests.Checked(count, 0)
    model = bundle / "model" / "tiny.gguf"
    before = model.stat()
    model.write_bytes(b"GGUF" + bytes(999) + b"!")
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))  # the time of change cannot be set back
    with pytest.raises(loader.DigestMismatch):
        digests.check_files(bundle, about)
    (memory / "checked.json").chmod(0o666)  # others could have written it
    sample_cargo(bundle.with_name("other"), b"GGUF" + bytes(1000))
    shutil.copytree(bundle.with_name("other"), bundle, dirs_exist_ok=True)
    assert digests.check_files(bundle, about).remembered == 0
    monkeypatch.setenv("EDGESHRINK_BUNDLE_CACHE", "off")
    assert digests.check_files(bundle, about).remembered == 0


@pytest.mark.parametrize("text", ["", "[]", "{", '{"/x": [1]}'])
def test_a_damaged_memory_costs_only_time(loader: ModuleType, bundle: Path, memory: Path, text: str) -> None:
    digests = sys.modules[f"{loader.__name__}.digests"]
    memory.mkdir()
    (memory / "checked.json").write_text(text)
    (memory / "checked.json").chmod(0o600)
    about = importlib_about(loader, bundle)
    assert digests.check_files(bundle, about).remembered == 0
    assert digests.check_files(bundle, about).read == 0


def test_a_memory_that_cannot_be_written_costs_only_time(
    loader: ModuleType, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in the way").write_text("")
    monkeypatch.setenv("EDGESHRINK_BUNDLE_CACHE", str(tmp_path / "in the way"))
    digests = sys.modules[f"{loader.__name__}.digests"]
    about = importlib_about(loader, bundle)
    assert digests.check_files(bundle, about).remembered == 0
    assert digests.check_files(bundle, about).remembered == 0


def test_what_the_engine_refuses_is_unopenable(bundle: Path, tmp_path: Path) -> None:
    python = Python(Path(sys.executable), (write_loader(tmp_path / "package"),), tmp_path / "memory")
    done = python.run("-m", "loader_under_test", "--bundle", bundle, "answer", "hello")
    assert done.returncode == 1
    assert done.stderr.startswith("ModelUnopenable: ")
    assert done.stderr.count("\n") == 1


def test_words_from_a_bundle_do_not_steer_the_terminal(bundle: Path, tmp_path: Path) -> None:
    edit(bundle, lambda said: said.update(schema="\x1b[2Jevil\u202e"))
    python = Python(Path(sys.executable), (write_loader(tmp_path / "package"),), tmp_path / "memory")
    done = python.run("-m", "loader_under_test", "--bundle", bundle, "about")
    assert done.returncode == 1
    assert done.stderr.startswith("BundleInvalid: ")
    assert "\x1b" not in done.stderr


def test_it_imports_only_itself_the_standard_library_and_engines() -> None:
    allowed = {
        "numpy", "llama_cpp", "onnxruntime", "onnxruntime_genai", "torch", "executorch", "pytorch_tokenizers",
        *sys.stdlib_module_names,
    }  # fmt: skip
    for name, content in loader_files().items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(content, name, feature_version=(3, 10))):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, name
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert str(node.module).split(".")[0] in allowed, name


def test_looking_at_the_facts_loads_no_engine(bundle: Path, tmp_path: Path) -> None:
    python = Python(Path(sys.executable), (write_loader(tmp_path / "package"),), tmp_path / "memory")
    code = (
        "import sys, loader_under_test as l\n"
        "try: l.load('nowhere')\n"
        "except l.BundleMissing: print([m for m in ('numpy', 'llama_cpp', 'torch', 'edgeshrink') if m in sys.modules])"
    )
    assert python.said("-c", code, cwd=tmp_path) == "[]\n"


def test_mypy_finds_it_typed_for_the_oldest_python(tmp_path: Path, repository: Path) -> None:
    write_loader(tmp_path, "edgeshrink_typed")
    done = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--config-file", repository / "pyproject.toml", "--strict",
            "--python-version", "3.10", "--cache-dir", tmp_path / "cache", "-p", "edgeshrink_typed",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_ruff_finds_nothing_in_it(repository: Path) -> None:
    folder = repository / "targets" / "laptop-cpu" / "bundle"
    for arguments in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, folder], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
