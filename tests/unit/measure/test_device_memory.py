"""Memory of the runner as readings, and what of it must fit."""

from __future__ import annotations

from typing import Any

import device_lines as lines
import pytest
from device_lines import MIB

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.measure.device.gpu_memory import gpu_reading, watch_command
from edgeshrink.measure.device.memory import memory_readings
from edgeshrink.measure.power.interface import RawSample

NO_GPU = Unmeasured("nothing was computed on a GPU")
ROWS = (
    lines.memory("start", 1.0, hwm=7 * MIB, anon=1 * MIB, file=6 * MIB),
    lines.memory("loaded", 2.0, hwm=20 * MIB, anon=8 * MIB, file=12 * MIB),
    lines.memory("decode", 3.0, hwm=22 * MIB, anon=9 * MIB, file=10 * MIB, shmem=1 * MIB),
)


def value(reading: object) -> float:
    assert isinstance(reading, Measured), reading
    return reading.value


def test_the_headline_is_the_systems_mark_and_the_split_is_of_the_looks() -> None:
    memory = memory_readings(lines.record(*ROWS, lines.loaded()), NO_GPU, lines.device(), missing="")
    assert value(memory.peak_rss_bytes) == 22 * MIB
    assert "VmHWM" in memory.peak_rss_bytes.how  # type: ignore[union-attr]
    assert value(memory.peak_anon_bytes) == 10 * MIB, "shared memory is backed by no file"
    assert value(memory.peak_file_bytes) == 12 * MIB
    assert value(memory.baseline_rss_bytes) == 7 * MIB
    assert [(sample.at_s, sample.phase) for sample in memory.timeline] == [(0, "start"), (1, "loaded"), (2, "decode")]


@pytest.mark.parametrize(
    ("changes", "weights"),
    [
        ({}, 5 * MIB),
        ({"buffers": {"CPU_Mapped": 9 * MIB}}, 5 * MIB),
        ({"buffers": {"CPU_Mapped": 2 * MIB, "CPU_REPACK": 3 * MIB}}, 2 * MIB),
        ({"buffers": {}}, 5 * MIB),
        ({"mapped": False, "buffers": {"CPU": 5 * MIB}}, 0),
    ],
)
def test_what_must_fit_counts_every_weight_once(changes: dict[str, Any], weights: int) -> None:
    memory = memory_readings(lines.record(*ROWS, lines.loaded(**changes)), NO_GPU, lines.device(), missing="")
    assert value(memory.fit_bytes) == 10 * MIB + weights


def test_the_gpus_share_is_counted_where_shown_and_else_said_to_be_missing() -> None:
    said = lines.record(*ROWS, lines.loaded(gpu_layers=8, backend="CUDA0+CPU"))
    with_gpu = memory_readings(said, Measured(30.0 * MIB), lines.device(), missing="")
    assert value(with_gpu.fit_bytes) == 45 * MIB


GPU = {"gpu_layers": 8, "backend": "CUDA0+CPU", "buffers": {"CPU_Mapped": MIB, "CUDA0": 4 * MIB, "CUDA_Host": MIB}}
UNKNOWN = Unmeasured("not shown")


def test_memory_with_an_unknown_part_of_a_gpu_is_a_lower_bound_and_no_figure_to_judge_by() -> None:
    memory = memory_readings(lines.record(*ROWS, lines.loaded(**GPU)), UNKNOWN, lines.device(), missing="")
    assert isinstance(memory.fit_bytes, Unmeasured) and isinstance(memory.peak_rss_bytes, Unmeasured)
    assert memory.fit_bytes.reason.startswith("at least 15 MiB with 4 MiB of weights in the GPU's buffers")
    assert memory.peak_rss_bytes.reason.startswith("at least 26 MiB")
    assert isinstance(memory.gpu_bytes, Unmeasured)
    assert "not shown; at least 4 MiB: llama.cpp's own figure of its weight buffers" in memory.gpu_bytes.reason
    phone = lines.device(system="android", machine="aarch64")
    vulkan = lines.loaded(gpu_layers=8, backend="Vulkan0+CPU", buffers={})
    assert isinstance(memory_readings(lines.record(*ROWS, vulkan), UNKNOWN, phone, missing="").fit_bytes, Unmeasured)


def test_a_gpu_with_memory_of_its_own_takes_none_of_the_ram() -> None:
    computer = lines.device(machine="x86_64", gpus=("NVIDIA H200",))
    memory = memory_readings(lines.record(*ROWS, lines.loaded(**GPU)), UNKNOWN, computer, missing="")
    assert value(memory.fit_bytes) == 11 * MIB and value(memory.peak_rss_bytes) == 22 * MIB


