"""Which artifact a path means, and the runtime that opens it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeshrink.core.manifest import MANIFEST_SCHEMA, Manifest, ManifestFile, ManifestPlan
from edgeshrink.core.values import to_json
from edgeshrink.engine.artifacts import Found, find_artifact, trained_context
from edgeshrink.errors import UsageError
from edgeshrink.store.digests import file_sha256


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")


def built(folder: Path, format: str, *names: str) -> Path:
    """A folder as `build` leaves it."""
    touch(folder, *names)
    files = tuple(ManifestFile(name, file_sha256(folder / name), len(name)) for name in names)
    plan = ManifestPlan("laptop-cpu", "this-machine", format, "x", 512, "none", {})
    manifest = Manifest(MANIFEST_SCHEMA, "2026-01-01", None, plan, {}, "0" * 64, files)
    (folder / "manifest.json").write_text(to_json(manifest), encoding="utf-8")
    return folder


def test_a_file_is_known_by_its_ending_and_by_what_stands_beside_it(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "a.gguf",
        "net.pte",
        "net.onnx",
        "lm/model.pte",
        "lm/tokenizer.json",
        "g/genai_config.json",
        "g/m.onnx",
    )
    assert find_artifact(tmp_path / "a.gguf") == Found(tmp_path / "a.gguf", "llama_cpp", network=False)
    assert find_artifact(tmp_path / "net.pte") == Found(tmp_path / "net.pte", "executorch", network=True)
    assert find_artifact(tmp_path / "net.onnx") == Found(tmp_path / "net.onnx", "onnx", network=True)
    assert find_artifact(tmp_path / "lm" / "model.pte") == Found(tmp_path / "lm", "executorch", network=False)
    assert find_artifact(tmp_path / "g" / "m.onnx") == Found(tmp_path / "g", "onnx", network=False)


@pytest.mark.parametrize("name", ["lm", "g"])
def test_a_bare_folder_of_a_language_model_is_taken(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "lm/model.pte", "lm/tokenizer.json", "g/genai_config.json", "g/model.onnx")
    assert find_artifact(tmp_path / name).path == tmp_path / name


@pytest.mark.parametrize(
    ("format", "files", "expected"),
    [
        ("gguf", ("demo-Q4_K_M.gguf", "report.json"), "demo-Q4_K_M.gguf"),
        ("onnx", ("d/genai_config.json", "d/model.onnx", "d/tokenizer.json"), "d"),
        ("executorch", ("d/model.pte", "d/tokenizer.json"), "d"),
        ("onnx", ("resnet-int8.onnx", "report.json"), "resnet-int8.onnx"),
    ],
)
def test_a_build_folder_leads_to_its_artifact(
    tmp_path: Path, format: str, files: tuple[str, ...], expected: str
) -> None:
    out = built(tmp_path / "out", format, *files)
    assert find_artifact(out).path == out / expected


@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_of_several_builds_asks_for_one_of_them(tmp_path: Path, finished: bool) -> None:
    for name in ("gguf", "onnx"):
        built(tmp_path / name, name, "x.gguf")
    if finished:
        built(tmp_path, "gguf", "comparison.json", "gguf/x.gguf", "onnx/x.gguf")
    with pytest.raises(UsageError, match="several builds") as caught:
        find_artifact(tmp_path)
    assert "gguf, onnx" in caught.value.hint


@pytest.mark.parametrize("name", ["absent", "text.txt", "empty"])
def test_what_is_no_artifact_is_refused_with_what_would_be_one(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "text.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        find_artifact(tmp_path / name)
    assert ".pte" in caught.value.hint


def test_the_context_of_an_onnx_folder_is_in_its_config(tmp_path: Path) -> None:
    touch(tmp_path, "model.onnx")
    (tmp_path / "genai_config.json").write_text(json.dumps({"model": {"context_length": 640}}), encoding="utf-8")
    assert trained_context(find_artifact(tmp_path)) == 640
