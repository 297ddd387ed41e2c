"""A device session in words that the terminal, the page and the card share: what was found, what to beware of."""

from __future__ import annotations

from statistics import median

from edgeshrink.catalog.profiles import THIS_MACHINE
from edgeshrink.core.measurement import NOT_SEEN, SLOWED, Measurements, Memory, Sustained
from edgeshrink.core.power import PowerRecord
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.report.format import duration, error_text, human_bytes, limit_value, number, reading_text, short_text
from edgeshrink.report.told import is_native

_MARKS = ("VmHWM", "physical footprint")
_EDGE = 10  # begin and end of a long decode are a tenth of it each


def session_facts(report: Report, seen: Measurements) -> tuple[tuple[str, str], ...]:
    """What a device session found out beside speed, as names and texts; what it did not look at is left out."""
    memory = seen.memory
    rows = [
        ("Peak RAM", resident_text(seen)),
        ("Must fit", fit_text(report, memory) if is_native(seen) else ""),
        ("GPU", gpu_text(seen)),
        ("Paging", paging_text(memory)),
    ]
    rows += power_facts(seen)
    if (sustained := seen.sustained) is not None:
        rows += [("Long decode", sustained_text(sustained)), (slowdown_name(sustained), throttling_text(sustained))]
    if is_native(seen):
        rows.append(("Parity", parity_text(seen.greedy_parity)))
    return tuple((name, text) for name, text in rows if text)


def power_facts(seen: Measurements) -> tuple[tuple[str, str], ...]:
    """Power, energy, and from which source, how surely; why there is none; nothing where none was looked for."""
    if (power := seen.power) is None:
        return ()
    rows = (("Power", power_text(power)), ("Energy", energy_text(seen)), ("Power source", power_source(power)))
    return tuple((name, text) for name, text in rows if text)


def has_power(seen: Measurements) -> bool:
    """Whether a power source showed anything."""
    return seen.power is not None and seen.power.origin != "unavailable"


def warnings(report: Report) -> tuple[str, ...]:
    """What a reader has to know before any figure: that the device is emulated, or is not the profile's."""
    seen = report.measurements
    if seen is None or seen.device is None:
        return ()
    found = []
    # The profile of this very machine describes whatever the machine is, a virtual one too.
    if seen.device.emulation and report.profile != THIS_MACHINE:
        found.append(f"{seen.device.emulation}: speed and power are not the device's")
    if not report.on_device:
        found.append(f"this is not {report.profile_name}: the figures are this device's own")
    return tuple(found)


def partial_text(seen: Measurements | None) -> str:
    """Said before everything else where a session ended early; "" for a whole one."""
    if seen is None or not seen.partial:
        return ""
    return f"partial, the session ended early: {seen.partial.rstrip('.')}. What had come until then stands below."


def speed_text(seen: Measurements) -> str:
    """`9.60 tok/s, p99 of a token 115 ms; first token of 256 after 1,978 ms (p95)`; of networks nothing."""
    if seen.inference:
        return ""
    pause = seen.inter_token_p99_ms
    tail = f", p99 of a token {short_text(pause, 'ms')}" if _known(pause) else ""
    parts = [f"{short_text(seen.decode_tok_s, 'tok/s', spread=True)}{tail}"] if _known(seen.decode_tok_s) else []
    for point in seen.prefill[-1:]:
        if _known(point.ttft_p95_ms):
            parts.append(f"first token of {point.prompt_tokens:,} after {short_text(point.ttft_p95_ms, 'ms')} (p95)")
    return "; ".join(parts)


def parity_text(reading: Reading) -> str:
    """`48 of 48 greedy ids as on this host`; of fewer, that a choice after another one is not held against it."""
    if isinstance(reading, Unmeasured):
        return f"not compared: {reading.reason}"
    same = f"{round(reading.value * reading.n):,} of {reading.n:,}"
    if reading.value < 1:
        return f"{same} greedy choices as on this host, each after the same ids"
    return f"{same} greedy ids as on this host"


def differs(seen: Measurements) -> bool:
    """Whether the device chose another id than this host somewhere."""
    return isinstance(seen.greedy_parity, Measured) and seen.greedy_parity.value < 1


def power_text(power: PowerRecord) -> str:
    """`4.12 W while decoding, 1.31 W at rest`; the reason where there is neither."""
    if isinstance(power.decode_w, Unmeasured) and isinstance(power.baseline_w, Unmeasured):
        return f"not measured: {power.why or power.decode_w.reason}"
    return f"{short_text(power.decode_w, 'W')} while decoding, {short_text(power.baseline_w, 'W')} at rest"


def power_source(power: PowerRecord) -> str:
    """`measured: whole module, VDD_IN (ina3221), 20 readings a second`; with what an inference rests on."""
    if power.origin == "unavailable":
        return ""
    source = f" ({power.source})" if power.source and power.source not in power.scope else ""
    parts = [f"{power.scope}{source}".strip()]
    if power.rate_hz is not None:
        parts.append(f"{power.rate_hz:.3g} readings a second")
    if power.why:
        parts.append(power.why)
    return f"{power.origin}: {', '.join(part for part in parts if part)}"


