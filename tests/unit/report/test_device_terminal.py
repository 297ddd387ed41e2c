"""Device sessions on the terminal, and the words that all forms of the report share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import RenderableType

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.measurement import NOT_SEEN, Measurements, Memory, Sustained, SustainedPoint
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.judging import judge
from edgeshrink.report.card import model_card
from edgeshrink.report.charts.sustained import sustained_chart
from edgeshrink.report.comparison import notes
from edgeshrink.report.device_told import cpu_text, device_facts, device_name, device_text
from edgeshrink.report.format import limit_text, line_label, short_text
from edgeshrink.report.html import report_to_html
from edgeshrink.report.predicted import line_error, predicted_and_measured
from edgeshrink.report.session_told import (
    fit_text,
    hottest,
    parity_text,
    power_source,
    power_text,
    session_facts,
    sustained_text,
    throttling_text,
    warnings,
)
from edgeshrink.report.terminal import render_report
from edgeshrink.report.told import is_native

from .sample import sample_report
from .sample_device import (
    BUDGET,
    CHARGING,
    JETSON,
    PIXEL,
    THROTTLED,
    UNPLUGGED,
    device_report,
    sample_elsewhere_report,
    sample_emulated_report,
    sample_jetson_report,
    sample_modelled_report,
    sample_phone_report,
)
from .sample_formats import sample_comparison
from .test_terminal import shown, words

EVERY = [
    sample_phone_report(),
    sample_jetson_report(),
    sample_emulated_report(),
    sample_elsewhere_report(),
    sample_modelled_report(),
]
EMULATED = "emulated CPU (qemu-user): speed and power are not the device's"


def seen_of(report: Report) -> Measurements:
    assert report.measurements is not None
    return report.measurements


def told(report: Report) -> str:
    return words(shown(render_report(report)))


@pytest.mark.parametrize("report", EVERY)
def test_a_session_is_whole_at_80_columns(report: Report) -> None:
    text = shown(render_report(report))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for line in report.verdict.lines:
        assert [
            row for row in text.splitlines() if row.startswith(line_label(line.name)[:10]) and limit_text(line) in row
        ]
    for point in seen_of(report).decode_points[1:]:
        row = [row for row in text.splitlines() if row.split()[:1] == [f"{point.depth_tokens:,}"]][-1]
        for reading in (point.decode_tok_s, point.inter_token_p99_ms):
            assert short_text(reading, "") in row


def test_the_header_says_where_it_ran() -> None:
    text = shown(render_report(sample_phone_report()))
    assert "ran on    Pixel 8 over adb:37201FDJH000AB, Android 14, 9 cores, 7.42 GiB RAM" in text
    assert "ran on" not in shown(render_report(sample_report()))


def test_an_emulated_device_is_labelled_before_any_figure_and_its_speed_is_not_judged() -> None:
    report = sample_emulated_report()
    text = told(report)
    assert text.index(EMULATED) < text.index("budget line")
    assert {line.outcome for line in report.verdict.lines if line.unit in ("ms", "tok/s", "mJ")} == {"UNKNOWN"}
    assert "Speed 3.10" in text, "what was seen is still told"
    assert EMULATED not in told(sample_jetson_report())


def test_this_very_machine_may_be_virtual() -> None:
    device = replace(JETSON, address="local", emulation="virtual machine (KVM)")
    seen = replace(seen_of(sample_jetson_report()), device=device)
    here = device_report(seen, "this-machine", "This machine", "laptop-cpu")
    assert warnings(here) == ()
    assert warnings(replace(here, profile="laptop-4core-8gb")) != ()


def test_another_device_than_the_profiles_is_said_to_be_one() -> None:
    text = told(sample_elsewhere_report())
    assert "this is not Google Pixel 8: the figures are this device's own" in text
    assert "which is not this machine" not in text
    assert "it calls itself NVIDIA Jetson Orin Nano" in text


def test_a_session_that_ended_early_says_so_before_its_figures() -> None:
    text = told(sample_emulated_report())
    assert text.index(f"partial, the session ended early: {UNPLUGGED}") < text.index("budget line")
    assert "partial" not in told(sample_phone_report())


def test_power_says_its_source_and_how_sure_it_is() -> None:
    phone, jetson = seen_of(sample_phone_report()).power, seen_of(sample_jetson_report()).power
    assert phone is not None and jetson is not None
    assert power_text(phone) == "5.45 W while decoding, 1.31 W at rest"
    assert power_source(phone).startswith(
        "inferred: whole device, from the battery (android-battery), 2 readings a second"
    )
    assert "current_now taken as mA" in power_source(phone)
    assert power_source(jetson) == "measured: whole module, VDD_IN (ina3221), 19.8 readings a second"
    assert "431 ± 30 mJ a token above rest, 568 mJ with it" in told(sample_phone_report())


def test_power_that_was_not_measured_says_why_once() -> None:
    text = told(sample_emulated_report())
    assert text.count(CHARGING) == 1
    assert f"Power not measured: {CHARGING}" in text


def test_modelled_power_is_called_so_and_decides_nothing() -> None:
    report = sample_modelled_report()
    energy = next(line for line in report.verdict.lines if line.name == "energy per token")
    assert energy.outcome == "UNKNOWN"
    assert "powermetrics models power, nothing measured it" in told(report)
    assert "modelled: CPU and GPU, not the display (powermetrics)" in told(report)


def test_power_of_a_session_on_this_host_is_told_too() -> None:
    report = sample_report()
    power = seen_of(sample_jetson_report()).power
    with_power = replace(report, measurements=replace(seen_of(report), power=power))
    assert "8.71 W while decoding, 4.62 W at rest" in told(with_power)
    assert "W while decoding" not in told(report)


def test_memory_is_split_fits_and_pages() -> None:
    text = told(sample_phone_report())
    assert "887 MiB (VmHWM): 121 MiB anonymous, 766 MiB file-backed" in text
    assert "884 MiB (peak anonymous + mapped weights), budget 3 GiB" in text
    assert "it did not fit: 214 pages came from storage while it was timed" in text
    assert "Paging 0 faults 214 faults — — ✗ FAIL" in text
    assert "did not fit" not in told(sample_jetson_report())


def test_the_gpus_share_is_counted_or_said_to_be_missing() -> None:
    report = sample_jetson_report()
    assert "its share of shared memory is missing: nvmap's clients can be read by root alone" in told(report)
    assert "its share of shared memory" not in told(sample_phone_report()), "no GPU computed there"
    memory = replace(seen_of(report).memory, gpu_bytes=Measured(1.5e9))
    counted = replace(report, measurements=replace(seen_of(report), memory=memory))
    assert "1.40 GiB of shared memory" in told(counted)
    assert "Must fit 884 MiB (peak anonymous + mapped weights)" in told(counted)


def test_what_must_fit_is_told_as_the_session_put_it_together() -> None:
    report = sample_jetson_report()
    for reading, said in (
        (
            Measured(5e8, how="peak anonymous, the weights in it: they were read, not mapped"),
            "they were read, not mapped",
        ),
        (Unmeasured("at least 900 MiB: what else the GPU holds is not known"), "Must fit at least 900 MiB"),
    ):
        memory = replace(seen_of(report).memory, fit_bytes=reading)
        text = told(replace(report, measurements=replace(seen_of(report), memory=memory)))
        assert said in text and "mapped weights)" not in text


def test_the_mark_behind_a_peak_is_the_systems_own() -> None:
    report = sample_phone_report()
    peak = Measured(5e8, how="the native runner; the highest physical footprint, by the system's own mark")
    memory = replace(seen_of(report).memory, peak_rss_bytes=peak)
    text = told(replace(report, measurements=replace(seen_of(report), memory=memory)))
    assert "477 MiB (physical footprint)" in text and "VmHWM" not in text


def test_what_no_session_saw_is_not_told() -> None:
    memory = seen_of(sample_report()).memory
    assert fit_text(sample_report(), memory) == ""


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Measured(1.0, 48), "48 of 48 greedy ids as on this host"),
        (Measured(44 / 48, 48), "44 of 48 greedy choices as on this host, each after the same ids"),
        (Unmeasured("--no-parity"), "not compared: --no-parity"),
    ],
)
def test_parity_counts_ids(reading: Measured | Unmeasured, said: str) -> None:
    assert parity_text(reading) == said


def test_a_long_decode_is_told_from_its_first_tenth_to_its_last() -> None:
    points = tuple(SustainedPoint(float(at), 10.0 if at <= 10 else 5.0, None, None) for at in range(1, 101))
    assert sustained_text(Sustained(points, "")) == "10.0 to 5.00 tok/s (-50.0 %) in 1 min 40 s"
    assert throttling_text(Sustained(points, "")) == "nothing slowed down"
    assert sustained_text(Sustained((), "")) == "no stretch of it was timed"
    assert THROTTLED in told(sample_phone_report())


def test_throttling_is_claimed_only_where_heat_or_clock_went_with_it() -> None:
    assert dict(session_facts(sample_phone_report(), seen_of(sample_phone_report())))["Throttling"] == THROTTLED
    seen = seen_of(sample_phone_report())
    assert seen.sustained is not None
    said = "speed fell by 76 % after 12 s; neither temperature nor clock says why"
    seen = replace(seen, sustained=replace(seen.sustained, throttling=f"slowed down: {said}"))
    report = replace(sample_phone_report(), measurements=seen)
    facts = dict(session_facts(report, seen))
    assert facts["Slowed down"] == said and "Throttling" not in facts
    assert seen.sustained is not None
    assert f"; slowed down: {said}." in sustained_chart(seen.sustained).caption


def test_the_hottest_moment_counts() -> None:
    assert hottest(seen_of(sample_phone_report())).value == pytest.approx(70.8)  # type: ignore[union-attr]
    assert hottest(seen_of(sample_emulated_report())) == Measured(64.0, 2, how="the highest seen")
    assert isinstance(hottest(seen_of(sample_report())), Unmeasured)


def test_a_device_is_named_by_what_it_shows() -> None:
    assert device_name(PIXEL) == "Pixel 8"
    nameless = replace(PIXEL, names=(" ",), cpu="")
    assert device_name(nameless) == "unnamed aarch64 device"
    assert device_text(replace(JETSON, address="local")).startswith("this machine, NVIDIA Jetson")
    bare = replace(PIXEL, os="", cores=0, ram_bytes=0)
    assert device_text(bare) == "Pixel 8 over adb:37201FDJH000AB"
    assert cpu_text(PIXEL).endswith(
        "9 cores: 1 × Cortex-X3 to 2,914 MHz, 4 × Cortex-A715 to 2,367 MHz, 4 × Cortex-A510"
    )
    assert cpu_text(replace(PIXEL, clusters=(), cores=1)) == "Google Tensor G3, 1 core"
    assert cpu_text(JETSON) == "Cortex-A78AE, 6 cores to 1,510 MHz", "one kind of core is not named twice"


def test_facts_that_a_device_did_not_show_are_left_out() -> None:
    facts = dict(device_facts(PIXEL))
    assert facts["Battery"] == "Discharging, 81 %" and facts["Page size"] == "4.00 KiB"
    assert not {"NPU", "Power mode", "Hardware"} & set(facts)
    assert [text for name, text in device_facts(PIXEL) if name == "Not read"] == list(PIXEL.unread)


def hostile(device: ProbedDevice) -> ProbedDevice:
    bad = "x\x1b[2J\x07\u202ey\nz"
    return replace(
        device, names=(bad,), os=bad, cpu=bad, emulation=bad, address=bad, gpus=(bad,), unread=(bad,),
        clusters=tuple(replace(cluster, name=bad) for cluster in device.clusters),
    )  # fmt: skip


def no_control(renderable: RenderableType) -> None:
    text = shown(renderable)
    assert not set(text) & {"\x1b", "\x07", "\u202e", "\r"}
    assert max(map(len, text.splitlines())) <= 80


def test_control_characters_of_a_device_never_reach_the_terminal() -> None:
    bad = "\x1b]0;t\x07"
    report = sample_phone_report()
    seen = seen_of(report)
    assert seen.power is not None and seen.sustained is not None
    seen = replace(
        seen,
        device=hostile(PIXEL),
        partial=bad,
        notes=(bad,),
        power=replace(seen.power, scope=bad, why=bad, source=bad),
        sustained=replace(seen.sustained, throttling=bad),
        greedy_parity=Unmeasured(bad),
    )
    report = replace(report, measurements=seen)
    no_control(render_report(report))
    card = model_card(report)
    assert not set(card) & {"\x1b", "\x07", "\u202e"}


def test_the_card_tells_of_the_device_with_its_warnings() -> None:
    card = model_card(sample_emulated_report())
    assert "over ssh:emulated" in card and "through llama_cpp" in card
    assert "**Emulated CPU (qemu-user): speed and power are not the device's.**" in card
    assert f"**Partial, the session ended early: {UNPLUGGED}" in card
    assert "| Parity | 44 of 48 greedy choices as on this host, each after the same ids |" in card
    width = 0
    for line in card.splitlines():
        bars = line.replace("\\|", "").count("|")
        assert not (line.startswith("| ") and width) or bars == width, line
        width = bars if line.startswith("|") else 0


def test_what_was_there_before_the_file_is_the_runner_on_a_device() -> None:
    assert "of which the runner itself, before the file was opened" in model_card(sample_phone_report())
    comparison = sample_comparison()
    first, *rest = comparison.outcomes
    mixed = replace(comparison, outcomes=(replace(first, report=sample_phone_report()), *rest))
    said = [note for note in notes(mixed) if note.startswith("Of peak RSS")]
    assert len(said) == 2 and said[0].startswith("Of peak RSS, the runner itself") and "gguf" in said[0]
    assert said[1].startswith("Of peak RSS, interpreter and runtime libraries") and "onnx" in said[1]


def test_an_emulated_speed_is_not_held_against_a_prediction() -> None:
    predictions = sample_report().predictions
    real, emulated = (
        replace(report, predictions=predictions, verdict=replace(report.verdict, lines=()))
        for report in (sample_jetson_report(), sample_emulated_report())
    )
    assert "Decode speed" in [row.label for row in predicted_and_measured(real)]
    assert [row.label for row in predicted_and_measured(emulated)] == ["Artifact size", "Peak RAM"]


@pytest.mark.parametrize(("report", "labels"), [
    (sample_jetson_report(), ["Artifact size", "Peak RAM", "TTFT p95 at 256 tokens", "Decode speed"]),
    (sample_emulated_report(), ["Artifact size", "Peak RAM"]),
    (sample_elsewhere_report(), ["Artifact size"]),
])  # fmt: skip
def test_judged_anyway_another_devices_figures_are_not_held_against_a_prediction(
    report: Report, labels: list[str]
) -> None:
    seen = seen_of(report)
    lines = judge(
        BUDGET, artifact_bytes=report.artifact.nbytes, measurements=seen, quality=Unmeasured(""),
        predictions=sample_report().predictions, delegate="cpu", network=False,
    ).lines  # fmt: skip
    judged = replace(report, predictions=sample_report().predictions, verdict=replace(report.verdict, lines=lines))
    assert [row.label for row in predicted_and_measured(judged)] == labels
    off = {line.name for line in lines if line_error(judged, line) is not None}
    assert {line_label(name) for name in off} == set(labels)
    table = shown(render_report(judged))
    speed = next(row for row in table.splitlines() if row.startswith("Decode speed"))
    assert ("%" in speed) == ("Decode speed" in labels)


def test_a_python_session_that_names_no_python_is_none_of_the_runners() -> None:
    report = python_session()
    nameless = replace(seen_of(report), host=replace(seen_of(report).host, python=""))
    nameless = replace(nameless, runtime=replace(nameless.runtime, name="onnx"))
    assert not is_native(nameless) and is_native(seen_of(sample_phone_report()))


def test_paging_is_not_said_again_as_a_note() -> None:
    report = sample_phone_report()
    notes = ("prompts are tokens of shipped text", "paging: 214 pages had to come from storage")
    text = told(replace(report, measurements=replace(seen_of(report), notes=notes)))
    assert notes[0] in text and notes[1] not in text


def python_session() -> Report:
    """What the Python runtime on a device gives: its figures are a Python's."""
    report = sample_report()
    seen = replace(seen_of(report), device=PIXEL)
    seen = replace(seen, runtime=replace(seen.runtime, name="onnx"))
    return replace(report, measurements=replace(seen, host=replace(seen.host, python="3.11.9")))


def test_a_python_session_on_a_device_has_no_rows_for_what_only_the_runner_sees() -> None:
    report = python_session()
    text, card = told(report), model_card(report)
    assert "ran on Pixel 8 over adb:37201FDJH000AB" in text
    assert "Parity" not in text and "Must fit" not in text and "(VmHWM)" not in text
    assert "of which interpreter and runtime libraries" in card
    page = report_to_html(report)
    assert NOT_SEEN.reason not in page and 'id="fit"' not in page and "State of the device" in page


def test_a_power_source_that_showed_nothing_adds_no_rows_on_this_host() -> None:
    report = sample_report()
    nothing = seen_of(sample_emulated_report()).power
    page = report_to_html(replace(report, measurements=replace(seen_of(report), power=nothing)))
    assert page == report_to_html(report)


def test_a_session_without_memory_figures_still_renders() -> None:
    nothing = Unmeasured("macOS shows no such thing")
    report = sample_jetson_report()
    memory = Memory(nothing, nothing, nothing, nothing, nothing, ())
    text = told(replace(report, measurements=replace(seen_of(report), memory=memory)))
    assert "Peak RAM — (macOS shows no such thing)" in text
