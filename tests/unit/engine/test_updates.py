"""`delta` and `apply` as verbs: whose patch it is, where the result goes, and that the old build survives refusals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from patched_builds import bundle_like, random_bytes, random_gguf, same_trees

from edgeshrink.bundle.signing.keys import new_keys
from edgeshrink.engine.apply import apply
from edgeshrink.engine.delta import delta, signature_of
from edgeshrink.engine.seal import Seal
from edgeshrink.errors import DataError, NoSpace, UsageError


@dataclass(frozen=True)
class Update:
    """`installed` is a copy of the old build, as a device has it; `patch` is signed."""

    old: Path
    new: Path
    installed: Path
    patch: Path
    public: Path
    private: Path


@pytest.fixture
def update(tmp_path: Path) -> Update:
    keys = new_keys(tmp_path / "keys", passphrase=None)
    old = bundle_like(tmp_path / "old")
    new = bundle_like(tmp_path / "new", note="other", seeds={"output.weight": 77})
    (tmp_path / "device").mkdir()
    installed = shutil.copytree(old, tmp_path / "device" / "build")
    patch = tmp_path / "patch.edgeshrink-delta"
    delta(old, new, patch, seal=Seal(keys.private, signer="the tests"))
    return Update(old, new, installed, patch, keys.public, keys.private)


def untouched(update: Update) -> bool:
    return same_trees(update.installed, update.old) and alone(update.installed)


def alone(path: Path) -> bool:
    return [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_signed_patch_replaces_the_old_build_and_says_who_signed_it(update: Update) -> None:
    done = apply(update.patch, update.installed, key=update.public)
    assert same_trees(update.installed, update.new)
    assert alone(update.installed)
    assert (done.signed_by, done.result) == ("the tests", str(update.installed))
    assert done.signed_at.endswith("+00:00")
    assert done.nbytes == sum(path.stat().st_size for path in update.new.rglob("*") if path.is_file())


def test_applied_again_it_says_that_it_is_done_and_writes_nothing(update: Update) -> None:
    apply(update.patch, update.installed, key=update.public)
    before = (update.installed / "README.md").stat()
    leftover = update.installed.with_name(".edgeshrink-whole-build.killed")
    leftover.mkdir()
    done = apply(update.patch, update.installed, key=update.public)
    assert done.written_bytes == 0
    assert (update.installed / "README.md").stat() == before
    assert alone(update.installed)


def test_the_result_goes_elsewhere_where_that_is_asked_for(update: Update) -> None:
    apply(update.patch, update.installed, update.installed.parent / "next", key=update.public)
    assert same_trees(update.installed, update.old)
    assert same_trees(update.installed.parent / "next", update.new)
    with pytest.raises(UsageError, match="exists"):
        apply(update.patch, update.installed, update.installed.parent / "next", key=update.public)


def test_without_a_key_it_is_applied_only_where_that_is_said(update: Update) -> None:
    with pytest.raises(UsageError) as caught:
        apply(update.patch, update.installed)
    assert "--unsigned" in caught.value.hint
    assert untouched(update)
    assert apply(update.patch, update.installed, unsigned=True).signed_by == ""
    assert same_trees(update.installed, update.new)
    with pytest.raises(UsageError):
        apply(update.patch, update.installed, key=update.public, unsigned=True)


def test_the_key_of_another_a_changed_patch_and_a_missing_signature_are_refused(update: Update, tmp_path: Path) -> None:
    other = new_keys(tmp_path / "others", passphrase=None)
    with pytest.raises(DataError):
        apply(update.patch, update.installed, key=other.public)
    raw = bytearray(update.patch.read_bytes())
    for place in (0, 25, 60, len(raw) // 2, len(raw) - 1):
        raw[place] ^= 1
        update.patch.write_bytes(bytes(raw))
        with pytest.raises(DataError):
            apply(update.patch, update.installed, key=update.public)
        raw[place] ^= 1
    update.patch.write_bytes(bytes(raw))
    signature_of(update.patch).unlink()
    with pytest.raises(DataError):
        apply(update.patch, update.installed, key=update.public)
    assert untouched(update)


def test_an_unsigned_patch_that_is_damaged_leaves_the_old_build(update: Update) -> None:
    raw = bytearray(update.patch.read_bytes())
    raw[-1] ^= 1
    update.patch.write_bytes(bytes(raw))
    with pytest.raises(DataError, match="damaged"):
        apply(update.patch, update.installed, unsigned=True)
    assert untouched(update)


def test_a_file_that_the_build_did_not_have_is_not_thrown_away(update: Update) -> None:
    (update.installed / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"notes\.txt"):
        apply(update.patch, update.installed, key=update.public)
    assert (update.installed / "notes.txt").read_text() == "mine"
    apply(update.patch, update.installed, update.installed.parent / "next", key=update.public)
    assert same_trees(update.installed.parent / "next", update.new)


def test_an_old_patch_s_signature_does_not_stay_beside_a_new_one(update: Update) -> None:
    delta(update.old, update.new, update.patch)
    assert not signature_of(update.patch).exists()


def test_a_single_artifact_is_replaced_in_place_and_elsewhere(tmp_path: Path) -> None:
    old = random_gguf(tmp_path / "old.gguf")
    new = random_gguf(tmp_path / "new.gguf", seeds={"output.weight": 55})
    made = delta(old, new)
    assert made.patch == str(tmp_path / "new.gguf.edgeshrink-delta")
    assert [tensor.name for tensor in made.tensors] == ["output.weight"]
    apply(Path(made.patch), old, tmp_path / "deep" / "result.gguf", unsigned=True)
    assert same_trees(tmp_path / "deep" / "result.gguf", new)
    apply(Path(made.patch), old, unsigned=True)
    assert same_trees(old, new)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_builds_of_two_kinds_and_a_patch_inside_a_build_are_refused(update: Update, tmp_path: Path) -> None:
    gguf = random_gguf(tmp_path / "a.gguf")
    with pytest.raises(UsageError, match=r"a bundle.*a \.gguf file"):
        delta(update.old, gguf)
    with pytest.raises(UsageError, match="no build"):
        delta(tmp_path / "keys", update.new, tmp_path / "p")
    with pytest.raises(UsageError, match="would be in"):
        delta(update.old, update.new, update.new / "p")
    with pytest.raises(UsageError, match="does not exist"):
        delta(tmp_path / "absent", update.new, tmp_path / "p")
    with pytest.raises(UsageError, match="for a folder"):
        apply(update.patch, gguf, unsigned=True)


@pytest.mark.skipif(os.name == "nt", reason="links are another thing on Windows")
def test_a_link_in_the_new_build_is_refused(update: Update, tmp_path: Path) -> None:
    (update.new / "link").symlink_to("README.md")
    with pytest.raises(DataError, match="link"):
        delta(update.old, update.new, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_too_little_room_is_said_before_anything_is_written(update: Update, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(update.installed)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(NoSpace, match="MiB"):
        apply(update.patch, update.installed, key=update.public)
    assert untouched(update)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system takes root")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_meanwhile_leaves_the_old_build(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.pte").write_bytes(random_bytes(1, 600_000))
    (tmp_path / "new.pte").write_bytes(random_bytes(2, 600_000))
    delta(tmp_path / "old.pte", tmp_path / "new.pte", tmp_path / "p")
    installed = Path(shutil.copyfile(tmp_path / "old.pte", small_disk / "model.pte"))
    with pytest.raises(NoSpace, match="this takes"):
        apply(tmp_path / "p", installed, unsigned=True)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(NoSpace, match="is full"):
        apply(tmp_path / "p", installed, unsigned=True)
    assert same_trees(installed, tmp_path / "old.pte")
    assert alone(installed)


_SLOW_APPLY = """
import sys, time
from edgeshrink.bundle.delta import apply as room
from edgeshrink.cli import main

put = room._Writer.put

def slow(*arguments):
    put(*arguments)
    print("put", file=sys.stderr, flush=True)
    time.sleep(0.5)

room._Writer.put = slow
main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent otherwise on Windows")
def test_ctrl_c_leaves_the_old_build_and_nothing_else(update: Update) -> None:
    command = [sys.executable, "-c", _SLOW_APPLY, "apply", str(update.patch), str(update.installed), "--unsigned"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        while running.stderr.readline() != "put\n":
            assert running.poll() is None
        time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()
    assert running.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert untouched(update)


def test_the_commands_say_what_was_saved_in_words_and_as_json(update: Update, tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgeshrink", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    made = run("delta", update.old, update.new, "-o", tmp_path / "p", "--key", update.private)
    assert made.returncode == 0, made.stderr
    assert "output.weight" in made.stdout
    done = run("apply", tmp_path / "p", update.installed, "--key", update.public, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["signed_by"] == "edgeshrink"
    assert same_trees(update.installed, update.new)
    refused = run("apply", tmp_path / "p", update.old)
    assert refused.returncode == 2
    assert "--unsigned" in refused.stderr
