"""Two artifacts in turn, and the memory's speed: the runner's other uses, on a real link."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from built_runners import ready_runner
from device_sessions import stand_in

from edgeshrink.core.device import Probe, parse_address
from edgeshrink.core.events import Progress, silent
from edgeshrink.core.reading import Measured
from edgeshrink.core.report import Interleaved
from edgeshrink.core.session import SessionOptions
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.errors import RuntimeFailed
from edgeshrink.measure.device.bandwidth import bandwidth_on_device
from edgeshrink.measure.device.interleaved import measure_in_turn
from edgeshrink.measure.synthetic import Shape, write_random_gguf


@pytest.fixture
def here() -> Iterator[Transport]:
    with closing(open_transport(parse_address("local"))) as transport:
        yield transport


def model(path: Path, layers: int) -> Path:
    write_random_gguf(path, Shape(vocabulary=True, layers=layers))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_twice_the_layers_are_half_the_speed_in_turn(here: Transport, tmp_path: Path) -> None:
    small, large = model(tmp_path / "one model.gguf", 2), model(tmp_path / "other.gguf", 8)
    seen: list[Progress] = []
    found = measure_in_turn(
        here,
        here.probe(),
        ready_runner("native"),
        small,
        large,
        sha256=(digest(small), digest(large)),
        context=256,
        threads=1,
        prompt_tokens=(32,),
        options=SessionOptions(decode_tokens=20),
        leftovers=tmp_path / "leftovers",
        rounds=6,
        listener=seen.append,
    )
    assert (found.device, found.a, found.b, found.rounds) == ("local", "one model.gguf", "other.gguf", 6)
    names = [name for name, *_ in found.rows]
    assert names == ["decode, tok/s", "TTFT at 32 tokens, ms", "peak RSS, bytes"]
    for name, a, b, ratio in found.rows:
        assert isinstance(a, Measured) and isinstance(b, Measured) and isinstance(ratio, Measured)
        assert a.n == b.n == ratio.n == 6
        assert "order statistics" in ratio.how
        assert ratio.low is not None and ratio.high is not None and ratio.low <= ratio.value <= ratio.high
        assert (ratio.value > 1) == (name == "decode, tok/s")
    assert seen[-1].done == seen[-1].total == 12


def test_a_round_that_fails_says_which_artifact(here: Transport, tmp_path: Path) -> None:
    good, broken = model(tmp_path / "good.gguf", 2), tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(RuntimeFailed, match=r"llama\.cpp on local refused"):
        measure_in_turn(
            here,
            here.probe(),
            ready_runner("native"),
            good,
            broken,
            sha256=(digest(good), digest(broken)),
            context=256,
            threads=1,
            prompt_tokens=(16,),
            options=SessionOptions(decode_tokens=20),
            leftovers=tmp_path / "leftovers",
            rounds=1,
        )


@pytest.mark.parametrize(("fails_at", "whole"), [(2, 0), (3, 1), (6, 2)])
def test_whole_rounds_stand_where_a_later_one_fails(here: Transport, tmp_path: Path, fails_at: int, whole: int) -> None:
    a, b = model(tmp_path / "a.gguf", 2), model(tmp_path / "b.gguf", 4)
    turns, real = tmp_path / "turns", ready_runner("native").path
    script = f'echo x >>"{turns}"; [ "$(wc -l <"{turns}")" -ge {fails_at} ] && exit 1; exec "{real}" "$@"'
    emulated = replace(here.probe().device, emulation="emulated CPU (qemu-user)")

    def in_turn() -> Interleaved:
        return measure_in_turn(
            here,
            Probe(emulated),
            stand_in(tmp_path, script),
            a,
            b,
            sha256=(digest(a), digest(b)),
            context=128,
            threads=1,
            prompt_tokens=(16,),
            options=SessionOptions(decode_tokens=20),
            leftovers=tmp_path / "leftovers",
            rounds=6,
        )

    if not whole:
        with pytest.raises(RuntimeFailed, match=r"ended with status 1 while measuring b\.gguf"):
            in_turn()
        return
    found = in_turn()
    assert found.rounds == whole and "ended with status 1 while measuring" in found.partial
    assert found.notes[:2] == (
        f"{whole} rounds, A B and B A by turns; a fresh runner and one repetition each",
        "emulated CPU (qemu-user): on real hardware the ratios may be others",
    )
    for _name, one, two, ratio in found.rows:
        assert isinstance(one, Measured) and isinstance(two, Measured) and isinstance(ratio, Measured)
        assert one.n == two.n == ratio.n == whole and ratio.low is None


def test_the_memorys_speed(here: Transport, tmp_path: Path) -> None:
    speed = bandwidth_on_device(
        here, ready_runner("native"), threads=2, leftovers=tmp_path / "leftovers", listener=silent
    )
    assert 1e8 < speed < 1e13
