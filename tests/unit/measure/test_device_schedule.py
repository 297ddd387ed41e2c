"""What the runner is asked to do, and what is sampled meanwhile."""

from __future__ import annotations

import device_lines as lines
import pytest

from edgeshrink.core.device import CpuCluster, Probe
from edgeshrink.core.session import SessionOptions
from edgeshrink.measure.device.events import Sample
from edgeshrink.measure.device.sampling import Sampled, celsius, globs, plan_sampling
from edgeshrink.measure.device.schedule import schedule, threads_for
from edgeshrink.measure.power.interface import SamplingPlan

NONE = Sampled("no power source", (), ())


def test_the_first_length_is_the_one_that_counts() -> None:
    plan = schedule(SessionOptions(depths=(0, 1024, 5000)), (256, 32, 256, 4096), 2048)
    assert plan.lengths == (256, 32)
    assert plan.depths == (256, 0, 1024)
    words = plan.arguments(NONE)
    assert words[:4] == ("--prompts", "256,32", "--depths", "256,0,1024")
    assert words[words.index("--first-repetitions") + 1] == "20"
    assert "--idle-s" not in words and "--sustain-s" not in words
    assert words[-4:] == ("--sample-ms", "5000", "--sample", "/proc/uptime"), "a sign of life"


def test_percentiles_get_their_samples() -> None:
    plan = schedule(SessionOptions(repetitions=1, decode_tokens=4), (64,), 512)
    assert plan.repetitions == 5
    assert plan.decode_tokens * plan.repetitions == 100
    assert plan.steps == 20 + 5


def test_everything_fits_the_context() -> None:
    plan = schedule(SessionOptions(decode_tokens=512, depths=(100,)), (200,), 128)
    assert plan.lengths == () and plan.decode_tokens == 28 and plan.depths == (32, 100)


@pytest.mark.parametrize(
    ("prompt", "context", "depth", "tokens"), [(32, 128, 32, 96), (120, 128, 108, 20), (64, 512, 64, 128)]
)
def test_decode_is_shortened_before_its_depth_is(prompt: int, context: int, depth: int, tokens: int) -> None:
    plan = schedule(SessionOptions(decode_tokens=128), (prompt,), context)
    assert (plan.depths, plan.decode_tokens) == ((depth,), tokens)
    assert plan.decode_tokens * plan.repetitions >= 100, "enough for a p99"


@pytest.mark.parametrize(
    ("options", "notes"),
    [
        (SessionOptions(), ()),
        (SessionOptions(depths=(0, 100)), ()),
        (SessionOptions(depths=(1024, 1024)), ("a depth of 1024 tokens does not fit a context of 512",)),
        (SessionOptions(depths=(500,)), ("a depth of 500 tokens leaves a context of 512 no room for 20 more",)),
        (SessionOptions(decode_tokens=8), ("20 tokens a repetition, not 8: p99 needs 100 steps",)),
        (SessionOptions(decode_tokens=2000), ("448 tokens a repetition, not 2000: the context holds 512",)),
    ],
)
def test_what_is_timed_otherwise_than_asked_is_noted(options: SessionOptions, notes: tuple[str, ...]) -> None:
    plan = schedule(options, (64,), 512)
    assert plan.notes == notes
    assert max(plan.depths) + plan.decode_tokens <= 512


def plan_of(interval_ms: int) -> SamplingPlan:
    return SamplingPlan("ina3221", "whole module", "measured", files=("/p",), interval_ms=interval_ms)


def test_a_power_source_gets_rest_and_decode_enough_for_its_sensor() -> None:
    options = SessionOptions(idle_s=7, sustain_s=60)
    words = schedule(options, (64,), 512).arguments(NONE)
    assert "--idle-s" not in words
    assert words[words.index("--sustain-s") + 1] == "60.0"
    quick = schedule(SessionOptions(idle_s=2), (64,), 512, power=plan_of(50))
    assert (quick.idle_s, quick.sustain_s, quick.window_s) == (2.0, 3.75, 0.75)
    slow = schedule(SessionOptions(idle_s=2), (64,), 512, power=plan_of(1000))
    assert (slow.idle_s, slow.sustain_s) == (15.0, 75.0)


def test_the_deadline_grows_with_the_model() -> None:
    plan = schedule(SessionOptions(), (512,), 2048)
    assert plan.deadline_s(5 << 20) < plan.deadline_s(1 << 30) <= 7 * 3600
    assert plan.deadline_s(50_000_000) >= 5 * (512 + 512 + 128)


def test_small_cores_are_left_out() -> None:
    clusters = (CpuCluster("Cortex-A55", 4, 1800.0), CpuCluster("Cortex-A78", 3, 2400.0), CpuCluster("X1", 1, 2850.0))
    assert threads_for(lines.device(cores=8, clusters=clusters)) == 4
    assert threads_for(lines.device(cores=6, clusters=(CpuCluster("A78AE", 6),))) == 6
    assert threads_for(lines.device(cores=0)) == 1


