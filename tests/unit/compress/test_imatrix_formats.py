"""Importance matrices are read from both of llama.cpp's formats, and written as its tools read them."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest

from edgeshrink.compress.imatrix import read_importance, write_importance
from edgeshrink.core.importance import Importance
from edgeshrink.errors import DataError

NAMES = ("blk.0.attn_q.weight", "blk.0.ffn_down.weight")


def sample() -> Importance:
    random = np.random.default_rng(3)
    return Importance(
        sums={name: random.random((1, 8 * (place + 1)), dtype=np.float32) * 900 for place, name in enumerate(NAMES)},
        counts={name: np.array([1536], dtype=np.int64) for name in NAMES},
        datasets=("some text.txt",),
        chunk_count=3,
        chunk_size=512,
    )


def dat_bytes(entries: list[tuple[bytes, int, list[float]]], trailer: bytes = b"") -> bytes:
    """The legacy layout, spelled out."""
    out = struct.pack("<i", len(entries))
    for name, calls, values in entries:
        out += struct.pack("<i", len(name)) + name + struct.pack("<ii", calls, len(values))
        out += struct.pack(f"<{len(values)}f", *values)
    return out + trailer


def test_what_is_written_is_read_back_to_the_bit(tmp_path: Path) -> None:
    path, given = tmp_path / "imatrix.gguf", sample()
    write_importance(path, given)
    found = read_importance(path)
    assert found.sums.keys() == given.sums.keys()
    for name in NAMES:
        assert found.sums[name].tobytes() == given.sums[name].tobytes()
        assert found.counts[name].tolist() == [1536]
    assert (found.datasets, found.chunk_count, found.chunk_size, found.tokens) == (("some text.txt",), 3, 512, 1536)
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_the_names_and_keys_of_llama_imatrix(tmp_path: Path) -> None:
    path, given = tmp_path / "imatrix.gguf", sample()
    write_importance(path, given)
    reader = gguf.GGUFReader(path)
    assert reader.fields["general.type"].contents() == "imatrix"
    assert reader.fields["imatrix.datasets"].contents() == ["some text.txt"]
    assert reader.fields["imatrix.chunk_count"].contents() == 3
    assert reader.fields["imatrix.chunk_size"].contents() == 512
    shapes = {tensor.name: (tensor.tensor_type.name, tensor.shape.tolist()) for tensor in reader.tensors}
    assert shapes == {
        "blk.0.attn_q.weight.in_sum2": ("F32", [8, 1]),
        "blk.0.attn_q.weight.counts": ("F32", [1, 1]),
        "blk.0.ffn_down.weight.in_sum2": ("F32", [16, 1]),
        "blk.0.ffn_down.weight.counts": ("F32", [1, 1]),
    }


def test_values_are_sums_over_counts_in_float32() -> None:
    given = sample()
    for name in NAMES:
        expected = given.sums[name].reshape(-1) / np.float32(1536)
        assert given.values[name].dtype == np.float32
        assert given.values[name].tobytes() == expected.tobytes()


def test_a_matrix_that_nothing_reached_weighs_every_column_alike() -> None:
    given = Importance(
        sums={"blk.0.ffn_up_exps.weight": np.array([[2.0, 4.0], [0.0, 0.0]], dtype=np.float32)},
        counts={"blk.0.ffn_up_exps.weight": np.array([2, 0], dtype=np.int64)},
        datasets=(),
        chunk_count=1,
        chunk_size=2,
    )
    assert given.values["blk.0.ffn_up_exps.weight"].tolist() == [1.0, 2.0, 1.0, 1.0]


def test_the_old_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.dat"
    trailer = struct.pack("<ii", 7, 8) + b"wiki.txt"
    path.write_bytes(dat_bytes([(b"blk.0.attn_k.weight", 7, [7.0, 14.0, 3.5]), (b"output.weight", 7, [1.0])], trailer))
    found = read_importance(path)
    assert found.values["blk.0.attn_k.weight"].tolist() == [1.0, 2.0, 0.5]
    assert found.values["output.weight"].tolist() == [np.float32(1) / np.float32(7)]
    assert (found.datasets, found.chunk_count, found.tokens) == (("wiki.txt",), 7, 0)


def test_the_old_format_may_end_after_its_entries(tmp_path: Path) -> None:
    path = tmp_path / "older.dat"
    path.write_bytes(dat_bytes([(b"blk.0.attn_k.weight", 0, [7.0, 14.0])]))
    found = read_importance(path)
    assert found.values["blk.0.attn_k.weight"].tolist() == [7.0, 14.0]
    assert (found.datasets, found.chunk_count) == ((), 0)


def test_the_old_format_can_be_written_as_the_new(tmp_path: Path) -> None:
    old, new = tmp_path / "old.dat", tmp_path / "new.gguf"
    old.write_bytes(dat_bytes([(b"blk.0.attn_k.weight", 3, [1.0, 2.0, 5.0])]))
    write_importance(new, read_importance(old))
    assert (
        read_importance(new).values["blk.0.attn_k.weight"].tolist()
        == read_importance(old).values["blk.0.attn_k.weight"].tolist()
    )


def test_every_way_of_cutting_the_old_format_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.dat"
    whole = dat_bytes([(b"blk.0.attn_k.weight", 3, [1.0, 2.0]), (b"blk.0.attn_q.weight", 3, [1.0, 2.0])])
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.dat"):
            read_importance(path)


def test_every_way_of_cutting_the_new_format_short_is_refused(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.gguf", tmp_path / "cut.gguf"
    write_importance(whole, sample())
    data = whole.read_bytes()
    last = max(tensor.data_offset + tensor.n_bytes for tensor in gguf.GGUFReader(whole).tensors)
    for length in range(0, last, 7):  # what follows the last tensor is padding
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"cut\.gguf"):
            read_importance(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"This is a text file, not a matrix of anything.", "neither a GGUF nor a .dat"),
        (dat_bytes([(b"\xff\xfe\xfd", 1, [1.0])]), "not text"),
        (dat_bytes([(b"a.weight", 1, [float("nan")])]), "not finite"),
        (dat_bytes([(b"a.weight", 1, [-1.0])]), "negative"),
        (dat_bytes([(b"a.weight", 1, [1.0]), (b"a.weight", 1, [1.0])]), "repeats"),
    ],
)
def test_a_file_that_is_something_else_is_refused_with_the_reason(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "wrong.dat"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_importance(path)
    assert "wrong.dat" in caught.value.message
    assert "--imatrix auto" in caught.value.hint


def test_a_gguf_of_a_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("output.weight", np.ones((2, 2), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(DataError, match="another kind"):
        read_importance(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.gguf"):
        read_importance(tmp_path / "nowhere.gguf")
