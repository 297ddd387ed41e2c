"""What was measured, as CycloneDX's performance metrics: Measured values alone, under the names of their fields, which
have their units in them. What was not measured is never a number; it is told among the limitations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.quality import NetworkQuality, Quality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import Report

Metric = dict[str, Any]
_INTERVAL = "95 %"
"""How a reading says that its low and high are a confidence interval, and no spread."""


def performance_metrics(report: Report) -> list[Metric]:
    """One entry for each figure: `type` is its name, `slice` what it was taken on and how."""
    return [_metric(name, value, where) for name, value, where in _readings(report) if isinstance(value, Measured)]


def unmeasured(report: Report) -> tuple[str, ...]:
    """`name: why` for each figure that has no value."""
    return tuple(
        f"{name} was not measured: {value.reason}"
        for name, value, _ in _readings(report)
        if isinstance(value, Unmeasured)
    )


def _metric(name: str, value: Measured, where: str) -> Metric:
    metric: Metric = {"type": name, "value": _number(value.value)}
    metric["slice"] = "; ".join(part for part in (where, value.how, f"n = {value.n}" if value.n > 1 else "") if part)
    if _INTERVAL in value.how and value.low is not None and value.high is not None:
        metric["confidenceInterval"] = {"lowerBound": _number(value.low), "upperBound": _number(value.high)}
    return metric


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _readings(report: Report) -> Iterator[tuple[str, Measured | Unmeasured, str]]:
    """(name, reading, where) of every figure of quality and speed."""
    quality, seen = report.quality, report.measurements
    if quality is not None:
        where = f"{_data(quality)}, against {quality.reference}"
        yield from ((name, reading, where) for name, reading in _of(quality))
    if seen is not None:
        yield from _speeds(seen)


def _data(quality: Quality | NetworkQuality) -> str:
    return quality.data if isinstance(quality, NetworkQuality) else quality.text


def _speeds(seen: Measurements) -> Iterator[tuple[str, Measured | Unmeasured, str]]:
    there = (seen.host.cpu,) if seen.device is None else (*seen.device.names, seen.device.cpu, seen.device.os)
    device = next((name for name in there if name), "")
    place = f"{device}, {seen.runtime.name} on {seen.runtime.backend}, {seen.runtime.threads} threads"
    networks = bool(seen.inference)
    parts: list[tuple[str, object, str]] = [("", seen, "")]
    parts += [("", point, f"prompt of {point.prompt_tokens} tokens") for point in seen.prefill]
    parts += [("", point, f"{point.depth_tokens} tokens in the context") for point in seen.decode_points]
    parts += [("inference_", point, point.shapes) for point in seen.inference]
    parts.append(("", seen.memory, ""))
    for prefix, part, detail in parts:
        where = ", ".join(text for text in (place, detail) if text)
        for name, reading in _of(part):
            if not (networks and part is seen and name in _OF_LANGUAGE_MODELS):
                yield f"{prefix}{name}", reading, where


_OF_LANGUAGE_MODELS = (
    "decode_tok_s",
    "inter_token_p50_ms",
    "inter_token_p95_ms",
    "inter_token_p99_ms",
    "energy_mj_per_token",
    "greedy_parity",
)


def _of(part: Any) -> Iterator[tuple[str, Measured | Unmeasured]]:
    """The readings among the fields of a value."""
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, Measured | Unmeasured):
            yield field.name, value
