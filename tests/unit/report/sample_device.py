"""Sessions on attached devices: a phone that throttles, a Jetson with a sensor, an emulated one that was unplugged."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from edgeshrink.core.budget import Budget
from edgeshrink.core.device import Battery, CpuCluster, ProbedDevice, ThermalZone
from edgeshrink.core.listing import ListedDevice
from edgeshrink.core.measurement import (
    DecodePoint,
    HostFacts,
    HostState,
    Measurements,
    Memory,
    MemorySample,
    PrefillPoint,
    RuntimeFacts,
    Sustained,
    SustainedPoint,
)
from edgeshrink.core.power import PowerRecord, PowerSample
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.report import DEVICES_SCHEMA, DeviceOutcome, DeviceSessions, Interleaved, Report
from edgeshrink.judging import judge
from edgeshrink.judging.countable import countable

from .sample import MIB, sample_report

HOW = "A / B within a round, median of 8; low/high: 95 % interval of the median by order statistics"
GIB = 1024 * MIB
SIZE = 807_694_464
WEIGHTS = 799_862_784
CHARGING = "the battery is charging over USB, so what flows is not what is used: use adb over Wi-Fi"
UNPLUGGED = "adb:37201FDJH000AB went away while decoding, repetition 3 of 5"
THROTTLED = "speed fell by 26 % after 70 s, while big cores went from 2,914 to 1,836 MHz at 71 °C"
BUDGET = Budget(
    artifact_bytes_max=2 * GIB,
    peak_rss_bytes_max=3 * GIB,
    ttft_p95_ms_max=2500,
    ttft_prompt_tokens=256,
    decode_tok_s_min=8,
    inter_token_p99_ms_max=250,
    energy_mj_per_token_max=625,
)

PIXEL = ProbedDevice(
    address="adb:37201FDJH000AB",
    id="c0ffee1234567890",
    system="android",
    os="Android 14",
    kernel="5.15.148-android14-11",
    machine="aarch64",
    libc="bionic",
    names=("Pixel 8", "shiba"),
    cpu="Google Tensor G3",
    clusters=(
        CpuCluster("Cortex-X3", 1, 2914.0),
        CpuCluster("Cortex-A715", 4, 2367.0),
        CpuCluster("Cortex-A510", 4, None),
    ),
    cores=9,
    cpu_features=("fp", "asimd", "aes", "pmull", "sha1", "sha2", "crc32", "atomics", "fphp", "asimdhp", "asimddp",
                  "i8mm", "bf16", "sve", "sve2"),
    ram_bytes=7_972_450_304,
    available_bytes=3_221_225_472,
    page_bytes=4096,
    gpus=("Mali-G715",),
    governor="sched_pixel",
    thermal=(ThermalZone("BIG", 41.0), ThermalZone("G3D", 38.5)),
    battery=Battery("Discharging", 81),
    unread=("NPU: no file of /sys names one", "power rails: dumpsys powerstats was refused"),
)  # fmt: skip
JETSON = ProbedDevice(
    address="ssh:me@jetson:2222",
    id="0123456789abcdef",
    system="linux",
    os="Ubuntu 22.04.4 LTS, L4T R36.3.0",
    kernel="5.15.136-tegra",
    machine="aarch64",
    libc="glibc 2.35",
    names=("NVIDIA Jetson Orin Nano Developer Kit",),
    cpu="Cortex-A78AE",
    clusters=(CpuCluster("Cortex-A78AE", 6, 1510.4),),
    cores=6,
    cpu_features=("asimd", "asimddp", "fphp", "asimdhp"),
    ram_bytes=7_990_000_000,
    available_bytes=6_442_450_944,
    page_bytes=4096,
    gpus=("Orin (nvgpu)",),
    governor="schedutil",
    power_mode="15W",
    thermal=(ThermalZone("cpu-thermal", 47.2),),
)


def sample_phone_report() -> Report:
    """A 1B model on a Pixel 8 on battery: inferred power, four decode depths, a long decode that throttled, paging."""
    seen = _session(PIXEL, threads=5, speed=9.6, chance=random.Random(3))
    seen = replace(seen, power=_phone_power(), energy_mj_per_token=Measured(431.0, 5, 402.0, 461.0), memory=replace(
        seen.memory, major_faults=Measured(214.0, 3, how="ru_majflt over prefill and decode")))  # fmt: skip
    return device_report(seen, "pixel-8", "Google Pixel 8", "android")


def sample_jetson_report() -> Report:
    """The same on a Jetson, on its GPU, with a power sensor."""
    seen = _session(JETSON, threads=6, speed=21.4, chance=random.Random(4))
    seen = replace(
        seen,
        runtime=replace(seen.runtime, backend="CUDA", gpu_layers=17),
        memory=replace(seen.memory, gpu_bytes=Unmeasured("nvmap's clients can be read by root alone")),
        power=_jetson_power(),
        energy_mj_per_token=Measured(190.4, 5, 187.9, 193.0, "net of rest"),
        sustained=Sustained(tuple(replace(point, frequency_mhz=None) for point in _long(21.4, 1.0)), ""),
    )
    return device_report(seen, "jetson-orin-nano-8gb", "Jetson Orin Nano 8 GB", "jetson")


def sample_emulated_report() -> Report:
    """Emulated, unplugged in the middle, no power source, other ids than this host: the worst that still reports."""
    device = replace(JETSON, address="ssh:emulated", emulation="emulated CPU (qemu-user)", battery=None)
    seen = _session(device, threads=2, speed=3.1, chance=random.Random(5))
    nothing = Unmeasured(f"the session ended before: {UNPLUGGED}")
    seen = replace(
        seen,
        partial=UNPLUGGED,
        greedy_parity=Measured(44 / 48, 48),
        sustained=None,
        decode_points=seen.decode_points[:1],
        inter_token_p99_ms=nothing,
        notes=("load 1.9 before it began: another program was busy",),
        power=_no_power(CHARGING),
        energy_mj_per_token=Unmeasured(CHARGING),
    )
    return device_report(seen, "jetson-orin-nano-8gb", "Jetson Orin Nano 8 GB", "jetson")


def sample_elsewhere_report() -> Report:
    """A Jetson's session judged by the profile of a phone."""
    report = sample_jetson_report()
    why = "ssh:me@jetson:2222 is not Google Pixel 8: it calls itself NVIDIA Jetson Orin Nano Developer Kit"
    return device_report(_of(report), "pixel-8", "Google Pixel 8", "android", elsewhere=why)


