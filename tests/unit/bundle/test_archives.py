"""Archives: their bytes follow from their content alone, other programs read them, and hostile ones are refused."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from edgeshrink.bundle.archives.entries import Entry, copy_hashed, in_order, tree
from edgeshrink.bundle.archives.reading import Bounds, safe_name, unpack_zip
from edgeshrink.bundle.archives.tar import StoredGzip, write_tar_gz
from edgeshrink.bundle.archives.zip import write_zip
from edgeshrink.core.events import silent
from edgeshrink.errors import DataError

_BIG = os.urandom(200_000)


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    weights = tmp_path / "weights"
    weights.write_bytes(_BIG)
    return [
        Entry("a/b/model.gguf", weights),
        Entry("a/empty", b""),
        Entry("bin/run", b"#!/bin/sh\n", program=True),
        Entry("ä ö.txt", b"text"),
    ]


@pytest.mark.parametrize("alignment", [1, 4, 4096, 16384])
def test_a_zip_is_read_by_others_and_every_entry_lies_where_it_should(
    tmp_path: Path, entries: list[Entry], alignment: int
) -> None:
    path = tmp_path / "out.zip"
    write_zip(path, entries, align=lambda _: alignment)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert [info.filename for info in archive.infolist()] == [entry.name for entry in entries]
        for info in archive.infolist():
            with archive.open(info) as stream:
                stream.read(1)
            name, extra = len(info.filename.encode()), _local_extra_bytes(path, info)
            assert (info.header_offset + 30 + name + extra) % alignment == 0
        assert archive.read("a/b/model.gguf") == _BIG
        assert stat.S_IMODE(archive.getinfo("bin/run").external_attr >> 16) == 0o755


def _local_extra_bytes(path: Path, info: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(info.header_offset + 28)
        return int.from_bytes(file.read(2), "little")


def test_a_tarball_is_read_by_tar_and_by_gzip(tmp_path: Path, entries: list[Entry]) -> None:
    path = tmp_path / "out.tar.gz"
    write_tar_gz(path, entries)
    subprocess.run(["gzip", "-t", path], check=True)
    listed = subprocess.run(["tar", "tzf", path], check=True, capture_output=True, text=True, env={"LC_ALL": "C.UTF-8"})
    assert listed.stdout.split("\n")[:3] == ["a/", "a/b/", "a/b/model.gguf"]
    with tarfile.open(path) as archive:
        member = archive.getmember("a/b/model.gguf")
        assert (member.uid, member.uname, member.mtime, member.mode) == (0, "root", 0, 0o644)
        stream = archive.extractfile(member)
        assert stream is not None
        assert stream.read() == _BIG


def test_what_is_written_does_not_depend_on_how_it_comes(tmp_path: Path) -> None:
    def packed(piece: int) -> bytes:
        file = io.BytesIO()
        stored = StoredGzip(file)
        for start in range(0, len(_BIG), piece):
            stored.write(_BIG[start : start + piece])
        stored.finish()
        return file.getvalue()

    assert packed(1000) == packed(65535) == packed(len(_BIG))


def test_the_same_entries_give_the_same_bytes_under_another_umask_and_time_zone(
    tmp_path: Path, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_zip(tmp_path / "1.zip", entries)
    write_tar_gz(tmp_path / "1.tgz", entries)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    old = os.umask(0o077)
    try:
        os.utime(tmp_path / "weights", (1, 1))
        write_zip(tmp_path / "2.zip", entries)
        write_tar_gz(tmp_path / "2.tgz", entries)
    finally:
        os.umask(old)
        monkeypatch.undo()
        time.tzset()
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert (tmp_path / "1.tgz").read_bytes() == (tmp_path / "2.tgz").read_bytes()
    assert stat.S_IMODE((tmp_path / "2.zip").stat().st_mode) == 0o644


def test_a_tree_is_walked_in_name_order_with_its_programs(tmp_path: Path) -> None:
    for name in ("b/2", "a", "b/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "b/2").chmod(0o755)
    found = list(tree(tmp_path, inside="x/"))
    assert [(entry.name, entry.program) for entry in found] == [("x/a", False), ("x/b/1", False), ("x/b/2", True)]
    assert in_order(reversed(found)) == found


def test_a_copy_is_hashed_while_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(_BIG)
    digest = copy_hashed(tmp_path / "one", tmp_path / "deep/two", silent)
    told = subprocess.run(["sha256sum", tmp_path / "deep/two"], check=True, capture_output=True, text=True).stdout
    assert told.split()[0] == digest


@pytest.mark.parametrize(
    "name", ["../out", "/etc/passwd", "a/../../b", "C:/x", "a\\b", "a//b", "./a", "a/./b", "", ".", "a\0b", "..\\x"]
)
def test_a_name_that_leads_out_is_not_safe(name: str) -> None:
    assert not safe_name(name)


def test_an_archive_that_leads_out_unpacks_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as evil:
        evil.writestr("good", b"x")
        evil.writestr("../evil", b"x")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(DataError, match=r"'\.\./evil'"):
        unpack_zip(archive, folder)
    assert list(folder.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "link.zip"
    with zipfile.ZipFile(archive, "w") as evil:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        evil.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="'link'"):
        unpack_zip(archive, tmp_path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("zeros", bytes(1 << 20))
        bomb.writestr("more", b"x")
    with pytest.raises(DataError, match="at most 1000"):
        unpack_zip(archive, tmp_path, Bounds(nbytes=1000))
    with pytest.raises(DataError, match="at most 1 are"):
        unpack_zip(archive, tmp_path, Bounds(files=1))


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "lie.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as lie:
        lie.writestr("zeros", bytes(1 << 20))
    data = bytearray(archive.read_bytes())
    central = data.rindex(b"PK\1\2")
    data[central + 24 : central + 28] = (10).to_bytes(4, "little")
    archive.write_bytes(data)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(DataError):
        unpack_zip(archive, folder)
    assert all(path.stat().st_size <= 10 for path in folder.rglob("*"))


def test_what_was_written_here_unpacks_again(tmp_path: Path, entries: list[Entry]) -> None:
    write_zip(tmp_path / "out.zip", entries, align=lambda _: 4096)
    folder = tmp_path / "folder"
    folder.mkdir()
    assert unpack_zip(tmp_path / "out.zip", folder) == tuple(entry.name for entry in entries)
    assert (folder / "a/b/model.gguf").read_bytes() == _BIG
    assert stat.S_IMODE((folder / "bin/run").stat().st_mode) == 0o755


def test_a_zip_beyond_two_gibibytes_is_whole(tmp_path: Path) -> None:
    """From there on zipfile writes ZIP64 fields, which move the content."""
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate((2 << 30) + 5)
    if os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize < 6 << 30:
        pytest.skip("needs 6 GiB of disk")
    path = tmp_path / "big.zip"
    write_zip(path, [Entry("one", big), Entry("two", b"tail")], align=lambda _: 16384)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("one").file_size == (2 << 30) + 5
        assert archive.read("two") == b"tail"
        info = archive.getinfo("one")
        assert (info.header_offset + 30 + 3 + _local_extra_bytes(path, info)) % 16384 == 0


def test_an_empty_folder_in_a_zip_is_a_folder(tmp_path: Path) -> None:
    write_zip(tmp_path / "x.zip", [Entry("res/", b""), Entry("res.txt", b"x")])
    with zipfile.ZipFile(tmp_path / "x.zip") as opened:
        modes = {info.filename: info.external_attr >> 16 for info in opened.infolist()}
    assert modes == {"res/": 0o040755, "res.txt": 0o100644}


@pytest.mark.parametrize("harm", ["encrypted", "unknown method", "cut", "a file as a folder"])
def test_what_zipfile_stumbles_over_is_no_sound_zip_file(tmp_path: Path, harm: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"text" * 1000)
        if harm == "a file as a folder":
            archive.writestr("a/b/c", b"text")
    data = bytearray((tmp_path / "x.zip").read_bytes())
    central = data.find(b"PK\x01\x02")
    for head, flags, method in ((0, 6, 8), (central, 8, 10)):
        if harm == "encrypted":
            data[head + flags] |= 1
        elif harm == "unknown method":
            data[head + method] = 99
    if harm == "cut":
        data[31 : central - 4] = bytes([0xFF]) * (central - 35)
    (tmp_path / "x.zip").write_bytes(data)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError):
        unpack_zip(tmp_path / "x.zip", tmp_path / "out")
