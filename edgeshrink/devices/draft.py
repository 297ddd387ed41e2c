"""A device profile drafted from a probe: facts with where they were read, and a cautious budget to be reviewed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.plain import plain
from edgeshrink.core.profile import Family
from edgeshrink.devices.cpu import fast_cores
from edgeshrink.errors import DeviceError

_TARGETS: dict[Family, str] = {
    "android": "android", "apple": "apple-silicon", "jetson": "jetson", "laptop": "laptop-cpu",
}  # fmt: skip
# What one app may hold, as a share of the RAM, and why: as the shipped profiles of each family reckon.
_APP_SHARES: dict[Family, tuple[float, str]] = {
    "android": (0.42, "Android and what runs behind keep more than half of the RAM; there is no published figure"),
    "apple": (0.66, "Metal recommends two thirds of the RAM as the largest working set"),
    "jetson": (0.66, "desktop, CUDA and services keep the rest; CPU and GPU share the RAM"),
    "laptop": (0.5, "a desktop, a browser and the file cache keep the rest"),
}
_OS_LIMITS: dict[Family, str] = {
    "android": "no fixed limit per app; under memory pressure the least essential process is ended",
    "apple": "the GPU takes two thirds to three quarters of the RAM before Metal refuses",
    "jetson": "CPU and GPU share the RAM; the out-of-memory killer ends the largest process",
    "laptop": "no limit per process; the out-of-memory killer ends a large process",
}
_NOMINAL_GIB = (1, 2, 3, 4, 6, 8, 12, 16, 18, 24, 32, 36, 48, 64, 96, 128, 192, 256, 384, 512, 1024)
_READING_PACE_TOK_S = 5.0


def profile_id(device: ProbedDevice) -> str:
    """The draft's id, from the device's name and its RAM: "google-pixel-8-8gb"."""
    name = device.names[1] if device.system == "android" and len(device.names) > 1 else _name(device)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48].strip("-") or f"device-{device.id[:6]}"
    return f"{slug}-{_nominal_gib(device.ram_bytes)}gb"


def target_of(device: ProbedDevice) -> str:
    """The id of the target for a device of that kind, whichever profile it may have."""
    return _TARGETS[_family(device)]


def draft_profile(device: ProbedDevice, bandwidth_bytes_s: float | None) -> str:
    """The text of `<profile_id>.toml`. DeviceError where the device did not show its cores or its RAM."""
    for what, value in (("cores", device.cores), ("RAM", device.ram_bytes)):
        if not value:
            raise DeviceError(f"{device.address} does not show its {what}: no profile can be drafted of it")
    family, link = _family(device), device.address.partition(":")[0]
    share, reason = _APP_SHARES[family]
    app = _mebibytes(device.ram_bytes * share)
    emulated = f"{device.emulation}: no figure of it is that of real hardware. " if device.emulation else ""
    head = [
        f"# Drafted by edgeshrink from what the device showed over {link}. {emulated}Review the budget.",
        f"id = {_text(profile_id(device))}",
        f"name = {_text(_title(device))}",
        f'family = "{family}"',
        f'preferred_target = "{_TARGETS[family]}"',
    ]
    facts = [line for fact in _facts(device, family, app, reason, bandwidth_bytes_s) for line in fact.lines()]
    return "\n".join([*head, *facts, *_budget(app, bandwidth_bytes_s), ""])


@dataclass(frozen=True, slots=True)
class _Fact:
    key: str
    value: str
    source: str

    def lines(self) -> tuple[str, ...]:
        return ("", f"[facts.{self.key}]", f"value = {self.value}", f"source = {_text(self.source)}")


def _facts(
    device: ProbedDevice, family: Family, app: int, reason: str, bandwidth_bytes_s: float | None
) -> Iterator[_Fact]:
    where = {"android": "system properties", "darwin": "sysctl", "linux": "/proc and /sys"}[device.system]
    probed = f"probed: {where}, over {device.address.partition(':')[0]}"
    kinds = ", ".join(f"{cluster.cores} x {cluster.name}" for cluster in device.clusters)
    yield _Fact("cpu", _text(f"{device.cpu} ({kinds})" if kinds else device.cpu), probed)
    if model := _model(device):
        # What a device calls itself is no pattern.
        exact = re.sub(r"([*?\[])", r"[\1]", model)
        yield _Fact("hardware_model", f"[{_text(exact)}]", probed)
    yield _Fact("cores", str(device.cores), probed)
    if fast := fast_cores(device):
        yield _Fact("performance_cores", str(fast), f"{probed}: all but the slowest kind of core")
    features = ", ".join(map(_text, device.cpu_features))
    yield _Fact("isa_features", f"[{features}]", f"{probed}: what all cores have")
    if device.gpus:
        yield _Fact("gpu", _text(", ".join(device.gpus)), probed)
    yield _Fact("ram_bytes", str(device.ram_bytes), f"{probed}: what the system sees of it")
    yield _Fact("app_ram_bytes", str(app), f"derived: {reason}")
    if bandwidth_bytes_s is not None:
        yield _Fact("memory_bandwidth_bytes_s", f"{bandwidth_bytes_s:.4g}", "probed: timed there by the runner")
    yield _Fact("storage", '"unknown"', "not probed: nothing was read of the storage")
    yield _Fact("abi", _text(_abi(device)), probed)
    if device.page_bytes:
        yield _Fact("page_bytes", str(device.page_bytes), probed)
    yield _Fact("os_limits", _text(_OS_LIMITS[family]), f"derived: as of other devices of the family {family}")


def _budget(app: int, bandwidth_bytes_s: float | None) -> list[str]:
    artifact, artifact_text = _round_size(app * 0.65)
    pace, why = _READING_PACE_TOK_S, "a reader's pace"
    if bandwidth_bytes_s is not None:
        # A token reads every weight once; half of what the memory gives is left for the rest.
        pace = min(10.0, max(0.5, 0.5 * bandwidth_bytes_s / artifact))
        why = "half of what reading the largest file once a token allows at the timed bandwidth, at most 10"
    return [
        "",
        "# derived: the file in two thirds of what an app may hold, all of it in nine tenths.",
        "[budget]",
        f'artifact_bytes_max = "{artifact_text}"',
        f'peak_rss_bytes_max = "{_round_size(app * 0.9)[1]}"',
        "# derived: a pause that people bear; nothing was measured.",
        "ttft_p95_ms_max = 5000",
        "ttft_prompt_tokens = 256",
        f"# derived: {why}.",
        "# The slowest tokens may take two and a half times as long. Energy: no line was drawn.",
        f"decode_tok_s_min = {pace:.1f}",
        f"inter_token_p99_ms_max = {2500 / pace:.0f}",
        "",
        "# As in the shipped profiles: a 4-bit build of an ordinary model stays well inside these.",
        "[budget.quality]",
        "mean_kl_max = 0.1",
        "same_top_share_min = 0.85",
        "perplexity_ratio_max = 1.1",
    ]


def _family(device: ProbedDevice) -> Family:
    if device.system == "android":
        return "android"
    if device.system == "darwin":
        return "apple"
    is_jetson = any(name.startswith("nvidia,tegra") for name in device.names) or ", L4T " in device.os
    return "jetson" if is_jetson else "laptop"


def _name(device: ProbedDevice) -> str:
    return device.names[0] if device.names else device.cpu


def _title(device: ProbedDevice) -> str:
    return f"{plain(_name(device))}, {_nominal_gib(device.ram_bytes)} GB"


def _model(device: ProbedDevice) -> str:
    """The name to know it by again: the module of a Jetson, not the chip or the board that it shares with others."""
    modules = (name for name in device.names if re.fullmatch(r"nvidia,p[0-9]{4}-[0-9]{4}", name))
    return next(modules, device.names[0] if device.names else "")


def _abi(device: ProbedDevice) -> str:
    arm = device.machine in ("aarch64", "arm64")
    if device.system == "android":
        return "arm64-v8a" if arm else device.machine
    if device.system == "darwin":
        return f"{device.machine}-apple-macos"
    return f"aarch64-linux-{'musl' if device.libc.startswith('musl') else 'gnu'}" if arm else device.machine


def _nominal_gib(ram_bytes: int) -> int:
    """As it is sold: the next usual size above what the system sees."""
    return next((size for size in _NOMINAL_GIB if ram_bytes <= size * 1.01 * 2**30), round(ram_bytes / 2**30))


def _mebibytes(nbytes: float) -> int:
    """Bytes, down to whole MiB."""
    return max(1, int(nbytes // 2**20)) * 2**20


def _round_size(nbytes: float) -> tuple[int, str]:
    """Bytes, down to what a person would write, and how: `13.5GiB`, `1.25GiB`, `640MiB`."""
    gibibytes = nbytes / 2**30
    if gibibytes >= 1:
        step = 0.5 if gibibytes >= 4 else 0.25
        size = gibibytes // step * step
        return int(size * 2**30), f"{size:g}GiB"
    mebibytes = _mebibytes(nbytes) // 2**20
    mebibytes -= mebibytes % 32 if mebibytes >= 128 else 0
    return mebibytes * 2**20, f"{mebibytes}MiB"


def _text(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's, but for DEL, which `plain` takes away with all control characters."""
    return json.dumps(plain(text), ensure_ascii=False)