def sample_modelled_report() -> Report:
    """A Mac whose watts the system computes from use."""
    report = sample_jetson_report()
    seen = _of(report)
    assert seen.power is not None
    power = replace(
        seen.power,
        source="powermetrics",
        scope="CPU and GPU, not the display",
        origin="modelled",
        why="Apple calls its figures estimates",
    )
    return device_report(replace(seen, power=power), "macbook-air-m2-8gb", "MacBook Air M2, 8 GB", "apple-silicon")


def device_report(
    seen: Measurements, profile: str, name: str, target: str, *, elsewhere: str = "", budget: Budget = BUDGET
) -> Report:
    """The report of `profile --device` on that session, judged as the engine does it."""
    report = sample_report()
    emulation = seen.device.emulation if seen.device else ""
    verdict = judge(
        budget,
        artifact_bytes=SIZE,
        measurements=countable(seen, elsewhere=elsewhere, emulation=emulation),
        quality=Unmeasured("no reference: `edgeshrink build` compares a file with its source"),
        predictions=None,
    )
    artifact = replace(
        report.artifact, file="llama-3.2-1b-Q4_K_M.gguf", nbytes=SIZE, tensor_bytes=WEIGHTS, bits_per_weight=5.18
    )
    return replace(
        report,
        target=target,
        profile=profile,
        profile_name=name,
        on_device=not elsewhere,
        context=2048,
        source=None,
        artifact=artifact,
        compression=None,
        candidates=(),
        ladder=(),
        predictions=None,
        quality=None,
        measurements=seen,
        verdict=verdict,
        steps=(),
        notes=(elsewhere,) if elsewhere else (),
        traded_away=(),
        folder=None,
    )


def sample_sessions() -> DeviceSessions:
    """Four devices: one passes what can be judged, one pages, one is emulated and was cut, one never answered."""
    return DeviceSessions(
        DEVICES_SCHEMA,
        "0.1.0",
        "llama-3.2-1b-Q4_K_M.gguf",
        (
            DeviceOutcome("ssh:me@jetson:2222", sample_jetson_report(), ""),
            DeviceOutcome("adb:37201FDJH000AB", sample_phone_report(), ""),
            DeviceOutcome("ssh:emulated", sample_emulated_report(), ""),
            DeviceOutcome("adb:R58M123ABCD", None, "adb: R58M123ABCD is unauthorized: allow it on the phone's screen"),
        ),
    )


