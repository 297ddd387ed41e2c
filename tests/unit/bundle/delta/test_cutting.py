"""Files are cut where tensors and members begin, and elsewhere by what they hold."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from patched_builds import TENSORS, bundle_like, random_bytes, random_gguf

from edgeshrink.bundle.archives.tar import StoredGzip
from edgeshrink.bundle.delta.chunks import LEAST_BYTES, MOST_BYTES, by_content
from edgeshrink.bundle.delta.ranges import parts_of, ranges_of
from edgeshrink.bundle.delta.windows import FileWindow, stored_gzip, stored_gzip_bytes
from edgeshrink.errors import DataError


class Held(io.BytesIO):
    name = "held"


def window(data: bytes) -> FileWindow:
    return FileWindow(Held(data), 0, len(data))


def stored(data: bytes) -> bytes:
    file = io.BytesIO()
    packed = StoredGzip(file)
    packed.write(data)
    packed.finish()
    return file.getvalue()


def pieces(data: bytes) -> list[bytes]:
    return [data[at : at + nbytes] for at, nbytes in by_content(window(data), 0, len(data))]


def test_pieces_are_the_whole_and_within_their_bounds() -> None:
    data = random_bytes(1, 3 << 20)
    found = pieces(data)
    assert b"".join(found) == data
    assert max(map(len, found)) <= MOST_BYTES
    assert min(map(len, found[:-1])) >= LEAST_BYTES
    assert 10_000 < len(data) / len(found) < 30_000


def test_bytes_put_in_change_the_pieces_around_them_alone() -> None:
    data = random_bytes(2, 3 << 20)
    before, after = pieces(data), pieces(data[:1_500_000] + b"put in" + data[1_500_000:])
    assert len(set(after) - set(before)) <= 3


def test_data_of_one_value_is_cut_at_the_most() -> None:
    assert [len(piece) for piece in pieces(bytes(200_000))] == [MOST_BYTES] * 3 + [200_000 - 3 * MOST_BYTES]
    assert pieces(b"") == []
    assert pieces(b"short") == [b"short"]


@pytest.mark.parametrize("nbytes", [0, 1, 65534, 65535, 65536, 131070, 200_000])
def test_a_gzip_file_of_stored_blocks_is_read_at_any_place(nbytes: int) -> None:
    data = random_bytes(3, nbytes)
    raw = stored(data)
    assert gzip.decompress(raw) == data
    assert stored_gzip_bytes(nbytes) == len(raw)
    found = stored_gzip(window(raw))
    assert found is not None
    assert found.size == nbytes
    for at in (0, 1, 65534, 65535, 65536, nbytes - 1):
        if 0 <= at <= nbytes:
            length = min(70_000, nbytes - at)
            assert found.read_at(at, length) == data[at : at + length]
    with pytest.raises(DataError):
        found.read_at(1, nbytes)


def test_a_gzip_file_that_would_not_come_out_the_same_is_not_unpacked() -> None:
    data = random_bytes(4, 100_000)
    raw = stored(data)
    assert stored_gzip(window(gzip.compress(data))) is None
    assert stored_gzip(window(raw + b"more")) is None
    for place in (3, 10, 12, 70_000, len(raw) - 1):  # a date, a block's head, its length, a byte, the size
        assert stored_gzip(window(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])) is None
    for length in range(len(raw) - 8, len(raw)):
        assert stored_gzip(window(raw[:length])) is None


def names_of_tensors(path: Path) -> list[list[str]]:
    """Of each part of the file."""
    data = path.read_bytes()
    found = []
    for part in parts_of(window(data)):
        ranges = list(ranges_of(part.window, path.name))
        done = 0
        for one in ranges:  # all of the part, without a gap
            assert one.start == done
            done += one.nbytes
        assert done == part.window.size
        found.append([one.name for one in ranges if one.tensor])
    return found


def test_tensors_are_found_in_a_file_and_in_every_archive_that_holds_it(tmp_path: Path) -> None:
    folder = bundle_like(tmp_path / "bundle")
    expected = list(TENSORS)
    assert names_of_tensors(folder / "model" / "tiny.gguf") == [expected]
    assert names_of_tensors(folder / "tiny-1.whl") == [expected]
    assert names_of_tensors(folder / "tiny.tar.gz") == [expected]
    assert [expected] == [names for names in names_of_tensors(folder / "tiny.deb") if names]
    assert [part.gzip for part in parts_of(window((folder / "tiny.deb").read_bytes()))].count(True) == 1


def test_a_tensor_of_a_safetensors_file_is_found(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(100, np.float32), "b": np.ones(50, np.int8)}, tmp_path / "m.safetensors")
    assert names_of_tensors(tmp_path / "m.safetensors") == [["a", "b"]]


def test_every_damaged_container_is_still_bytes(tmp_path: Path) -> None:
    folder = bundle_like(tmp_path / "bundle")
    for name in ("model/tiny.gguf", "tiny-1.whl", "tiny.tar.gz", "tiny.deb"):
        raw = (folder / name).read_bytes()
        random = io.BytesIO(random_bytes(5, 4000))
        for _ in range(60):
            damaged = bytearray(raw[: int.from_bytes(random.read(3), "big") % len(raw)] if random.tell() % 2 else raw)
            for _ in range(3):
                if damaged:
                    place = int.from_bytes(random.read(3), "big") % min(len(damaged), 2000)
                    damaged[place] = random.read(1)[0]
            (tmp_path / "damaged.safetensors").write_bytes(bytes(damaged))
            names_of_tensors(tmp_path / "damaged.safetensors")
        names_of_tensors(random_gguf(tmp_path / "whole.gguf"))
