"""What was gained for the quality that was lost: improvements over a baseline, in percent of its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeshrink.core.gates import Gain
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.report import Report

UNITS: dict[Gain, str] = {
    "artifact-bytes": "bytes",
    "peak-rss-bytes": "bytes",
    "decode-tok-s": "tok/s",
    "ttft-ms": "ms",
    "energy-mj-per-token": "mJ",
}


@dataclass(frozen=True, slots=True)
class Gains:
    """`percent`: above 0 is better than `baseline`, whichever way the figure points. What is absent was not asked."""

    baseline: str
    percent: Mapping[Gain, Reading]

    def of(self, gain: Gain) -> Reading:
        return self.percent.get(gain, Unmeasured(f"{self.baseline} was not measured: give a baseline's report"))


def gains_over_source(artifact_bytes: int, source_bytes: int, source: str) -> Gains:
    """In a build nothing but the size of the source is known; its speed and memory on the device are not."""
    return Gains(source, {"artifact-bytes": improvement("artifact-bytes", _size(artifact_bytes), _size(source_bytes))})


def gains_over(baseline: Report, artifact_bytes: int, measurements: Measurements | Unmeasured) -> Gains:
    """Over what another build measured. Speed, memory and energy of another machine are not compared.

    Time to first token is that of the longest prompt that both were measured with (p50).
    """
    before = baseline.measurements or Unmeasured("the baseline was not measured")
    both = _prompts(measurements) & _prompts(before)
    ours = figures_of(artifact_bytes, measurements, both)
    theirs = figures_of(baseline.artifact.nbytes, before, both)
    elsewhere = other_place(baseline.measurements, measurements)
    found: dict[Gain, Reading] = {}
    for gain in UNITS:
        if elsewhere and gain != "artifact-bytes":
            found[gain] = Unmeasured(elsewhere)
        else:
            found[gain] = improvement(gain, ours[gain], theirs[gain])
    return Gains(f"{baseline.artifact.file} ({baseline.artifact.scheme})", found)


def other_place(a: Measurements | Unmeasured | None, b: Measurements | Unmeasured | None) -> str:
    """Why figures of the two sessions may not be compared; "" where they may, or one is missing."""
    if not isinstance(a, Measurements) or not isinstance(b, Measurements):
        return ""
    places = {seen.device.id if seen.device else seen.host.id for seen in (a, b)}
    if len(places) > 1 or (a.device is None) != (b.device is None):
        return "the two were not measured in the same way on the same machine"
    threads, backends = (a.runtime.threads, b.runtime.threads), (a.runtime.backend, b.runtime.backend)
    if threads[0] != threads[1]:
        return f"one was measured with {threads[0]} threads, the other with {threads[1]}"
    return "" if backends[0] == backends[1] else f"one was measured on {backends[0]}, the other on {backends[1]}"


def _prompts(measurements: Measurements | Unmeasured) -> frozenset[int]:
    """Lengths in tokens."""
    points = () if isinstance(measurements, Unmeasured) else measurements.prefill
    return frozenset(point.prompt_tokens for point in points)


def figures_of(
    artifact_bytes: int, measurements: Measurements | Unmeasured, prompts: frozenset[int]
) -> dict[Gain, Reading]:
    """`prompts`: lengths of which the longest gives the time to first token."""
    size = _size(artifact_bytes)
    if isinstance(measurements, Unmeasured):
        return {gain: size if gain == "artifact-bytes" else measurements for gain in UNITS}
    points = (point for point in measurements.prefill if point.prompt_tokens in prompts)
    prefill = max(points, key=lambda point: point.prompt_tokens, default=None)
    return {
        "artifact-bytes": size,
        "peak-rss-bytes": measurements.memory.peak_rss_bytes,
        "decode-tok-s": measurements.decode_tok_s,
        "ttft-ms": Unmeasured("no prompt has the same length in both") if prefill is None else prefill.ttft_p50_ms,
        "energy-mj-per-token": measurements.energy_mj_per_token,
    }


def improvement(gain: Gain, mine: Reading, theirs: Reading) -> Reading:
    """Percent of the baseline's figure. The interval takes both figures' ends against each other."""
    for reading in (mine, theirs):
        if isinstance(reading, Unmeasured):
            return reading
    assert isinstance(mine, Measured) and isinstance(theirs, Measured)
    if min(theirs.value, *_ends(theirs)) <= 0:
        return Unmeasured("the baseline's figure may be 0: it has no percentage")
    sign = 1 if gain == "decode-tok-s" else -1
    ends = [sign * 100 * (a / b - 1) for a in _ends(mine) for b in _ends(theirs)]
    value = sign * 100 * (mine.value / theirs.value - 1)
    how = "percent of the baseline's figure; low/high: the ends of both intervals against each other"
    if min(ends) == max(ends):
        return Measured(value, how="percent of the baseline's figure")
    return Measured(value, n=min(mine.n, theirs.n), low=min(value, *ends), high=max(value, *ends), how=how)


def _ends(reading: Measured) -> tuple[float, float]:
    return (
        reading.value if reading.low is None else reading.low,
        reading.value if reading.high is None else reading.high,
    )


def _size(nbytes: int) -> Measured:
    return Measured(float(nbytes), how="size of the finished file")