def sample_interleaved() -> Interleaved:
    """Q8_0 against Q4_K_M on the phone."""
    return Interleaved(
        device="adb:37201FDJH000AB",
        a="llama-3.2-1b-Q8_0.gguf",
        b="llama-3.2-1b-Q4_K_M.gguf",
        rounds=8,
        rows=(
            (
                "decode, tok/s",
                Measured(6.21, 5, 6.1, 6.3),
                Measured(9.6, 5, 9.4, 9.8),
                Measured(0.647, 8, 0.639, 0.655, HOW),
            ),
            (
                "TTFT at 256 tokens, ms",
                Measured(1912.0, 5),
                Measured(1934.0, 5),
                Measured(0.989, 8, 0.968, 1.011, HOW),
            ),
            ("peak RSS, bytes", Measured(1.4e9), Measured(0.89e9), Measured(1.573)),
            ("energy per token, mJ", Unmeasured(CHARGING), Unmeasured(CHARGING), Unmeasured(CHARGING)),
        ),
        notes=("8 rounds, A B and B A by turns; a fresh runner and one repetition each",),
    )


def sample_listing() -> tuple[ListedDevice, ...]:
    """This machine, a phone that is as its profile, a Jetson that nobody described, and one that does not answer."""
    here = replace(
        JETSON,
        address="local",
        os="Debian GNU/Linux 12",
        names=(),
        cpu="Intel(R) Xeon(R) @ 2.70GHz",
        clusters=(),
        cores=2,
        emulation="virtual machine (KVM)",
        unread=("temperature: no thermal zone is exposed",),
    )
    return (
        ListedDevice("local", here, profile="this-machine", profile_name="This machine", why="probed here"),
        ListedDevice(
            PIXEL.address,
            PIXEL,
            "",
            "pixel-8",
            "Google Pixel 8",
            "it calls itself Pixel 8",
            ("RAM 7.42 GiB, not 8 GiB",),
        ),
        ListedDevice(JETSON.address, JETSON, why="no profile names this device"),
        ListedDevice("adb:R58M123ABCD", None, "R58M123ABCD is unauthorized: allow it on the phone's screen"),
    )


def _of(report: Report) -> Measurements:
    assert report.measurements is not None
    return report.measurements


def _state(temperature: float, load: float) -> HostState:
    free = Measured(3.2e9, how="MemAvailable")
    return HostState(Measured(load), free, "sched_pixel", Measured(2367.0), Measured(temperature, how="sensor BIG"))


def _session(device: ProbedDevice, *, threads: int, speed: float, chance: random.Random) -> Measurements:
    steps = tuple(round(1e3 / speed * chance.lognormvariate(0, 0.04), 3) for _ in range(640))
    ordered = sorted(steps)
    prefill = []
    for length in (32, 128, 256):
        middle = 1e3 * length / (14 * speed)
        samples = tuple(round(middle * chance.lognormvariate(0, 0.02), 2) for _ in range(20))
        rank = sorted(samples)
        rate = Measured(1e3 * length / rank[10], 20)
        prefill.append(PrefillPoint(length, Measured(rank[10], 20), Measured(rank[18], 20), rate, samples))
    points = tuple(
        DecodePoint(
            depth,
            Measured(speed * factor, 5, speed * factor * 0.985, speed * factor * 1.012),
            Measured(1e3 / (speed * factor), 640),
            Measured(1e3 / (speed * factor) * 1.07, 640),
            Measured(1e3 / (speed * factor) * 1.12, 640),
        )
        for depth, factor in ((0, 1.04), (256, 1.0), (1024, 0.91), (2048, 0.79))
    )
    return Measurements(
        artifact_sha256="5e" * 32,
        artifact_bytes=SIZE,
        taken_at="2026-11-21T16:02:11Z",
        repetitions=5,
        host=HostFacts(device.id, f"{device.os} {device.machine}", device.cpu, device.cores, device.ram_bytes, ""),
        runtime=RuntimeFacts("llama_cpp", "0.3.36", "0.1.0+3f9a", "CPU", ("neon", "dotprod"), threads, 0, 2048),
        before=_state(38.0, 0.4),
        after=_state(64.0, 4.1),
        load_cold_ms=Measured(2210.0, 1),
        load_warm_ms=Measured(402.0, 5, 395.0, 411.0),
        prefill=tuple(prefill),
        decode_tok_s=Measured(speed, 5, speed * 0.985, speed * 1.012, "5 repetitions of 128 tokens"),
        inter_token_p50_ms=Measured(ordered[320], 640),
        inter_token_p95_ms=Measured(ordered[608], 640),
        inter_token_p99_ms=Measured(ordered[633], 640),
        inter_token_samples_ms=steps,
        memory=_memory(),
        energy_mj_per_token=Unmeasured("no power source"),
        notes=("prompts are tokens of shipped text",),
        device=device,
        decode_points=points,
        greedy_parity=Measured(1.0, 48, how="48 ids after a prompt of 64"),
        sustained=Sustained(_long(speed, 0.74), THROTTLED),
    )


