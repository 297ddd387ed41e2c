"""A patch makes the new build, byte for byte, and brings what changed alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from built_gguf import build_gguf
from patched_builds import ROW_BYTES, TENSORS, applied, bundle_like, patched, random_bytes, random_gguf, same_trees

from edgeshrink.bundle.delta.container import opened_patch
from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.delta import KeptFile, WrittenFile
from edgeshrink.errors import DataError

LAYER_BYTES = 96 * ROW_BYTES


def test_one_changed_layer_costs_its_bytes_once_although_four_files_of_the_bundle_hold_it(tmp_path: Path) -> None:
    old, new = bundle_like(tmp_path / "old"), bundle_like(tmp_path / "new", seeds={"blk.1.ffn_up.weight": 99})
    made = patched(old, new, tmp_path / "patch")
    assert same_trees(applied(tmp_path / "patch", old, tmp_path / "result"), new)
    assert (tmp_path / "patch").stat().st_size <= 1.2 * LAYER_BYTES
    assert {tensor.name for tensor in made.tensors} == {"blk.1.ffn_up.weight"}
    assert {tensor.fresh_bytes for tensor in made.tensors} == {LAYER_BYTES}


def test_another_version_moves_everything_in_the_archives_and_costs_little(tmp_path: Path) -> None:
    old = bundle_like(tmp_path / "old")
    new = bundle_like(tmp_path / "new", note="a longer note " * 100, version=22)
    patched(old, new, tmp_path / "patch")
    assert same_trees(applied(tmp_path / "patch", old, tmp_path / "result"), new)
    assert (tmp_path / "patch").stat().st_size < 5000


def test_the_same_build_costs_next_to_nothing_and_the_same_patch_comes_out_twice(tmp_path: Path) -> None:
    old, new = bundle_like(tmp_path / "old"), bundle_like(tmp_path / "new")
    for name in ("one", "two"):
        patched(old, new, tmp_path / name)
    shutil.copytree(old, tmp_path / "elsewhere")
    patched(tmp_path / "elsewhere", new, tmp_path / "three")
    assert len({(tmp_path / name).read_bytes() for name in ("one", "two", "three")}) == 1
    assert (tmp_path / "one").stat().st_size < 800
    result = applied(tmp_path / "one", old, tmp_path / "result")
    assert same_trees(result, new)
    # What did not change takes no room on the disk.
    assert (result / "model" / "tiny.gguf").samefile(old / "model" / "tiny.gguf")


def renamed(folder: Path) -> None:
    (folder / "model" / "tiny.gguf").rename(folder / "model" / "other.gguf")


def added(folder: Path) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "new.bin").write_bytes(random_bytes(7, 1000))
    (folder / "deep" / "empty.bin").touch()


def removed(folder: Path) -> None:
    shutil.rmtree(folder / "bin")
    (folder / "README.md").unlink()


def other_modes(folder: Path) -> None:
    (folder / "README.md").chmod(0o755)
    (folder / "bin" / "run").chmod(0o600)


def file_for_folder(folder: Path) -> None:
    shutil.rmtree(folder / "bin")
    (folder / "bin").write_text("a file now")


def second_name(folder: Path) -> None:
    (folder / "model" / "again.gguf").hardlink_to(folder / "model" / "tiny.gguf")
    shutil.copyfile(folder / "model" / "tiny.gguf", folder / "model" / "copy.gguf")


def empty_folder(folder: Path) -> None:
    (folder / "nothing" / "in").mkdir(parents=True)


def nothing_left(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    "change", [renamed, added, removed, other_modes, file_for_folder, second_name, empty_folder, nothing_left]
)
def test_a_changed_folder_is_made_again(tmp_path: Path, change: Callable[[Path], None]) -> None:
    old, new = bundle_like(tmp_path / "old"), bundle_like(tmp_path / "new")
    change(new)
    for number, (source, result) in enumerate(((old, new), (new, old))):
        patch, place = tmp_path / f"patch-{number}", tmp_path / f"result-{number}"
        patched(source, result, patch)
        assert same_trees(applied(patch, source, place), result)
        if change not in (nothing_left, file_for_folder):
            assert patch.stat().st_size < 4000
    assert same_trees(old, bundle_like(tmp_path / "untouched"))


def test_new_bytes_that_stand_twice_are_brought_once(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "a").write_text("a")
    new = tmp_path / "new"
    new.mkdir()
    block = random_bytes(8, 1_000_000)
    (new / "self.bin").write_bytes(block + b"between" + block)
    (new / "other.bin").write_bytes(b"before" + block)
    patched(old, new, tmp_path / "patch")
    assert same_trees(applied(tmp_path / "patch", old, tmp_path / "result"), new)
    assert (tmp_path / "patch").stat().st_size < 1.2 * len(block)


def test_two_equal_new_tarballs_are_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old", bundle_like(tmp_path / "new")
    old.mkdir()
    (old / "a").write_text("a")
    for path in (new / "model" / "tiny.gguf", new / "tiny-1.whl", new / "tiny.deb"):
        path.unlink()
    shutil.copyfile(new / "tiny.tar.gz", new / "copy.tar.gz")
    patched(old, new, tmp_path / "patch")
    assert same_trees(applied(tmp_path / "patch", old, tmp_path / "result"), new)


def test_what_is_known_from_inside_an_old_tarball_is_taken_from_there(tmp_path: Path) -> None:
    old, new = bundle_like(tmp_path / "old"), bundle_like(tmp_path / "new", note="other")
    for folder in (old, new):
        for path in (folder / "model" / "tiny.gguf", folder / "tiny-1.whl", folder / "tiny.tar.gz"):
            path.unlink()
    patched(old, new, tmp_path / "patch")
    assert same_trees(applied(tmp_path / "patch", old, tmp_path / "result"), new)
    assert (tmp_path / "patch").stat().st_size < 3000


def test_a_single_file_is_patched_under_any_name(tmp_path: Path) -> None:
    old = random_gguf(tmp_path / "old.gguf")
    new = random_gguf(tmp_path / "new.gguf", seeds={"output.weight": 55}, note="a longer note")
    made = patched(old, new, tmp_path / "patch")
    moved = old.rename(tmp_path / "anything.gguf")
    assert same_trees(applied(tmp_path / "patch", moved, tmp_path / "result"), new)
    assert [(tensor.name, tensor.nbytes) for tensor in made.tensors] == [("output.weight", 40 * ROW_BYTES)]
    assert (tmp_path / "patch").stat().st_size <= 1.2 * 40 * ROW_BYTES


def test_tensors_in_another_order_are_found(tmp_path: Path) -> None:
    old = random_gguf(tmp_path / "old.gguf")
    turned = dict(reversed(TENSORS.items()))
    seeds = {name: number for number, name in enumerate(TENSORS)}
    new = random_gguf(tmp_path / "new.gguf", tensors=turned, seeds=seeds)
    assert not patched(old, new, tmp_path / "patch").tensors
    assert (tmp_path / "patch").stat().st_size < 1500


def test_a_real_model_to_its_sibling_costs_at_most_the_tensors_that_changed(tmp_path: Path, demo_model: Path) -> None:
    old = build_gguf(demo_model, tmp_path / "old.gguf", "Q4_K_M").path
    new = build_gguf(demo_model, tmp_path / "new.gguf", "Q4_K_S").path
    made = patched(old, new, tmp_path / "patch")
    assert same_trees(applied(tmp_path / "patch", old, tmp_path / "result"), new)
    before, raw = _tensors(old), new.read_bytes()
    changed = {name: data for name, data in _tensors(new).items() if before[name] != data}
    assert {tensor.name for tensor in made.tensors} == set(changed)
    assert 0 < (tmp_path / "patch").stat().st_size <= sum(map(len, changed.values())) < len(raw) / 2


def _tensors(path: Path) -> dict[str, bytes]:
    raw = path.read_bytes()
    return {t.name: raw[t.offset : t.offset + t.nbytes] for t in read_gguf_header(path).tensors}


def test_bytes_of_no_known_structure_cost_what_changed(tmp_path: Path) -> None:
    data = random_bytes(9, 2 << 20)
    (tmp_path / "old.pte").write_bytes(data)
    (tmp_path / "new.pte").write_bytes(data[:700_000] + b"put in" + data[700_000:1_500_000] + data[1_500_100:])
    patched(tmp_path / "old.pte", tmp_path / "new.pte", tmp_path / "patch")
    assert same_trees(applied(tmp_path / "patch", tmp_path / "old.pte", tmp_path / "result"), tmp_path / "new.pte")
    assert (tmp_path / "patch").stat().st_size < 1500


def test_another_old_build_is_refused_and_named(tmp_path: Path) -> None:
    old, new = bundle_like(tmp_path / "old"), bundle_like(tmp_path / "new", seeds={"output.weight": 33})
    patched(old, new, tmp_path / "patch")
    model = old / "model" / "tiny.gguf"
    raw = bytearray(model.read_bytes())
    raw[len(raw) // 2] ^= 1
    model.write_bytes(bytes(raw))
    with pytest.raises(DataError, match=r"tiny\.gguf is not what this patch was made from"):
        applied(tmp_path / "patch", old, tmp_path / "result")
    model.unlink()
    with pytest.raises(DataError, match=r"tiny\.gguf"):
        applied(tmp_path / "patch", old, tmp_path / "result")


@pytest.mark.skipif(os.name == "nt", reason="links are another thing on Windows")
def test_links_are_neither_taken_for_files_nor_followed(tmp_path: Path) -> None:
    old, new = bundle_like(tmp_path / "old"), bundle_like(tmp_path / "new", seeds={"output.weight": 33})
    patched(old, new, tmp_path / "patch")
    (old / "model").rename(tmp_path / "model")
    (old / "model").symlink_to(tmp_path / "model")
    with pytest.raises(DataError, match="link"):
        applied(tmp_path / "patch", old, tmp_path / "result")
    with pytest.raises(DataError, match="link"):
        patched(old, new, tmp_path / "other")


def test_the_header_names_what_is_needed_of_the_old_build_alone(tmp_path: Path) -> None:
    old, new = bundle_like(tmp_path / "old"), bundle_like(tmp_path / "new", seeds={"output.weight": 33})
    (new / "bin" / "run").unlink()
    patched(old, new, tmp_path / "patch")
    with opened_patch(tmp_path / "patch") as (header, _):
        needed = {file.name: file.sha256 is not None for file in header.old}
        kinds = {file.name: type(file) for file in header.new}
    assert not needed["bin/run"]
    assert needed["model/tiny.gguf"]
    assert kinds["README.md"] is KeptFile
    assert kinds["model/tiny.gguf"] is WrittenFile
