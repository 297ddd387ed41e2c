"""The tables of `edgeshrink devices`, of sessions on several devices and of two artifacts in turn, and their JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgeshrink.core.listing import ListedDevice
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import DeviceOutcome
from edgeshrink.errors import DataError
from edgeshrink.report.devices_table import NO_PROFILE, render_devices
from edgeshrink.report.interleaved_table import render_interleaved
from edgeshrink.report.json import (
    devices_to_json,
    interleaved_to_json,
    report_from_json,
    report_to_json,
    sessions_from_json,
    sessions_schema,
    sessions_to_json,
)
from edgeshrink.report.sessions_table import render_sessions

from .sample_device import (
    CHARGING,
    PIXEL,
    THROTTLED,
    sample_elsewhere_report,
    sample_emulated_report,
    sample_interleaved,
    sample_jetson_report,
    sample_listing,
    sample_phone_report,
    sample_sessions,
)
from .test_device_terminal import EMULATED, hostile, no_control
from .test_json import _follows
from .test_terminal import shown, words


def test_every_attached_device_has_a_row_with_its_profile() -> None:
    text = shown(render_devices(sample_listing()))
    assert max(map(len, text.splitlines())) <= 80
    row = next(row for row in text.splitlines() if row.startswith("adb:37201FDJH000AB "))
    assert row.split() == ["adb:37201FDJH000AB", "Pixel", "8", "Android", "14", "7.42", "GiB", "pixel-8"]
    assert words(NO_PROFILE) in words("".join(line[64:] for line in text.splitlines()[6:10])), "whole, over its lines"


def test_below_the_table_stands_what_a_device_differs_in_and_did_not_show() -> None:
    text = words(shown(render_devices(sample_listing())))
    assert "profile Google Pixel 8: it calls itself Pixel 8" in text
    assert "differs RAM 7.42 GiB, not 8 GiB" in text
    assert "4 × Cortex-A715 to 2,367 MHz" in text
    assert "not read NPU: no file of /sys names one" in text
    assert "virtual machine (KVM)" in text


def test_a_device_that_does_not_answer_leaves_the_others_and_says_why() -> None:
    text = words(shown(render_devices(sample_listing())))
    assert "adb:R58M123ABCD does not answer" in text
    assert "error R58M123ABCD is unauthorized: allow it on the phone's screen" in text


@pytest.mark.parametrize(("rows", "said"), [((), "Nothing is attached"), (sample_listing()[:1], "No other device is")])
def test_nothing_attached_gets_friendly_words(rows: tuple[ListedDevice, ...], said: str) -> None:
    text = words(shown(render_devices(rows)))
    assert said in text
    assert "USB debugging" in text and "--device ssh:USER@HOST" in text
    assert "USB debugging" not in shown(render_devices(sample_listing()))


@pytest.mark.parametrize("length", [30, 60, 200])
def test_long_addresses_and_names_do_not_cut_the_table(length: int) -> None:
    address = "ssh:" + "a" * length
    device = replace(PIXEL, address=address, names=("N" * length,), os="O" * length)
    text = shown(render_devices((ListedDevice(address, device, profile="p" * 40), *sample_listing())))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "7.42 GiB" in text
    assert "".join(text.split()).count("a" * length) >= 1, "the address stands whole somewhere"


def test_control_characters_of_devices_are_not_obeyed() -> None:
    bad = "\x1b[31m"
    device = hostile(PIXEL)
    no_control(render_devices((ListedDevice(bad, device, bad, bad, bad, bad, (bad,)), ListedDevice(bad, None, bad))))
    phone = sample_phone_report()
    assert phone.measurements is not None
    report = replace(phone, measurements=replace(phone.measurements, device=device, partial=bad))
    outcomes = (DeviceOutcome(bad, report, ""), DeviceOutcome(bad, None, bad))
    no_control(render_sessions(replace(sample_sessions(), artifact=bad, outcomes=outcomes)))
    rows = ((bad, Unmeasured(bad), Unmeasured(bad), Unmeasured(bad)),)
    no_control(render_interleaved(replace(sample_interleaved(), device=bad, a=bad, b=bad, notes=(bad,), rows=rows)))


def test_sessions_have_one_row_a_device_with_their_figures() -> None:
    text = shown(render_sessions(sample_sessions()))
    assert max(map(len, text.splitlines())) <= 80
    rows = {row.split()[0]: row.split()[1:] for row in text.splitlines() if row.startswith(("ssh:", "adb:"))}
    assert rows["ssh:me@jetson:2222"][:2] == ["?", "UNKNOWN"]
    assert rows["adb:37201FDJH000AB"][:4] == ["✗", "FAIL", "9.60", "1,978"]
    assert rows["adb:37201FDJH000AB"][-2:] == ["431", "70.8"]
    assert rows["adb:R58M123ABCD"] == ["✗", "error", *"——————"]


def test_sessions_say_what_speaks_against_each_device() -> None:
    text = words(shown(render_sessions(sample_sessions())))
    assert "✗ adb:37201FDJH000AB: Paging: 214 faults, the budget says 0 faults" in text
    assert f"adb:37201FDJH000AB: throttling: {THROTTLED}" in text
    assert "adb:37201FDJH000AB: power is inferred: current_now taken as mA" in text
    assert f"! ssh:emulated: {EMULATED}" in text
    assert "! ssh:emulated: partial, the session ended early" in text
    assert "ssh:emulated: 44 of 48 greedy choices" in text
    assert "✗ adb:R58M123ABCD: adb: R58M123ABCD is unauthorized" in text
    assert text.count(CHARGING) == 1


def test_a_device_that_failed_without_a_word_still_has_a_sentence() -> None:
    sessions = replace(sample_sessions(), outcomes=(DeviceOutcome("adb:X", None, ""),))
    assert "adb:X: it failed and left no word" in words(shown(render_sessions(sessions)))
    assert "No device was measured" in shown(render_sessions(replace(sessions, outcomes=())))


def test_an_error_that_begins_with_its_device_names_it_once() -> None:
    outcome = DeviceOutcome("ssh:x", None, "ssh:x: no ssh server answers")
    text = words(shown(render_sessions(replace(sample_sessions(), outcomes=(outcome,)))))
    assert "✗ ssh:x: no ssh server answers" in text and "ssh:x: ssh:x" not in text


def test_two_in_turn_that_ended_early_say_so_first() -> None:
    text = words(shown(render_interleaved(replace(sample_interleaved(), rounds=3, partial="the link was lost."))))
    assert text.startswith("! partial, it ended early: the link was lost; 3 whole rounds stand")
    assert "partial" not in shown(render_interleaved(sample_interleaved()))


def test_paging_is_said_where_nothing_was_judged() -> None:
    phone = sample_phone_report()
    unjudged = replace(phone, verdict=sample_elsewhere_report().verdict)
    text = words(shown(render_sessions(replace(sample_sessions(), outcomes=(DeviceOutcome("p", unjudged, ""),)))))
    assert "p: paging: it did not fit: 214 pages came from storage" in text


def test_wide_figures_do_not_cut_the_sessions_table() -> None:
    report = sample_jetson_report()
    seen = report.measurements
    assert seen is not None
    wide = replace(
        seen,
        decode_tok_s=Measured(12345.6),
        energy_mj_per_token=Measured(1234567.0),
        prefill=(replace(seen.prefill[-1], prompt_tokens=256, ttft_p95_ms=Measured(1234567.0)),),
    )
    outcome = DeviceOutcome("ssh:" + "long-host-name." * 8, replace(report, measurements=wide), "")
    text = shown(render_sessions(replace(sample_sessions(), outcomes=(outcome,))))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert all(figure in text for figure in ("12,346", "1,234,567", "887 MiB", "70.8"))


def test_two_artifacts_in_turn_show_their_ratio_and_whether_it_tells_them_apart() -> None:
    text = shown(render_interleaved(sample_interleaved()))
    assert max(map(len, text.splitlines())) <= 80
    rows = {row.split()[0]: words(row) for row in text.splitlines() if row.strip()}
    assert rows["Decode"] == "Decode 6.21 tok/s 9.60 tok/s 0.647 ± 0.008× B faster"
    assert rows["TTFT"].endswith("1,912 ms 1,934 ms 0.989 ± 0.022× alike")
    assert "median of the ratios within rounds" in words(text)
    assert "8 rounds, A B and B A by turns" in words(text), "what was noted stands below"
    assert rows["Peak"] == "Peak RSS 1.30 GiB 849 MiB 1.57×", "without an interval nothing is claimed"
    assert "Energy per token: " not in text and f"energy per token: {CHARGING}" in words(text)
    assert text.count("llama-3.2-1b-Q8_0.gguf") == 1


@pytest.mark.parametrize(
    ("name", "low", "high", "said"),
    [
        ("decode, tok/s", 0.086, 3.137, "cannot tell"),
        ("decode, tok/s", 0.97, 1.06, "cannot tell"),
        ("decode, tok/s", 0.96, 1.04, "alike"),
        ("decode, tok/s", 1.2, 1.4, "A faster"),
        ("TTFT at 256 tokens, ms", 1.2, 1.4, "B faster"),
        ("TTFT at 256 tokens, ms", 0.7, 0.8, "A faster"),
        ("peak RSS, bytes", 1.5, 1.6, "B less"),
        ("energy per token, mJ", 0.7, 0.8, "A less"),
    ],
)
def test_of_two_in_turn_the_better_one_is_named_only_where_the_interval_says_so(
    name: str, low: float, high: float, said: str
) -> None:
    ratio = Measured(0.855 if low < 0.855 < high else (low + high) / 2, 8, low, high)
    rows = ((name, Measured(1234.0), Measured(1432.0), ratio),)
    text = shown(render_interleaved(replace(sample_interleaved(), rows=rows)))
    assert max(map(len, text.splitlines())) <= 80
    assert f"× {said}" in words(text)


def test_a_figure_without_a_known_unit_is_a_bare_number() -> None:
    rows = (("tokens, all of them", Measured(3.0), Measured(2.0), Measured(1.5, 5, 1.4, 1.6)),)
    text = words(shown(render_interleaved(replace(sample_interleaved(), rows=rows))))
    assert "Tokens, all of them 3.00 2.00 1.50 ± 0.10× A more" in text


def test_sessions_say_where_their_files_are() -> None:
    sessions = sample_sessions()
    report = sessions.outcomes[0].report
    assert report is not None
    kept = replace(sessions.outcomes[0], report=replace(report, folder=Path("/tmp/out/ssh-me-jetson")))
    text = shown(render_sessions(replace(sessions, outcomes=(kept, *sessions.outcomes[1:]))))
    assert "Files  /tmp/out/ssh-me-jetson" in text
    assert "Files" not in shown(render_sessions(sessions))


def test_sessions_read_back_as_they_were() -> None:
    sessions = sample_sessions()
    text = sessions_to_json(sessions)
    assert sessions_from_json(text) == sessions
    assert sessions_to_json(sessions_from_json(text)) == text
    assert "folder" not in json.loads(text)["outcomes"][0]["report"]


def test_sessions_of_another_version_are_refused() -> None:
    text = sessions_to_json(sample_sessions()).replace("edgeshrink-devices-1", "edgeshrink-devices-9")
    with pytest.raises(DataError, match=r"schema is 'edgeshrink-devices-9', expected 'edgeshrink-devices-1'"):
        sessions_from_json(text)


def test_the_schema_describes_what_sessions_write() -> None:
    schema = sessions_schema()
    data = json.loads(sessions_to_json(sample_sessions()))
    assert set(schema["properties"]) == set(data)
    _follows(data, schema, schema["$defs"])


@pytest.mark.parametrize("report", [sample_phone_report(), sample_emulated_report()])
def test_a_report_of_a_device_session_reads_back_as_it_was(report: object) -> None:
    assert report_from_json(report_to_json(report)) == report  # type: ignore[arg-type]


def test_what_is_attached_is_a_list_in_json() -> None:
    assert json.loads(devices_to_json(())) == []
    rows = json.loads(devices_to_json(list(sample_listing())))
    assert [row["address"] for row in rows][:2] == ["local", PIXEL.address]
    assert rows[1]["probed"]["ram_bytes"] == PIXEL.ram_bytes and rows[3]["probed"] is None


def test_two_artifacts_in_turn_in_json_keep_the_reasons() -> None:
    data = json.loads(interleaved_to_json(sample_interleaved()))
    name, a, b, ratio = data["rows"][0]
    assert (name, a["value"], b["value"], ratio["low"]) == ("decode, tok/s", 6.21, 9.6, 0.639)
    assert data["rows"][3][3] == {"reason": CHARGING, "kind": "unmeasured"}
