"""Groups of tensors, the share of a loss that comes back, and how far weights are off."""

from __future__ import annotations

import math
from pathlib import Path

import gguf
import numpy as np
import pytest
from built_gguf import Builder

from edgeshrink.core.attribution import ALL_TENSORS, Attribution, Source
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.errors import DataError
from edgeshrink.evaluate.attribution import by_kind, by_layer, returned, same_source, single, spans
from edgeshrink.evaluate.weight_errors import weight_errors

NAMES = (
    "token_embd.weight",
    *(f"blk.{layer}.{part}" for layer in range(11) for part in ("attn_q.weight", "attn_q.bias", "ffn_down.weight")),
    "output_norm.weight",
)


def read(value: float, reach: float, n: int = 100) -> Measured:
    return Measured(value, n=n, low=value - reach, high=value + reach)


def source(group: str, share: Reading, extra: int = 100) -> Source:
    return Source(group, (f"{group}.weight",), share, "F32", extra)


def test_every_tensor_stands_in_one_group_of_each_kind() -> None:
    for groups in (single(NAMES), by_kind(NAMES), by_layer(NAMES), spans(by_layer(NAMES), 4)):
        assert sorted(name for group in groups for name in group.tensors) == sorted(NAMES)
    assert [group.name for group in by_kind(NAMES)] == ["token_embd", "attn_q", "ffn_down", "output_norm"]
    assert [group.name for group in by_layer(NAMES)][:3] == ["token_embd", "blk.0", "blk.1"]
    assert {group.name: group.tensors for group in single(NAMES)}["blk.3.attn_q"] == (
        "blk.3.attn_q.weight",
        "blk.3.attn_q.bias",
    )


def test_spans_are_neighbours_and_even() -> None:
    found = spans(by_layer(NAMES), 4)
    assert [group.name for group in found] == ["blk.0-1", "blk.2-4", "blk.5-7", "blk.8-10", "token_embd", "output_norm"]
    assert spans(by_layer(NAMES), 11) == by_layer(NAMES)
    assert [group.name for group in spans(by_layer(NAMES), 10)[:2]] == ["blk.0", "blk.1"]


def test_a_share_and_its_interval_are_fiellers() -> None:
    """With intervals that are even on both sides, MOVER-R is Fieller's: the ratios that a test would not reject."""
    (a, da), (b, db) = (0.3, 0.1), (1.2, 0.2)
    quadratic = (b * b - db * db, -2 * a * b, a * a - da * da)
    low, high = sorted(float(root) for root in np.roots(quadratic))
    found = returned(read(b, db), read(a, da))
    assert isinstance(found, Measured) and found.n == 100
    assert found.value == pytest.approx(1 - a / b)
    assert (found.low, found.high) == (pytest.approx(1 - high), pytest.approx(1 - low))


def test_the_interval_of_a_share_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        loss, left = random.normal(1.0, 0.1), random.normal(0.4, 0.1)
        found = returned(read(loss, 0.196), read(left, 0.196))
        assert isinstance(found, Measured) and found.low is not None and found.high is not None
        covered += found.low <= 0.6 <= found.high
    assert 0.935 <= covered / 2000 <= 0.965


def test_what_got_worse_returns_less_than_nothing_and_what_got_better_more_than_all() -> None:
    worse, better = returned(read(1.0, 0.1), read(1.5, 0.1)), returned(read(1.0, 0.1), read(-0.2, 0.1))
    assert isinstance(worse, Measured) and worse.value == pytest.approx(-0.5)
    assert isinstance(better, Measured) and better.value == pytest.approx(1.2)


def test_a_share_of_nothing_or_of_what_was_not_measured_is_unmeasured() -> None:
    assert returned(read(0.0, 0.1), read(0.0, 0.1)) == Unmeasured("nothing was lost")
    assert returned(Unmeasured("a"), read(1.0, 0.1)) == Unmeasured("a")
    assert returned(read(1.0, 0.1), Unmeasured("b")) == Unmeasured("b")


@pytest.mark.parametrize("loss", [Measured(1.0), Measured(1.0, low=-0.1, high=2.1), Measured(1.0, low=0.1, high=2.5)])
def test_a_share_of_a_loss_without_a_usable_interval_has_none(loss: Measured) -> None:
    found = returned(loss, read(0.25, 0.1))
    assert isinstance(found, Measured) and (found.value, found.low, found.high) == (0.75, None, None)


def test_the_main_source_is_the_smallest_that_gives_back_nearly_as_much() -> None:
    sources = (
        source("blk.3", read(0.9, 0.1), 700),
        source("ffn_down", read(0.85, 0.1), 900),
        source("blk.3.ffn_down", read(0.8, 0.1), 100),
        source("blk.3.attn_k", read(0.1, 0.1), 10),
        source("blk.4", Unmeasured("it did not run"), 0),
    )
    main = Attribution("arithmetic", "right", read(0.2, 0.1), sources).main
    assert main is not None and main.group == "blk.3.ffn_down"
    for none in ((), (source("blk.3", read(-0.1, 0.2)),), (source("blk.3", Unmeasured("")),)):
        assert Attribution("arithmetic", "right", read(0.2, 0.1), none).main is None


def test_slices_with_one_main_source_stand_together() -> None:
    loss = read(0.2, 0.1)
    found = [
        Attribution(name, "right", loss, () if group is None else (source(group, read(0.9, 0.1)),))
        for name, group in (("a", "blk.1"), ("b", "blk.2"), ("c", "blk.1"), ("d", None), ("e", ALL_TENSORS))
    ]
    assert same_source(found) == (("a", "c"),)


def test_the_error_of_a_tensor_is_what_gguf_py_reads(built: Builder) -> None:
    own, theirs = built("Q4_0").path, built("F32").path
    found = weight_errors(own, theirs)
    expected = {}
    tensors = {one.name: one for one in gguf.GGUFReader(theirs).tensors}
    for one in gguf.GGUFReader(own).tensors:
        values = gguf.quants.dequantize(one.data, one.tensor_type).astype(np.float64).reshape(-1)
        other = tensors[one.name].data.astype(np.float64).reshape(-1)
        expected[one.name] = float(np.square(values - other).sum() / np.square(other).sum())
    assert found == pytest.approx(expected, rel=1e-6)
    assert found["output_norm.weight"] == 0.0 and found["blk.0.ffn_up.weight"] > 0


def test_tensors_that_only_one_file_has_are_left_out(built: Builder, tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(other := tmp_path / "other.gguf", "llama")
    writer.add_tensor("output_norm.weight", np.full(64, np.nan, np.float32))
    writer.add_tensor("token_embd.weight", np.zeros((3, 64), np.float32))
    writer.add_tensor("blk.7.ffn_up.weight", np.zeros((3, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert weight_errors(built("F32").path, other) == {"output_norm.weight": math.inf}


def test_what_is_no_gguf_is_refused(built: Builder, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="not a GGUF"):
        weight_errors(built("F32").path, tmp_path / "x.gguf")
