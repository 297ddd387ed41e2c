from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from edgeshrink.core.manifest import Manifest
from edgeshrink.errors import DataError, UsageError
from edgeshrink.report.json import comparison_to_json, report_to_json
from edgeshrink.report.manifest import (
    is_ours,
    read_manifest,
    verify_manifest,
    write_comparison_manifest,
    write_manifest,
)

from .sample import sample_profile_report, sample_report
from .sample_formats import sample_comparison, sample_onnx_report

VERSIONS = {"python": "3.11.9", "edgeshrink": "0.1.0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished output folder with a file in a subfolder."""
    out = tmp_path / "out"
    (out / "more").mkdir(parents=True)
    (out / "demo-Q4_K_M.gguf").write_bytes(bytes(range(256)) * 40)
    (out / "report.json").write_text(report_to_json(sample_report()), encoding="utf-8")
    (out / "more" / "notes.txt").write_text("hello", encoding="utf-8")
    write_manifest(out, sample_report(), VERSIONS)
    return out


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """What `--format all` leaves: a folder for each format with its own manifest, and the comparison above them."""
    out = tmp_path / "all"
    artifact = out / "onnx" / "demo-int4-onnx"
    artifact.mkdir(parents=True)
    (artifact / "model.onnx").write_bytes(b"graph")
    (artifact / "model.onnx.data").write_bytes(bytes(range(256)) * 20)
    (out / "onnx" / "report.json").write_text(report_to_json(sample_onnx_report()), encoding="utf-8")
    write_manifest(out / "onnx", sample_onnx_report(), VERSIONS)
    (out / "comparison.json").write_text(comparison_to_json(sample_comparison()), encoding="utf-8")
    write_comparison_manifest(out, sample_comparison(), VERSIONS)
    return out


def test_the_files_of_an_artifacts_folder_are_listed_with_forward_slashes(several: Path) -> None:
    manifest = read_manifest(several / "onnx")
    names = [file.name for file in manifest.files]
    assert names == ["demo-int4-onnx/model.onnx", "demo-int4-onnx/model.onnx.data", "report.json"]
    assert verify_manifest(several / "onnx") == ()
    (several / "onnx" / "demo-int4-onnx" / "model.onnx.data").write_bytes(b"cut")
    (problem,) = verify_manifest(several / "onnx")
    assert problem.startswith("demo-int4-onnx/model.onnx.data: changed")


def test_a_known_digest_of_a_file_in_a_folder_is_taken_by_its_whole_name(several: Path) -> None:
    known = {"demo-int4-onnx/model.onnx.data": "1" * 64, "model.onnx": "2" * 64}
    manifest = write_manifest(several / "onnx", sample_onnx_report(), VERSIONS, known_sha256=known)
    assert _file(manifest, "demo-int4-onnx/model.onnx.data") == "1" * 64
    assert _file(manifest, "demo-int4-onnx/model.onnx") == hashlib.sha256(b"graph").hexdigest()


def test_a_link_in_the_place_of_an_artifacts_folder_is_found(several: Path) -> None:
    inside = several / "onnx" / "demo-int4-onnx"
    inside.rename(several.parent / "elsewhere")
    try:
        inside.symlink_to(several.parent / "elsewhere", target_is_directory=True)
    except OSError as error:
        pytest.skip(f"no symbolic links here: {error}")
    assert verify_manifest(several / "onnx") == ("demo-int4-onnx: not listed in manifest.json",)


def test_the_manifest_above_several_formats_covers_all_of_them(several: Path) -> None:
    manifest = read_manifest(several)
    assert is_ours(several) and verify_manifest(several) == ()
    assert [file.name for file in manifest.files] == [
        "comparison.json",
        "onnx/demo-int4-onnx/model.onnx",
        "onnx/demo-int4-onnx/model.onnx.data",
        "onnx/manifest.json",
        "onnx/report.json",
    ]
    assert (manifest.plan.format, manifest.plan.scheme) == ("gguf,onnx,executorch", "gguf=Q4_K_M,onnx=int4")
    assert manifest.report_sha256 == _file(manifest, "comparison.json")
    (several / "onnx" / "report.json").write_text("{}", encoding="utf-8")
    assert [problem.split(":")[0] for problem in verify_manifest(several)] == ["onnx/report.json"]


def test_no_manifest_above_formats_without_their_comparison(several: Path) -> None:
    (several / "comparison.json").unlink()
    with pytest.raises(UsageError, match=r"comparison\.json"):
        write_comparison_manifest(several, sample_comparison(), VERSIONS)
    assert "comparison.json: missing" in verify_manifest(several)


def test_an_untouched_folder_has_no_problem(folder: Path) -> None:
    assert verify_manifest(folder) == ()
    assert is_ours(folder)


def test_the_manifest_says_what_was_built_from_what_and_with_which_tools(folder: Path) -> None:
    manifest = read_manifest(folder)
    report = sample_report()
    assert report.source is not None and manifest.source is not None
    assert manifest.source.digest == report.source.digest
    assert (manifest.plan.scheme, manifest.plan.context, manifest.plan.profile) == ("Q4_K_M", 512, "this-machine")
    assert manifest.plan.tensor_types == {tensor.name: tensor.type for tensor in report.artifact.tensors}
    assert manifest.versions == VERSIONS
    assert [file.name for file in manifest.files] == ["demo-Q4_K_M.gguf", "more/notes.txt", "report.json"]
    for file in manifest.files:
        content = (folder / file.name).read_bytes()
        assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert manifest.report_sha256 == hashlib.sha256((folder / "report.json").read_bytes()).hexdigest()


def test_written_again_it_has_the_same_bytes_and_leaves_nothing_beside(folder: Path) -> None:
    before = (folder / "manifest.json").read_bytes()
    write_manifest(folder, sample_report(), dict(reversed(VERSIONS.items())))
    assert (folder / "manifest.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [
        "demo-Q4_K_M.gguf",
        "manifest.json",
        "more",
        "report.json",
    ]


def test_a_session_without_a_source_has_a_manifest_too(tmp_path: Path) -> None:
    report = sample_profile_report()
    (tmp_path / "report.json").write_text(report_to_json(report), encoding="utf-8")
    assert write_manifest(tmp_path, report, VERSIONS).source is None
    assert verify_manifest(tmp_path) == ()


def test_one_flipped_bit_is_found(folder: Path) -> None:
    path = folder / "demo-Q4_K_M.gguf"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    (problem,) = verify_manifest(folder)
    assert problem.startswith("demo-Q4_K_M.gguf: changed") and "same size" in problem


def test_a_file_cut_short_is_found_with_both_sizes(folder: Path) -> None:
    path = folder / "demo-Q4_K_M.gguf"
    path.write_bytes(path.read_bytes()[:-1])
    (problem,) = verify_manifest(folder)
    assert "10,239" in problem and "10,240" in problem


def test_a_missing_file_is_found(folder: Path) -> None:
    (folder / "more" / "notes.txt").unlink()
    assert verify_manifest(folder) == ("more/notes.txt: missing",)


def test_a_surplus_file_is_found_wherever_it_lies(folder: Path) -> None:
    (folder / "more" / "extra.bin").write_bytes(b"x")
    assert verify_manifest(folder) == ("more/extra.bin: not listed in manifest.json",)


def test_a_folder_in_the_place_of_a_file_is_found(folder: Path) -> None:
    (folder / "demo-Q4_K_M.gguf").unlink()
    (folder / "demo-Q4_K_M.gguf").mkdir()
    assert verify_manifest(folder) == ("demo-Q4_K_M.gguf: is not a file",)


def test_a_link_in_the_place_of_a_file_is_found_even_to_equal_bytes(folder: Path) -> None:
    path = folder / "demo-Q4_K_M.gguf"
    other = folder.parent / "same.gguf"
    path.rename(other)
    try:
        path.symlink_to(other)
    except OSError as error:
        pytest.skip(f"no symbolic links here: {error}")
    assert verify_manifest(folder) == ("demo-Q4_K_M.gguf: is a link, and was a file",)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "C:\\x", "more\\..\\..\\outside"])