def test_apples_footprint_has_the_gpus_share_and_its_resident_size_has_not() -> None:
    mac = lines.device(system="darwin", machine="arm64")
    metal = lines.loaded(gpu_layers=8, backend="MTL0+CPU+BLAS", buffers={"CPU_Mapped": MIB, "MTL0_Mapped": 4 * MIB})
    memory = memory_readings(lines.record(*ROWS, metal), UNKNOWN, mac, missing="")
    assert value(memory.fit_bytes) == 15 * MIB
    assert isinstance(memory.peak_rss_bytes, Unmeasured) and "at least 22 MiB" in memory.peak_rss_bytes.reason
    said = {"event": "device", "system": "iOS", "os": "18.1", "model": "iPhone16,1", "cores": 6, "ram_bytes": 8 << 30,
            "page_bytes": 16384, "thermal": "nominal"}  # fmt: skip
    app = memory_readings(lines.record(said, *ROWS, metal), UNKNOWN, mac, missing="")
    assert value(app.peak_rss_bytes) == 22 * MIB


@pytest.mark.parametrize(
    ("system", "described", "mark"),
    [
        ("linux", None, "VmHWM"),
        ("darwin", None, "the largest resident size"),
        ("darwin", "iOS", "physical footprint"),
        ("darwin", "Linux", "VmHWM"),
    ],
)
def test_the_peak_says_which_mark_of_the_system_it_is(system: str, described: str | None, mark: str) -> None:
    said = {"event": "device", "system": described, "os": "", "model": "", "cores": 6, "ram_bytes": 1, "page_bytes": 1,
            "thermal": ""}  # fmt: skip
    record = lines.record(*([said] if described else []), *ROWS, lines.loaded())
    peak = memory_readings(record, NO_GPU, lines.device(system=system), missing="").peak_rss_bytes
    assert isinstance(peak, Measured) and mark in peak.how


def test_what_must_fit_says_whether_weights_were_mapped() -> None:
    for mapped, words in ((True, "peak anonymous + mapped weights"), (False, "they were read, not mapped")):
        fit = memory_readings(
            lines.record(*ROWS, lines.loaded(mapped=mapped)), NO_GPU, lines.device(), missing=""
        ).fit_bytes
        assert isinstance(fit, Measured) and words in fit.how


def test_faults_that_nobody_counted_are_not_none_at_all() -> None:
    parts = [lines.prefill(32, 0, 5.0), lines.decode(32, 0, [1.0], majflt=4)]
    del parts[0]["majflt"]
    record = lines.record(*ROWS, lines.loaded(), *parts)
    assert isinstance(memory_readings(record, NO_GPU, lines.device(), missing="").major_faults, Unmeasured)


def test_major_faults_are_those_of_the_timed_parts() -> None:
    said = lines.record(
        *ROWS, lines.loaded(), lines.prefill(32, 0, 5.0, majflt=3), lines.decode(32, 0, [1.0], majflt=4)
    )
    assert value(memory_readings(said, NO_GPU, lines.device(), missing="").major_faults) == 7
    assert isinstance(memory_readings(lines.record(*ROWS), NO_GPU, lines.device(), missing="").major_faults, Unmeasured)


def test_a_system_without_the_split_says_so() -> None:
    rows = [row | {"anon": -1, "file": -1, "rss": 20 * MIB} for row in ROWS]
    memory = memory_readings(lines.record(*rows, lines.loaded()), NO_GPU, lines.device(), missing="")
    assert isinstance(memory.peak_anon_bytes, Unmeasured) and isinstance(memory.fit_bytes, Unmeasured)
    assert memory.timeline == ()
    assert value(memory.peak_rss_bytes) == 22 * MIB


def test_no_memory_events_is_unmeasured_for_the_given_reason() -> None:
    assert memory_readings(lines.record(), NO_GPU, lines.device(), missing="cut").peak_rss_bytes == Unmeasured("cut")


NVMAP = """\
CLIENT                        PROCESS      PID        SIZE
user                 edgeshrink-runner       77     204800K
user                             Xorg     1201      51200K
total                                              256000K"""


def test_a_jetson_shows_what_its_gpu_holds_of_the_memory() -> None:
    later = NVMAP.replace("204800K", "307200K")
    samples = [RawSample(1.0, (line,)) for line in (*NVMAP.splitlines(), *later.splitlines())]
    assert value(gpu_reading(samples, 77, on_gpu=True, watched=True)) == 300 * MIB
    assert isinstance(gpu_reading(samples, 78, on_gpu=True, watched=True), Unmeasured)
    assert isinstance(gpu_reading(samples, 77, on_gpu=False, watched=True), Unmeasured)
    assert isinstance(gpu_reading((), 77, on_gpu=True, watched=False), Unmeasured)


def test_only_a_jetson_whose_gpu_computes_is_asked() -> None:
    jetson = lines.device(names=("NVIDIA Jetson Orin Nano", "nvidia,tegra234"))
    assert watch_command(jetson, 99)
    assert not watch_command(jetson, 0)
    assert not watch_command(lines.device(), 99)