def test_a_cluster_that_hides_its_clock_is_known_by_its_cores() -> None:
    hidden = (CpuCluster("Arm Cortex-X3", 1, 2914.0), CpuCluster("Arm Cortex-A715", 4, 2367.0),
              CpuCluster("Arm Cortex-A510", 4))  # fmt: skip
    assert threads_for(lines.device(cores=9, clusters=hidden)) == 5
    big = (CpuCluster("Arm Cortex-X4", 4, 3250.0), CpuCluster("Arm Cortex-A720", 4))
    assert threads_for(lines.device(cores=8, clusters=big)) == 4
    strange = (CpuCluster("Arm part 0xfff", 2, 3000.0), CpuCluster("Arm part 0xffe", 6))
    assert threads_for(lines.device(cores=8, clusters=strange)) == 2
    alike = (CpuCluster("Arm Cortex-A78AE", 1, 1510.0), CpuCluster("Arm Cortex-A78AE", 5))
    assert threads_for(lines.device(cores=6, clusters=alike)) == 6


def test_a_mac_uses_its_fast_cores() -> None:
    kinds = (CpuCluster("Apple M4 performance core", 4), CpuCluster("Apple M4 efficiency core", 6))
    assert threads_for(lines.device(system="darwin", cores=10, clusters=kinds)) == 4
    newer = (CpuCluster("Apple M9 super core", 4), CpuCluster("Apple M9 performance core", 6))
    assert threads_for(lines.device(system="darwin", cores=10, clusters=newer)) == 4


ZONE = "/sys/class/thermal/thermal_zone"
POLICY = "/sys/devices/system/cpu/cpufreq/policy"
SHOWN = {
    f"{ZONE}0/type": "battery",
    f"{ZONE}0/temp": "31000",
    f"{ZONE}1/type": "cpu-thermal",
    f"{ZONE}1/temp": "52500",
    f"{ZONE}10/type": "soc0-thermal",
    f"{ZONE}10/temp": "49000",
    f"{ZONE}2/type": "cpu-off",
    f"{ZONE}2/temp": "",
    f"{POLICY}0/scaling_cur_freq": "1200000",
    f"{POLICY}4/scaling_cur_freq": "1500000",
    f"{POLICY}7/scaling_cur_freq": "",
    f"unreadable:{POLICY}7/scaling_cur_freq": "Permission denied",
}


def test_heat_and_clocks_are_sampled_in_every_session_and_faster_beside_a_long_run() -> None:
    probe = Probe(lines.device(), SHOWN)
    now_and_then = plan_sampling(probe, (), sustained=False)
    sampled = plan_sampling(probe, (), sustained=True)
    assert now_and_then.files == sampled.files
    assert now_and_then.interval_ms >= 2000 > sampled.interval_ms
    assert sampled.zones == (("cpu-thermal", f"{ZONE}1/temp"), ("soc0-thermal", f"{ZONE}10/temp"))
    assert sampled.files[2:] == (f"{POLICY}0/scaling_cur_freq", f"{POLICY}4/scaling_cur_freq")
    sample = Sample(1.0, ("52500", "61000", "1200000", "1500000"))
    assert sampled.temperature(sample) == (61.0, "soc0-thermal")
    assert sampled.frequency_mhz(sample) == 1500.0
    assert sampled.temperature(Sample(1.0, ())) is None and sampled.frequency_mhz(Sample(1.0, ())) is None


def test_beside_files_of_a_power_source_only_the_hottest_sensor_is_read() -> None:
    rail = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    shown = {f"{rail}/in1_label": "VDD_IN", f"{rail}/in1_input": "4968", f"{rail}/curr1_input": "1000"}
    probe = Probe(lines.device(), SHOWN | shown)
    quick = plan_sampling(probe, ("ina3221",), sustained=False)
    assert quick.power_files, quick.power
    assert quick.zones == (("cpu-thermal", f"{ZONE}1/temp"),) and not quick.clocks
    assert quick.interval_ms < 2000
    assert len(plan_sampling(probe, ("ina3221",), sustained=True).zones) == 2


def test_without_clusters_a_few_cores_stand_for_all() -> None:
    shown = {f"/sys/devices/system/cpu/cpu{number}/cpufreq/scaling_cur_freq": "1" for number in range(12)}
    clocks = plan_sampling(Probe(lines.device(), shown), (), sustained=True).clocks
    assert [path.split("/")[5] for path in clocks] == ["cpu2", "cpu5", "cpu8", "cpu11"]


def test_sensors_of_unknown_names_are_better_than_none() -> None:
    shown = {name: text for name, text in SHOWN.items() if f"{ZONE}0/" in name}
    assert plan_sampling(Probe(lines.device(), shown), (), sustained=True).zones == (("battery", f"{ZONE}0/temp"),)


def test_what_can_be_sampled_is_what_the_probe_is_asked_for() -> None:
    assert f"{ZONE}*/temp" in globs(()) and f"{POLICY}*/scaling_cur_freq" in globs(())
    assert any("powercap" in glob for glob in globs(("rapl",)))


@pytest.mark.parametrize(
    ("text", "degrees"),
    [("52500", 52.5), ("48", 48.0), ("-5000", -5.0), ("", None), ("x", None), (None, None), ("999999", None)],
)
def test_temperatures_as_kernels_write_them(text: str | None, degrees: float | None) -> None:
    assert celsius(text) == degrees
