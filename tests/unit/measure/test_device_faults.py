"""Every way in which a run can end early has words of its own."""

from __future__ import annotations

from typing import Any

import device_lines as lines
import pytest
from device_lines import MIB

from edgeshrink.devices.transports.interface import Done
from edgeshrink.errors import DeviceError, DeviceLost, Error, NoSpace, RuntimeFailed
from edgeshrink.measure.device.bench import Ended
from edgeshrink.measure.device.faults import explain, refuse_wrong_cpu


def why(
    status: int | None, *events: dict[str, Any], stderr: str = "", runner: str = "arm64-dotprod", **facts: Any
) -> Error:
    lost = DeviceLost("no answer for 20 s", hint="is it asleep?") if status is None else None
    done = None if status is None else Done(status, "", stderr)
    ended = Ended(lines.record(*events), done, lost)
    return explain(ended, lines.device(**facts), lines.runner(runner), doing="measuring")


def test_a_processor_without_the_instructions() -> None:
    error = why(3, {"event": "missing", "features": ["dotprod", "i8mm"]})
    assert isinstance(error, DeviceError)
    assert "needs dotprod and i8mm, which the processor of ssh:me@board has not" in error.message
    error = why(132)
    assert isinstance(error, DeviceError) and "SIGILL" in error.message and "asimddp or asimdhp" in error.message


def test_the_out_of_memory_killer_with_what_was_seen() -> None:
    error = why(137, lines.hello(), lines.memory("loaded", 2.0, hwm=700 * MIB, anon=600 * MIB, file=80 * MIB))
    assert isinstance(error, RuntimeFailed)
    assert "most likely by its out-of-memory killer" in error.message
    assert "its peak was 700 MiB when it last looked, 900 MiB were available before" in error.message


def test_the_runners_own_refusal() -> None:
    refused = {"event": "error", "code": "model", "what": "unknown architecture"}
    assert "llama.cpp on ssh:me@board refused (model): unknown architecture" in why(1, lines.hello(), refused).message
    full = why(1, lines.hello(), {"event": "error", "code": "memory", "what": "no memory left"})
    assert "has not enough memory: no memory left" in full.message


def test_a_glibc_binary_on_android_and_a_file_for_another_machine() -> None:
    error = why(127, system="android", stderr="/data/local/tmp/x: No such file or directory")
    assert "Android has no glibc" in error.message
    error = why(126, stderr="sh: 1: ./edgeshrink-runner: Exec format error", machine="armv7l")
    assert "(armv7l) could not start the runner, which is built for linux aarch64" in error.message
    error = why(126, system="android", stderr="sh: x: not executable: 64-bit ELF file (Exec format error)")
    assert "built for linux aarch64" in error.message


@pytest.mark.parametrize(
    ("status", "stderr", "kind", "words"),
    [
        (None, "", DeviceLost, "the link to ssh:me@board was lost while measuring: no answer for 20 s"),
        (4, "", DeviceError, "did not come to an end"),
        (5, "", DeviceLost, "saw its end and left"),
        (1, "write: No space left on device", NoSpace, "is full"),
        (0, "", DeviceError, "left before its end"),
        (134, "GGML_ASSERT(x) failed", RuntimeFailed, "died of SIGABRT"),
        (135, "", RuntimeFailed, "SIGBUS"),
        (9, "what?", RuntimeFailed, "status 9"),
        (250, "", RuntimeFailed, "status 250"),
        (128 + 50, "", RuntimeFailed, "died of signal 50"),
    ],
)
def test_other_ends(status: int | None, stderr: str, kind: type[Error], words: str) -> None:
    error = why(status, lines.hello(), stderr=stderr)
    assert type(error) is kind
    assert words in error.message


def test_a_crash_where_pages_are_large_says_so() -> None:
    assert "16 KiB" in why(139, page_bytes=16384).message
    assert "SIGSEGV" in why(139).message


def test_last_words_are_bounded_and_clean() -> None:
    error = why(77, stderr="\n".join(f"\x1b[31mline {index} " + "x" * 500 for index in range(100)))
    assert len(error.hint) <= 600 and error.hint.isprintable() and "line 99" not in error.message


def test_the_wrong_processor_is_refused_before_anything_is_sent() -> None:
    refuse_wrong_cpu(lines.device(), lines.runner("arm64-dotprod"))
    with pytest.raises(DeviceError, match="needs i8mm, which the processor of ssh:me@board has not"):
        refuse_wrong_cpu(lines.device(), lines.runner("arm64-i8mm"))
    # A probe lists no sse4_2.
    refuse_wrong_cpu(lines.device(machine="x86_64", cpu_features=("avx",)), lines.runner("x86-64-v2"))