def _memory() -> Memory:
    anon, file = 121 * MIB, WEIGHTS + 3 * MIB
    nothing = 2 * MIB
    timeline = (
        MemorySample(0.0, "start", nothing, 3 * MIB),
        MemorySample(2.3, "loaded", 70 * MIB, 90 * MIB),
        MemorySample(9.8, "prefill", anon, file),
        MemorySample(80.1, "decode", anon, file),
        MemorySample(261.0, "sustained", anon, file),
        MemorySample(261.2, "end", 30 * MIB, 5 * MIB),
    )
    return Memory(
        peak_rss_bytes=Measured(float(anon + file), how="VmHWM of the runner"),
        peak_anon_bytes=Measured(float(anon)),
        peak_file_bytes=Measured(float(file)),
        peak_pss_bytes=Unmeasured("the runner does not read smaps_rollup"),
        baseline_rss_bytes=Measured(5.0 * MIB, how="before the file was opened"),
        timeline=timeline,
        fit_bytes=Measured(float(anon + WEIGHTS), how="peak anonymous + mapped weights"),
        major_faults=Measured(0.0, 3, how="ru_majflt over prefill and decode"),
    )


def _long(speed: float, end: float) -> tuple[SustainedPoint, ...]:
    chance = random.Random(9)
    points = []
    for second in range(1, 181):
        fallen = 1 / (1 + math.exp(-(second - 75) / 9))
        rate = speed * (1 - (1 - end) * fallen) * chance.lognormvariate(0, 0.012)
        degrees = 38.0 + 33.4 * (1 - math.exp(-second / 45))
        clock = 2914.0 if second < 70 else 1836.0
        points.append(SustainedPoint(float(second), round(rate, 3), round(degrees, 1), clock))
    return tuple(points)


def _phone_power() -> PowerRecord:
    chance = random.Random(6)
    samples = tuple(
        PowerSample(8000 + i * 0.5, (5.45 if _busy(i * 0.5) else 1.31) * chance.lognormvariate(0, 0.05))
        for i in range(170)
    )
    return PowerRecord(
        source="android-battery",
        scope="whole device, from the battery",
        origin="inferred",
        why="current_now taken as mA, discharging counted as negative",
        rate_hz=2.0,
        baseline_w=Measured(1.31, 40, 1.28, 1.34),
        decode_w=Measured(5.45, 110, 5.3, 5.6),
        gross_mj_per_token=Measured(568.0, 5),
        timeline=samples,
        idle=(8000.0, 8020.0),
        decodes=((8024.0, 8042.0), (8046.0, 8064.0), (8066.0, 8083.0)),
    )


def _busy(at: float) -> bool:
    return any(start <= at <= end for start, end in ((21, 42), (44, 64), (66, 83)))


def _jetson_power() -> PowerRecord:
    power = _phone_power()
    return replace(
        power,
        source="ina3221",
        scope="whole module, VDD_IN",
        origin="measured",
        why="",
        rate_hz=19.8,
        decode_w=Measured(8.71, 800),
        baseline_w=Measured(4.62, 99),
        gross_mj_per_token=Measured(407.0, 5),
        timeline=tuple(
            replace(sample, watts=4.62 + (sample.watts - 1.31) * (8.71 - 4.62) / (5.45 - 1.31))
            for sample in power.timeline
        ),
    )


def _no_power(reason: str) -> PowerRecord:
    nothing: Reading = Unmeasured(reason)
    return PowerRecord("android-battery", "", "unavailable", reason, None, nothing, nothing, nothing)
