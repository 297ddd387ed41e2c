"""Whatever comes back, parsing ends quickly, in a sound probe or in a DeviceError."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from probe_assertions import assert_sound_probe
from recorded_devices import MARKER, RECORDED, answer

from edgeshrink.devices.device_state import parse_state
from edgeshrink.devices.probing.parse import parse
from edgeshrink.errors import DeviceError

NAMES = sorted(
    {name for sections in RECORDED.values() for name in sections} | {"virt", "auxv", "device-tree:hypervisor"}
)
PIECES = st.sampled_from(
    ["0", "-1", "9" * 30, "1e9", "0-4095", "0-99999", "0x41", "^@", "[ro.soc.model]: [x]", "Battery", "\x00", "\x1b[2J",
     "\u202e", "\ud800", "MemTotal:", " kB", "processor\t: 0", "CPU part\t: 0xd0b", "CPU implementer\t: 0x41", "NaN",
     "Features\t: asimd", "Temperature{mValue=", "NV Power Mode: ", "Current temperatures from HAL:", "\r", "٣"]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=20), max_size=12).map("\n".join) | st.text(max_size=200)


def check(text: str) -> None:
    with contextlib.suppress(DeviceError):
        assert_sound_probe(parse(text, MARKER, "ssh:x"))
    with contextlib.suppress(DeviceError):
        parse_state(text, MARKER)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes(data: bytes) -> None:
    check(data.decode("utf-8", "replace"))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(RECORDED)), st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=8))
def test_a_device_with_any_of_its_files_replaced(name: str, changed: dict[str, str]) -> None:
    check(answer({**RECORDED[name], **changed}))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(RECORDED)), st.data())
def test_an_answer_that_was_torn_and_sewn(name: str, data: st.DataObject) -> None:
    text = answer(RECORDED[name])
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    check(text[:begin] + data.draw(TEXTS) + text[end:])


def test_long_lists_are_parsed_in_a_moment() -> None:
    """Quadratic work on 4 MiB would take minutes."""
    for line in (
        "CPU implementer\t: 0x41",
        "processor\t: 1",
        "flags\t: hypervisor",
        "0-99999,",
        "Temperature{mValue=1.0, ",
    ):
        check(
            answer(
                {**RECORDED["Pixel 8"], "/proc/cpuinfo": f"{line}\n" * 60_000, "dumpsys:thermalservice": line * 50_000}
            )
        )
    check(answer({**RECORDED["Jetson Nano"], "siblings": "0-99999\n" * 1000, "nvpmodel": "NV Power Mode: " * 50_000}))
    many = {f"/sys/class/thermal/thermal_zone{number}/temp": "40000" for number in range(5000)}
    check(answer({**RECORDED["Jetson Nano"], **many}))