def test_a_name_that_leaves_the_folder_makes_no_manifest_of_ours(folder: Path, name: str) -> None:
    (folder.parent / "outside").write_bytes(b"")
    _edit(folder, lambda data: data["files"][0].update(name=name, sha256=hashlib.sha256(b"").hexdigest(), bytes=0))
    assert not is_ours(folder)
    (problem,) = verify_manifest(folder)
    assert "leads out of the folder" in problem


def test_a_report_digest_that_does_not_belong_is_found(folder: Path) -> None:
    _edit(folder, lambda data: data.update(report_sha256="0" * 64))
    (problem,) = verify_manifest(folder)
    assert "report_sha256" in problem


def test_a_manifest_that_lists_no_report_is_found(folder: Path) -> None:
    _edit(folder, lambda data: data.update(files=[file for file in data["files"] if file["name"] != "report.json"]))
    assert "manifest.json: lists no report.json" in verify_manifest(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "something-else"}', '{"schema": "edgeshrink-manifest-1"}'])
def test_what_is_no_manifest_of_ours_makes_no_folder_ours(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    assert not is_ours(folder)
    (problem,) = verify_manifest(folder)
    assert "is not a manifest" in problem


def test_an_unknown_key_is_not_ours(folder: Path) -> None:
    _edit(folder, lambda data: data.update(signed_by="nobody"))
    with pytest.raises(DataError, match="signed_by"):
        read_manifest(folder)


def test_a_folder_without_manifest_is_not_ours(tmp_path: Path) -> None:
    assert not is_ours(tmp_path)
    assert not is_ours(tmp_path / "nowhere")
    (problem,) = verify_manifest(tmp_path)
    assert "has no manifest.json" in problem


def test_no_manifest_without_a_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"report\.json"):
        write_manifest(tmp_path, sample_report(), VERSIONS)
    assert list(tmp_path.iterdir()) == []


def test_a_known_digest_is_taken_as_it_is(folder: Path) -> None:
    manifest = write_manifest(folder, sample_report(), VERSIONS, known_sha256={"demo-Q4_K_M.gguf": "0" * 64})
    assert _file(manifest, "demo-Q4_K_M.gguf") == "0" * 64
    (problem,) = verify_manifest(folder)
    assert problem.startswith("demo-Q4_K_M.gguf: changed")


def _file(manifest: Manifest, name: str) -> str:
    return next(file.sha256 for file in manifest.files if file.name == name)


def _edit(folder: Path, change: object) -> None:
    path = folder / "manifest.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)  # type: ignore[operator]
    path.write_text(json.dumps(data), encoding="utf-8")
