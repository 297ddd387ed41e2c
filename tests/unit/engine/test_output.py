"""The output folder is reused when it is ours, refused when it is not, and never half-written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from edgeshrink.core.manifest import MANIFEST_SCHEMA, Manifest, ManifestFile, ManifestPlan
from edgeshrink.core.values import to_json
from edgeshrink.engine.output import check_output, place, staged
from edgeshrink.errors import NoSpace, UsageError
from edgeshrink.store.digests import file_sha256
from edgeshrink.store.notes import Notes


def write_ours(folder: Path, *names: str) -> None:
    """A folder as a build leaves it: files and a manifest that lists them."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(name, encoding="utf-8")
    manifest(folder, *names)


def manifest(folder: Path, *names: str) -> None:
    files = tuple(ManifestFile(name, file_sha256(folder / name), (folder / name).stat().st_size) for name in names)
    plan = ManifestPlan("laptop-cpu", "this-machine", "gguf", "Q8_0", 512, "none", {})
    written = Manifest(MANIFEST_SCHEMA, "2026-01-01", None, plan, {}, "0" * 64, files)
    (folder / "manifest.json").write_text(to_json(written), encoding="utf-8")


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name != "manifest.json"}


def test_an_absent_an_empty_and_an_own_folder_are_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_ours(tmp_path / "ours", "a.txt")
    for name in ("absent", "empty", "ours"):
        check_output(tmp_path / name)


def test_a_foreign_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "x").write_text("", encoding="utf-8")
    for path in (tmp_path / "foreign", tmp_path / "foreign" / "x"):
        with pytest.raises(UsageError):
            check_output(path)


def test_the_new_content_replaces_the_old_and_spares_what_others_put_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_ours(out, "old.gguf", "report.json")
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with staged(out) as staging:
        write_ours(staging, "new.gguf", "report.json")
    assert contents(out) == {"new.gguf": "new.gguf", "report.json": "report.json", "notes.txt": "mine"}


def test_a_folder_of_files_is_replaced_file_by_file_and_an_empty_one_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "m-onnx").mkdir(parents=True)
    write_ours(out, "m-onnx/model.onnx", "m-onnx/old.data")
    (tmp_path / "new").write_text("new", encoding="utf-8")
    notes = Notes(tmp_path / "notes")
    for folder in ("m-onnx", "m-int4-onnx"):
        with staged(out) as staging:
            place(tmp_path / "new", f"{folder}/model.onnx", staging, out, file_sha256(tmp_path / "new"), notes)
            manifest(staging, f"{folder}/model.onnx")
        found = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
        assert sorted(found) == sorted([f"{folder}/model.onnx", "manifest.json"])
        assert (out / folder / "model.onnx").read_text(encoding="utf-8") == "new"
    assert not (out / "m-onnx").exists()


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_ours(out, "old.gguf")
    with pytest.raises(RuntimeError), staged(out) as staging:
        (staging / "new.gguf").write_text("half", encoding="utf-8")
        raise RuntimeError
    assert contents(out) == {"old.gguf": "old.gguf"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_said_and_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NoSpace), staged(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_the_same_artifact_is_not_copied_again_and_a_changed_one_is(tmp_path: Path) -> None:
    source, out, staging = tmp_path / "store.gguf", tmp_path / "out", tmp_path / "staging"
    out.mkdir()
    staging.mkdir()
    source.write_text("weights", encoding="utf-8")
    (out / "m.gguf").write_text("weights", encoding="utf-8")
    place(source, "m.gguf", staging, out, file_sha256(source), Notes(tmp_path / "notes"))
    assert (staging / "m.gguf").samefile(out / "m.gguf")
    (staging / "m.gguf").unlink()
    (out / "m.gguf").write_text("WEIGHTS", encoding="utf-8")
    place(source, "m.gguf", staging, out, file_sha256(source), Notes(tmp_path / "notes"))
    assert (staging / "m.gguf").read_text(encoding="utf-8") == "weights"


def test_a_manifest_that_names_a_file_elsewhere_makes_no_folder_ours(tmp_path: Path) -> None:
    write_ours(tmp_path / "out", "a.txt")
    file = tmp_path / "out" / "manifest.json"
    for name in ("../precious.txt", "/etc/passwd", "..\\\\precious.txt"):
        file.write_text(file.read_text(encoding="utf-8").replace("a.txt", name), encoding="utf-8")
        with pytest.raises(UsageError, match="did not write it"):
            check_output(tmp_path / "out")


def test_a_link_to_a_folder_is_written_through(tmp_path: Path) -> None:
    write_ours(tmp_path / "real", "old.gguf")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    with staged(tmp_path / "link") as staging:
        write_ours(staging, "new.gguf")
    assert contents(tmp_path / "real") == {"new.gguf": "new.gguf"}