def energy_text(seen: Measurements) -> str:
    """`677 ± 12 mJ a token above rest, 988 mJ with it`."""
    net = seen.energy_mj_per_token
    gross = seen.power.gross_mj_per_token if seen.power else Unmeasured("")
    parts = []
    if isinstance(net, Measured):
        parts.append(f"{short_text(net, 'mJ', spread=True)} a token above rest")
    if isinstance(gross, Measured):
        parts.append(f"{short_text(gross, 'mJ')} {'with it' if parts else 'a token, rest included'}")
    return ", ".join(parts)


def resident_text(seen: Measurements) -> str:
    """`412 MiB (VmHWM): 52.1 MiB anonymous, 360 MiB file-backed`; in brackets the mark that the system itself keeps."""
    memory = seen.memory
    if isinstance(memory.peak_rss_bytes, Unmeasured):
        return reading_text(memory.peak_rss_bytes, "bytes")
    marks = (mark for mark in _MARKS if is_native(seen) and mark in memory.peak_rss_bytes.how)
    kept = "".join(f" ({mark})" for mark in marks)
    split = (("anonymous", memory.peak_anon_bytes), ("file-backed", memory.peak_file_bytes))
    known = ", ".join(f"{short_text(reading, 'bytes')} {name}" for name, reading in split if _known(reading))
    return f"{short_text(memory.peak_rss_bytes, 'bytes')}{kept}{f': {known}' if known else ''}"


def fit_text(report: Report, memory: Memory) -> str:
    """`431 MiB (peak anonymous + mapped weights), budget 3 GiB`; "" where no session looked."""
    if isinstance(memory.fit_bytes, Unmeasured):
        return "" if memory.fit_bytes == NOT_SEEN else memory.fit_bytes.reason
    limit = ram_limit(report)
    bound = f", budget {limit_value(limit)}" if limit else ""
    return f"{human_bytes(memory.fit_bytes.value)} ({memory.fit_bytes.how}){bound}"


def gpu_text(seen: Measurements) -> str:
    """What the GPU took of a shared memory, said where a GPU computed or its share is known."""
    gpu = seen.memory.gpu_bytes
    if isinstance(gpu, Measured):
        return f"{human_bytes(gpu.value)} of shared memory"
    return f"its share of shared memory is missing: {gpu.reason}" if seen.runtime.gpu_layers else ""


def paging_text(memory: Memory) -> str:
    """A sentence where weights had to come back from storage while they were used; "" where none had."""
    faults = memory.major_faults
    if not isinstance(faults, Measured) or faults.value <= 0:
        return ""
    pages = "page" if faults.value == 1 else "pages"
    return f"it did not fit: {faults.value:,.0f} {pages} came from storage while it was timed"


def ram_limit(report: Report) -> VerdictLine | None:
    """The budget's line on RAM: what all weights and the rest must stay below."""
    named = {line.name: line for line in report.verdict.lines}
    return named.get("fits RAM") or named.get("peak RAM")


def sustained_text(sustained: Sustained) -> str:
    """`9.61 to 7.12 tok/s (-25.9 %) in 3 min 00 s, 38.1 to 71.4 °C`: the first and the last tenth of a long decode."""
    points = sustained.points
    if not points:
        return "no stretch of it was timed"
    first, last = _edges([point.tok_s for point in points])
    change = f" ({error_text(100 * (last - first) / first)})" if first > 0 and last != first else ""
    text = f"{number(first)} to {number(last)} tok/s{change} in {duration(points[-1].at_s)}"
    warm = [point.temperature_c for point in points if point.temperature_c is not None]
    return f"{text}, {number(warm[0])} to {number(warm[-1])} °C" if warm else text


def throttling_text(sustained: Sustained) -> str:
    """What slowed down and what went with it, or that nothing did."""
    return sustained.throttling.removeprefix(SLOWED) or "nothing slowed down"


def slowdown_name(sustained: Sustained) -> str:
    """`Slowed down` where neither heat nor a lower clock went with it: then it is not known to be throttling."""
    return "Slowed down" if sustained.throttling and not sustained.throttled else "Throttling"


def hottest(seen: Measurements) -> Reading:
    """The highest temperature that a session saw."""
    states = [state.temperature_c for state in (seen.before, seen.after)]
    found = [reading.value for reading in states if isinstance(reading, Measured)]
    points = seen.sustained.points if seen.sustained else ()
    found += [point.temperature_c for point in points if point.temperature_c is not None]
    return Measured(max(found), len(found), how="the highest seen") if found else states[-1]


def _edges(values: list[float]) -> tuple[float, float]:
    size = max(1, len(values) // _EDGE)
    return median(values[:size]), median(values[-size:])


def _known(reading: Reading) -> bool:
    return isinstance(reading, Measured)
