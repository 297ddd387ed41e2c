"""Frames are zstd's own, bounded, and on the old bytes where that pays."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard
from patched_builds import random_bytes

from edgeshrink.bundle.delta.packing import pack, unpack
from edgeshrink.core.delta import MOST_FRESH_BYTES
from edgeshrink.errors import DataError

TEXT = b"".join(b"a line of text, number %d\n" % number for number in range(5000))


def test_what_does_not_compress_stays_as_it_is() -> None:
    data = random_bytes(1, 100_000)
    packed = pack(data, random_bytes(2, 100_000))
    assert (packed.data, packed.zstd, packed.based) == (data, False, False)


def test_old_bytes_are_used_where_they_pay_and_only_there() -> None:
    new = TEXT.replace(b"number 77\n", b"number seventy-seven\n")
    packed = pack(new, TEXT)
    assert packed.based
    assert len(packed.data) < 200
    assert unpack(packed.data, len(new), TEXT) == new
    assert not pack(TEXT, random_bytes(3, 1000)).based


def test_a_large_piece_finds_all_of_a_base_of_its_size() -> None:
    base = random_bytes(4, MOST_FRESH_BYTES)
    new = base[: 1 << 20] + b"put in" + base[1 << 20 : -6]
    packed = pack(new, base)
    assert packed.based
    assert len(packed.data) < 2000
    assert unpack(packed.data, len(new), base) == new


@pytest.mark.parametrize("nbytes", [len(TEXT) - 1, len(TEXT) + 1, 1])
def test_a_frame_of_another_size_is_refused(nbytes: int) -> None:
    with pytest.raises(DataError, match="does not hold"):
        unpack(pack(TEXT, b"").data, nbytes)


def test_a_bomb_is_not_unpacked_and_a_window_of_gigabytes_not_made() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(64 << 20))
    with pytest.raises(DataError):
        unpack(bomb, 1000)
    far = zstandard.ZstdCompressionParameters(window_log=30, write_content_size=False)
    frame = zstandard.ZstdCompressor(compression_params=far).compressobj()
    with pytest.raises(DataError, match="damaged"):
        unpack(frame.compress(TEXT) + frame.flush(), len(TEXT))


def test_a_damaged_or_a_foreign_frame_is_refused() -> None:
    frame = pack(TEXT, b"").data
    for damaged in (b"", b"no frame", frame[:-1], frame[:20] + b"\0" * 20 + frame[40:]):
        with pytest.raises(DataError):
            unpack(damaged, len(TEXT))
    with pytest.raises(DataError):
        unpack(pack(TEXT[:-9] + b"different", TEXT).data, len(TEXT), TEXT[5000:])


@pytest.mark.skipif(shutil.which("zstd") is None, reason="needs the zstd program")
def test_the_program_zstd_reads_the_frames(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(TEXT)
    new = TEXT + b"one more"
    (tmp_path / "plain.zst").write_bytes(pack(new, b"").data)
    (tmp_path / "based.zst").write_bytes(pack(new, TEXT).data)
    for extra in (("plain.zst",), ("-D", "base", "based.zst")):
        done = subprocess.run(["zstd", "-dc", *extra], cwd=tmp_path, capture_output=True, check=True)
        assert done.stdout == new
