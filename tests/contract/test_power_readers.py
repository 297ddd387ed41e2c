"""What any power reader must do. A new one adds to DEVICES a device that shows its files and follows a known power."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeshrink.core.reading import Measured
from edgeshrink.errors import PlanError
from edgeshrink.measure.power.energy import record_power
from edgeshrink.measure.power.interface import PowerReader, RawSample, SamplingPlan
from edgeshrink.measure.power.readings import UNREADABLE
from edgeshrink.measure.power.registry import READERS, all_commands, all_globs, choose, reader

IDLE_W, BUSY_W = 3.0, 7.0
LOAD, DECODE, END = 10.0, 12.0, 32.0
EVERY_S = 0.2


def power(at_s: float) -> float:
    return IDLE_W if at_s < LOAD else BUSY_W


def joules(at_s: float) -> float:
    return IDLE_W * min(at_s, LOAD) + BUSY_W * max(0.0, at_s - LOAD)


@dataclass(frozen=True)
class Device:
    """What a probe shows, and the texts that the plan's files or program give at a moment."""

    shown: Mapping[str, str]
    texts: Callable[[float], tuple[str, ...]]


def _rapl() -> Device:
    zone, wraps = "/sys/class/powercap/intel-rapl:0", 100_000_000
    shown = {f"{zone}/name": "package-0", f"{zone}/energy_uj": "5", f"{zone}/max_energy_range_uj": str(wraps)}
    return Device(shown, lambda at_s: (str(round(joules(at_s) * 1e6) % wraps), str(wraps)))


def _battery() -> Device:
    folder = "/sys/class/power_supply/BAT0/"
    shown = {f"{folder}type": "Battery", f"{folder}status": "Discharging", f"{folder}power_now": "3000000"}
    return Device(shown, lambda at_s: (str(round(power(at_s) * 1e6)), "Discharging"))


def _ina3221() -> Device:
    folder = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/"
    labels = {1: "VDD_IN", 2: "VDD_CPU_GPU_CV", 3: "VDD_SOC"}
    shown = {f"{folder}in{n}_label": label for n, label in labels.items()}
    shown |= {f"{folder}{kind}{n}_input": "5000" for n in labels for kind in ("in", "curr")}
    return Device(shown, lambda at_s: ("5000", str(round(power(at_s) / 5 * 1e3))))


def _tegrastats() -> Device:
    def line(at_s: float) -> tuple[str, ...]:
        now = round(power(at_s) * 1e3)
        return (f"RAM 2505/7620MB (lfb 4x4MB) CPU [2%@729] VDD_IN {now}mW/4000mW VDD_SOC {now // 2}mW/{now}mW",)

    return Device({"command:tegrastats": "/usr/bin/tegrastats"}, line)


def _android_battery() -> Device:
    folder = "/sys/class/power_supply/battery/"
    shown = {f"{folder}current_now": "-750000", f"{folder}voltage_now": "4000000", f"{folder}status": "Discharging"}
    return Device(shown, lambda at_s: (str(round(-power(at_s) / 4 * 1e6)), "4000000", "Discharging"))


