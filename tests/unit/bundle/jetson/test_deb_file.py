"""A .deb as ar and dpkg-deb read it."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from edgeshrink.bundle.archives.entries import Entry
from edgeshrink.bundle.jetson.deb import LARGEST_BYTES, refuse_larger, write_deb
from edgeshrink.core.events import silent
from edgeshrink.errors import DataError

CONTROL = b"""\
Package: probe
Version: 1
Architecture: arm64
Maintainer: nobody <nobody@bundle.invalid>
Description: probe
"""
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb not installed (Debian: dpkg)")


def write(path: Path, *data: Entry) -> Path:
    write_deb(path, [Entry("postinst", b"#!/bin/sh\n", program=True), Entry("control", CONTROL)], data, silent)
    return path


def said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def members(deb: Path) -> dict[str, bytes]:
    """An ar file's, read by the letter of ar(5)."""
    content = deb.read_bytes()
    assert content[:8] == b"!<arch>\n"
    found, at = {}, 8
    while at < len(content):
        head = content[at : at + 60]
        assert head[58:] == b"`\n"
        nbytes = int(head[48:58])
        found[head[:16].decode().rstrip()] = content[at + 60 : at + 60 + nbytes]
        at += 60 + nbytes + nbytes % 2
    assert at == len(content)
    return found


@pytest.mark.parametrize("nbytes", [0, 1, 511, 512, 70_001, 200_002])
def test_sizes_in_the_archive_are_those_of_its_members(tmp_path: Path, nbytes: int) -> None:
    found = members(write(tmp_path / "a.deb", Entry("opt/model", b"x" * nbytes)))
    assert list(found) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
    assert found["debian-binary"] == b"2.0\n"
    with tarfile.open(fileobj=io.BytesIO(found["data.tar.gz"])) as data:
        inside = data.extractfile("./opt/model")
        assert inside is not None and inside.read() == b"x" * nbytes
        assert data.getnames() == [".", "./opt", "./opt/model"]


@needs_dpkg
def test_dpkg_reads_control_scripts_and_files(tmp_path: Path) -> None:
    source = tmp_path / "weights"
    source.write_bytes(b"w" * 300_000)
    deb = write(tmp_path / "a.deb", Entry("usr/bin/probe", b"#!/bin/sh\n", program=True), Entry("opt/weights", source))
    assert said("dpkg-deb", "--field", deb, "Package", "Architecture").split("\n")[:2] == [
        "Package: probe",
        "Architecture: arm64",
    ]
    listed = said("dpkg-deb", "-c", deb)
    assert "-rwxr-xr-x root/root        10 1980-01-01" in listed.replace("+0000", "")
    assert "./opt/weights" in listed
    unpacked = tmp_path / "unpacked"
    said("dpkg-deb", "-R", deb, unpacked)
    assert (unpacked / "opt/weights").read_bytes() == source.read_bytes()
    assert (unpacked / "DEBIAN/postinst").stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(shutil.which("ar") is None, reason="ar not installed (Debian: binutils)")
def test_ar_lists_it(tmp_path: Path) -> None:
    deb = write(tmp_path / "a.deb", Entry("opt/model", b"odd"))
    assert said("ar", "t", deb).split() == ["debian-binary", "control.tar.gz", "data.tar.gz"]


def test_the_same_entries_in_another_order_are_the_same_bytes(tmp_path: Path) -> None:
    entries = [Entry("b/2", b"2"), Entry("a", b"a"), Entry("b/1", b"1")]
    one = write(tmp_path / "1.deb", *entries)
    other = write(tmp_path / "2.deb", *reversed(entries))
    assert one.read_bytes() == other.read_bytes()


def test_more_than_ten_digits_are_refused() -> None:
    refuse_larger("a.deb", LARGEST_BYTES)
    with pytest.raises(DataError, match="10000000000 bytes"):
        refuse_larger("a.deb", LARGEST_BYTES + 1)
