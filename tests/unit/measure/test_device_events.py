"""What a device says is read strictly, whatever it says."""

from __future__ import annotations

import json
from typing import Any

import device_lines as lines
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeshrink.core.plain import plain
from edgeshrink.errors import DeviceError
from edgeshrink.measure.device import record as record_module
from edgeshrink.measure.device.events import Decode, End, Failed, Hello, Load, Loaded, Prefill, Sample
from edgeshrink.measure.device.record import Record, read_events


def test_every_field_of_a_whole_run_arrives() -> None:
    record = lines.record(
        lines.hello(),
        lines.loaded(),
        lines.prefill(32, 0, 12.5, majflt=2),
        lines.decode(16, 1, [1.5, 2.5]),
        lines.end(),
    )
    hello, loaded = record.needed(Hello), record.needed(Loaded)
    assert (hello.llama, hello.features, hello.pid) == ("0.3.36", ("neon", "dotprod"), 77)
    assert (loaded.vocab, loaded.buffers, loaded.mapped) == (4096, {"CPU_Mapped": 5 << 20}, True)
    assert record.all(Prefill) == [Prefill(32, 0, 20.0, 20.0125, 12.5, 2)]
    assert record.all(Decode)[0].steps_ms == (1.5, 2.5)
    assert record.first(End) is not None and not record.torn


def test_unknown_events_and_unknown_fields_are_passed_over() -> None:
    record = lines.record({"event": "tea", "cups": 3}, lines.end() | {"more": {"x": 1}})
    assert record.events == [End(99.0)]


def test_control_characters_never_get_in() -> None:
    record = lines.record({"event": "error", "code": "model", "what": "bad \x1b[31mred\x07 \u202edrow\nnext"})
    assert record.needed(Failed).what == "bad �[31mred� �drow next"


WRONG: list[tuple[Any, str]] = [
    ({"event": "prefill", "tokens": "3"}, "tokens"),
    (lines.prefill(3, 0, 5.0) | {"ms": 0}, "ms: Input should be greater than 0"),
    (lines.prefill(3, 0, 5.0) | {"from": -1.0}, "from"),
    (lines.prefill(3, 0, 5.0) | {"tokens": True}, "tokens"),
    (lines.prefill(3, 0, 5.0) | {"tokens": 1 << 60}, "tokens"),
    (lines.prefill(3, 0, 5.0) | {"to": 19.0}, "to: it ended before it began"),
    (lines.decode(0, 0, []), "steps_ms"),
    (lines.decode(0, 0, [1.0, -2.0]), r"steps_ms\.1"),
    (lines.loaded(buffers={"CPU": -5}), r"buffers\.CPU"),
    (lines.hello(features=["x" * 300]), r"features\.0"),
    ({"event": "load", "cold": True, "ms": 5.0, "stayed": 1.5}, "stayed"),
    ({"event": "sample", "t": 1.0, "v": ["x" * 300]}, r"v\.0"),
    ({"event": 5}, "is no event"),
    ([1, 2], "is no event"),
    ("bench", "is no event"),
]


@pytest.mark.parametrize(("said", "place"), WRONG, ids=[f"{index}" for index in range(len(WRONG))])
def test_a_wrong_field_is_refused_with_the_line_that_has_it(said: object, place: str) -> None:
    with pytest.raises(DeviceError, match=rf"^line 2 of what the runner said .*{place}"):
        read_events([json.dumps(lines.hello()), json.dumps(said)])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999"])
def test_numbers_are_finite(number: str) -> None:
    line = json.dumps(lines.prefill(3, 0, 5.0)).replace("5.0", number)
    record = Record()
    with pytest.raises(DeviceError, match=r"line [12]"):
        record.add(line)
        record.add(json.dumps(lines.end()))


def test_a_refusal_repeats_nothing_of_what_could_steer_a_terminal() -> None:
    evil = {"event": "loaded", "buffers": {"\x1b]0;owned\x07": -1}}
    with pytest.raises(DeviceError) as caught:
        read_events([json.dumps(lines.loaded() | evil)])
    assert "\x1b" not in caught.value.message and "owned" in caught.value.message


def test_another_protocol_is_refused() -> None:
    with pytest.raises(DeviceError, match="protocol 2, not 1"):
        lines.record(lines.hello(protocol=2))


def test_the_last_line_may_be_torn_and_no_other() -> None:
    whole, torn = json.dumps(lines.end()), json.dumps(lines.prefill(3, 0, 5.0))[:20]
    record = read_events([json.dumps(lines.hello()), torn])
    assert record.torn and len(record.events) == 1
    with pytest.raises(DeviceError, match="line 2 of what the runner said is no JSON"):
        read_events([json.dumps(lines.hello()), torn, whole])


def test_lines_and_their_length_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="longer than"):
        read_events(['{"event":"tea","x":"' + "x" * record_module.LONGEST_LINE + '"}'])
    monkeypatch.setattr(record_module, "MOST_LINES", 3)
    with pytest.raises(DeviceError, match="more than 3 lines"):
        read_events(['{"event":"tea"}'] * 4)


@pytest.mark.parametrize(
    "said",
    [
        lines.decode(3, 0, [1.0] * 4),
        {"event": "sample", "t": 1.0, "v": [None] * 4},
        {"event": "greedy", "prompt": [1, 2], "ids": [3, 4]},
    ],
)
def test_all_that_is_kept_of_all_lines_is_bounded(said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "MOST_VALUES", 20)
    assert len(lines.record(*[said] * 4).events) == 4
    with pytest.raises(DeviceError, match="more than 20 values"):
        lines.record(*[said] * 5)


def test_deep_nesting_is_no_crash() -> None:
    with pytest.raises(DeviceError):
        read_events(["[" * 100_000, "{}"])


def test_what_a_run_must_say_is_missed_by_name() -> None:
    with pytest.raises(DeviceError, match="without saying 'loaded'"):
        lines.record(lines.hello()).needed(Loaded)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
NAMED = st.sampled_from(
    [lines.hello(), lines.loaded(), lines.prefill(3, 0, 5.0), lines.decode(3, 0, [1.0]), lines.end()]
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.text(max_size=60) | JSON.map(json.dumps), max_size=5))
def test_any_text_is_read_or_refused_and_nothing_else(said: list[str]) -> None:
    try:
        record = read_events(said)
    except DeviceError as error:
        assert error.message == plain(error.message)
    else:
        assert len(record.events) <= len(said)


@settings(max_examples=120, deadline=None)
@given(NAMED, st.data())
def test_an_event_with_one_field_replaced_is_read_or_refused(event: dict[str, Any], data: st.DataObject) -> None:
    field = data.draw(st.sampled_from([name for name in event if name != "event"]))
    try:
        record = lines.record(event | {field: data.draw(JSON)}, lines.end())
    except DeviceError as error:
        assert error.message == plain(error.message)
    else:
        assert len(record.events) == 2


def test_samples_and_loads_keep_what_is_missing() -> None:
    record = lines.record({"event": "sample", "t": 1.5, "v": ["5", None]}, {"event": "load", "cold": False, "ms": 3.0})
    assert record.all(Sample) == [Sample(1.5, ("5", None))]
    assert record.all(Load) == [Load(False, 3.0, None)]