def _odpm() -> Device:
    file = "/sys/bus/iio/devices/iio:device0/energy_value"

    def text(at_s: float) -> tuple[str, ...]:
        uws, now = round(joules(at_s) * 1e6), round(at_s * 1e3)
        rails = {"S2M_VDD_CPUCL2": uws - uws // 4, "VSYS_PWR_MODEM": 9 * uws, "S1M_VDD_MIF": uws // 4}
        lines = [f"CH{n}(T={now})[{rail}], {count}" for n, (rail, count) in enumerate(rails.items())]
        return (" ".join([f"t={now}", *lines]),)

    return Device({file: text(1.0)[0].replace(" CH", "\nCH")}, text)


def _macmon() -> Device:
    def line(at_s: float) -> tuple[str, ...]:
        return (json.dumps({"sys_power": power(at_s), "cpu_power": 1.0, "gpu_power": 0.5, "ane_power": 0.0}),)

    return Device({"command:macmon": "/opt/homebrew/bin/macmon"}, line)


def _powermetrics() -> Device:
    def line(at_s: float) -> tuple[str, ...]:
        mean_mw = 1e3 * (joules(at_s) - joules(at_s - EVERY_S)) / EVERY_S
        return (f"<key>elapsed_ns</key><integer>1</integer> <key>combined_power</key><real>{mean_mw:.3f}</real>",)

    return Device({"command:powermetrics": "/usr/bin/powermetrics", "command:sudo": "/usr/bin/sudo"}, line)


DEVICES: dict[str, Callable[[], Device]] = {
    "rapl": _rapl, "battery": _battery, "ina3221": _ina3221, "tegrastats": _tegrastats, "odpm": _odpm,
    "android-battery": _android_battery, "macmon": _macmon, "powermetrics": _powermetrics,
}  # fmt: skip


def planned(name: str) -> tuple[PowerReader, SamplingPlan, Device]:
    device = DEVICES[name]()
    found = choose((name,), device.shown)
    assert not isinstance(found, str), found
    return *found, device


def session(device: Device) -> list[RawSample]:
    return [RawSample(at_s, device.texts(at_s)) for at_s in (EVERY_S * n for n in range(1, round(END / EVERY_S) + 5))]


@pytest.fixture(params=sorted(READERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_watts_follow_the_planted_power(name: str) -> None:
    power_reader, plan, device = planned(name)
    seen = power_reader.watts(plan, session(device))
    assert len(seen) > 100
    assert [sample.at_s for sample in seen] == sorted(sample.at_s for sample in seen)
    assert [s.watts for s in seen if s.at_s < LOAD - EVERY_S] == pytest.approx(
        [IDLE_W] * sum(s.at_s < LOAD - EVERY_S for s in seen), rel=0.01
    )
    assert [s.watts for s in seen if s.at_s > LOAD + EVERY_S] == pytest.approx(
        [BUSY_W] * sum(s.at_s > LOAD + EVERY_S for s in seen), rel=0.01
    )


def test_the_energy_of_a_token_is_what_was_planted(name: str) -> None:
    power_reader, plan, device = planned(name)
    decodes = [(DECODE, DECODE + 10, 100), (DECODE + 10, END, 100)]
    record, net = record_power(power_reader, plan, session(device), (1.0, LOAD - 1), decodes)
    assert isinstance(net, Measured), net
    assert net.value == pytest.approx(1e3 * (BUSY_W - IDLE_W) * 10 / 100, rel=0.01)
    assert isinstance(record.gross_mj_per_token, Measured)
    assert record.gross_mj_per_token.value == pytest.approx(1e3 * BUSY_W * 10 / 100, rel=0.01)
    assert record.source == name
    assert record.rate_hz == pytest.approx(1 / EVERY_S)
    assert record.timeline


def test_a_plan_says_what_is_read_and_what_the_watts_include(name: str) -> None:
    power_reader, plan, _ = planned(name)
    assert bool(plan.files) != bool(plan.command)
    assert plan.source == power_reader.name == name
    assert len(plan.scope) > 20
    assert plan.origin in ("measured", "inferred", "modelled")
    assert plan.why or plan.origin == "measured"
    assert 10 <= plan.interval_ms <= 2000


def test_what_a_probe_must_look_for_needs_no_quoting(name: str) -> None:
    power_reader = reader(name)
    assert power_reader.globs or power_reader.commands
    assert all(glob.startswith("/") and not set(glob) & set(" \"'$`;&|<>()") for glob in power_reader.globs)
    assert all(command.isalnum() for command in power_reader.commands)
    assert set(power_reader.globs) <= set(all_globs(READERS))
    assert set(power_reader.commands) <= set(all_commands(READERS))


def test_a_program_is_run_by_the_path_that_the_probe_saw(name: str) -> None:
    shown = {path: text for path, text in DEVICES[name]().shown.items() if not path.startswith("command:")}
    if name == "odpm":
        shown = {"/vendor/etc/vintf/manifest/power.stats-service.pixel.xml": ""}
    programs = {command: f"/odd place/{command}" for command in reader(name).commands}
    plan = reader(name).plan(shown | {f"command:{command}": path for command, path in programs.items()})
    assert isinstance(plan, SamplingPlan)
    words = [word for argument in plan.command for word in (argument, *re.findall(r"'([^']*)'", argument))]
    assert set(programs.values()) <= set(words)
    for bad in ("macmon", "/x\x1b[1m", ""):
        refused = reader(name).plan(shown | {f"command:{command}": bad for command in programs})
        assert isinstance(refused, str) == bool(programs)


def test_where_there_is_nothing_there_is_a_reason(name: str) -> None:
    assert reader(name).plan({})
    found = choose((name,), {})
    assert isinstance(found, str)
    assert f"tried {name}: " in found


def test_files_that_may_not_be_read_are_a_reason(name: str) -> None:
    _, plan, device = planned(name)
    files = plan.files or tuple(path for path in device.shown if path.startswith("/"))
    if not files:
        pytest.skip("it reads no files")
    shown = dict(device.shown) | dict.fromkeys(files, "")
    shown |= {UNREADABLE + file: "Permission denied" for file in files}
    reason = reader(name).plan(shown)
    assert isinstance(reason, str)
    assert "Permission denied" in reason


def test_readings_that_are_no_readings_are_left_out(name: str) -> None:
    power_reader, plan, device = planned(name)
    good = session(device)
    width = len(good[0].texts)
    torn = [
        tuple(None for _ in range(width)),
        tuple("" for _ in range(width)),
        tuple("12\n34" for _ in range(width)),
        tuple("12abc" for _ in range(width)),
        (*good[0].texts, "1"),
    ]
    late = [RawSample(good[10 * n].at_s + 0.01, texts) for n, texts in enumerate(torn, start=1)]
    mixed = sorted([*good, *late], key=lambda sample: sample.at_s)
    mixed.insert(30, RawSample(good[2].at_s, good[2].texts))  # a clock that jumped back
    assert power_reader.watts(plan, mixed) == power_reader.watts(plan, good)
    record, _ = record_power(power_reader, plan, mixed, None, [])
    assert f"{len(torn) + 1} of {len(mixed)} readings" in record.why


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(READERS)),
    rows=st.lists(
        st.tuples(
            st.floats(0, 100, allow_nan=False),
            st.lists(st.none() | st.text(max_size=30) | st.integers().map(str), max_size=8),
        ),
        max_size=20,
    ),
)
def test_garbage_never_raises(name: str, rows: list[tuple[float, list[str | None]]]) -> None:
    power_reader, plan, _ = planned(name)
    width = len(plan.files) or 1
    samples = [RawSample(at_s, tuple((*texts, *[None] * width)[:width])) for at_s, texts in rows]
    record, net = record_power(power_reader, plan, samples, (0.0, 1.0), [(1.0, 90.0, 5)])
    assert net == record.decode_w or isinstance(net, Measured) or net.reason
    assert len(power_reader.watts(plan, samples)) <= len(samples)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(READERS)), texts=st.lists(st.text(max_size=40), min_size=12, max_size=12))
def test_a_hostile_probe_never_raises(name: str, texts: list[str]) -> None:
    shown = dict(zip(DEVICES[name]().shown, texts, strict=False))
    plan = reader(name).plan(shown)
    assert isinstance(plan, str | SamplingPlan)
    told = plan if isinstance(plan, str) else plan.scope + plan.why
    assert not any(ord(char) < 32 for char in told)


def test_names_nobody_knows() -> None:
    with pytest.raises(PlanError, match="steam") as caught:
        reader("steam")
    assert "rapl" in caught.value.hint
    found = choose(("steam",), {})
    assert isinstance(found, str)
    assert "steam: edgeshrink has no such reader" in found
    assert choose((), {}) == "no power source: the target names none"
    assert all_globs(("steam",)) == all_commands(("steam",)) == ()


def test_the_first_source_that_is_there_is_taken() -> None:
    found = choose(("ina3221", "tegrastats"), DEVICES["tegrastats"]().shown)
    assert not isinstance(found, str)
    assert found[1].source == "tegrastats"
