"""The figures of a report as rows: label, reading, unit. Which there are depends on what the model is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.power import PowerRecord
from edgeshrink.core.quality import NetworkQuality, Quality
from edgeshrink.core.reading import Measured, Reading
from edgeshrink.core.report import Report, Rung
from edgeshrink.report.session_told import has_power
from edgeshrink.report.told import baseline_label, is_native


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `part`: it is a part of the row before it."""

    label: str
    reading: Reading
    unit: str
    part: bool = False


def quality_rows(quality: Quality | NetworkQuality | None) -> Iterator[Row]:
    """Every distance to the reference."""
    if isinstance(quality, NetworkQuality):
        yield from _network_rows(quality)
    elif quality is not None:
        yield Row("Mean KL", quality.mean_kl, "nats")
        yield Row("Median KL", quality.median_kl, "nats")
        yield Row("KL, 99th percentile", quality.p99_kl, "nats")
        yield Row("Same top token", quality.same_top_share, "share")
        yield Row("Perplexity", quality.perplexity, "")
        yield Row("Perplexity of the reference", quality.reference_perplexity, "")
        yield Row("Perplexity ratio", quality.perplexity_ratio, "x")
        yield Row("Largest logit difference", quality.max_logit_difference, "")


def _network_rows(quality: NetworkQuality) -> Iterator[Row]:
    yield Row("Output cosine, mean", quality.cosine_mean, "cosine")
    yield Row("Output cosine, least", quality.cosine_min, "cosine")
    yield Row("Signal to quantization noise", quality.sqnr_db, "dB")
    yield Row("Largest difference", quality.max_difference, "")
    yield Row("Same top output", quality.same_top_share, "share")
    yield Row("Score", quality.score, "score")
    yield Row("Score of the float network", quality.reference_score, "score")


def brief_quality_rows(quality: Quality | NetworkQuality) -> tuple[Row, ...]:
    """Those that the terminal and the card show; a network without a scorer has no rows for one."""
    if isinstance(quality, NetworkQuality):
        scored = isinstance(quality.reference_score, Measured)
        return tuple(row for row in _network_rows(quality) if scored or row.unit != "score")
    rows = quality_rows(quality)
    brief = ("Mean KL", "Same top token", "Perplexity", "Perplexity of the reference", "Perplexity ratio")
    return tuple(row for row in rows if row.label in brief)


@dataclass(frozen=True, slots=True)
class Compared:
    """What was compared on: `data` names it, `before` and `after` say how much, and what it was not used for."""

    before: str
    data: str
    after: str
    sha256: str

    @property
    def text(self) -> str:
        return f"{self.before}{self.data}{self.after}"


def compared_on(quality: Quality | NetworkQuality) -> Compared:
    """`8,192 tokens of evaluation.txt, a text used for nothing else`."""
    if isinstance(quality, NetworkQuality):
        after = f" ({quality.samples:,} samples), none of them used for calibration"
        return Compared("", quality.data, after, quality.data_sha256)
    before = f"{quality.tokens:,} tokens of "
    return Compared(before, quality.text, ", a text used for nothing else", quality.text_sha256)


def speed_rows(seen: Measurements) -> Iterator[Row]:
    """Speed, load times, memory, energy. What belongs to language models is not told of a network."""
    network = bool(seen.inference)
    if not network:
        yield Row("Decode speed", seen.decode_tok_s, "tok/s")
        yield Row("Inter-token latency, p50", seen.inter_token_p50_ms, "ms")
        yield Row("Inter-token latency, p95", seen.inter_token_p95_ms, "ms")
        yield Row("Inter-token latency, p99", seen.inter_token_p99_ms, "ms")
    yield Row("Load time, cold", seen.load_cold_ms, "ms")
    yield Row("Load time, warm", seen.load_warm_ms, "ms")
    yield from memory_rows(seen)
    if not network:
        yield Row("Energy per token", seen.energy_mj_per_token, "mJ")
    if seen.power is not None and has_power(seen):
        yield from power_rows(seen.power)
    if is_native(seen):
        yield Row("Greedy choices as on this host", seen.greedy_parity, "share")


def memory_rows(seen: Measurements) -> Iterator[Row]:
    """Peaks and their parts; on a device also what must fit its budget, and whether it paged."""
    memory = seen.memory
    yield Row("Peak RSS, anonymous + file-backed", memory.peak_rss_bytes, "bytes")
    yield Row(baseline_label(seen), memory.baseline_rss_bytes, "bytes", part=True)
    yield Row("Peak anonymous", memory.peak_anon_bytes, "bytes")
    yield Row("Peak file-backed", memory.peak_file_bytes, "bytes")
    yield Row("Peak PSS", memory.peak_pss_bytes, "bytes")
    if is_native(seen):
        yield Row("What must fit the RAM", memory.fit_bytes, "bytes")
        yield Row("Pages that came from storage while timed", memory.major_faults, "major faults")
        if seen.runtime.gpu_layers or isinstance(memory.gpu_bytes, Measured):
            yield Row("The GPU's share of shared memory", memory.gpu_bytes, "bytes")


def power_rows(power: PowerRecord) -> Iterator[Row]:
    yield Row("Energy per token, rest included", power.gross_mj_per_token, "mJ")
    yield Row("Power while decoding", power.decode_w, "W")
    yield Row("Power at rest", power.baseline_w, "W")


def chosen_rung(report: Report) -> int | None:
    """Which rung the artifact is: the last one of its size. A network's rungs may share a scheme."""
    found = [index for index, rung in enumerate(report.ladder) if rung.artifact_bytes == report.artifact.nbytes]
    return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class LadderColumn:
    """One distance of the ladder: a reading for each rung, None where that rung has none."""

    label: str
    unit: str
    readings: tuple[Reading | None, ...]


def ladder_columns(ladder: tuple[Rung, ...]) -> tuple[LadderColumn, ...]:
    """The distances that at least one rung has."""
    columns = (
        LadderColumn("Mean KL", "", tuple(rung.mean_kl for rung in ladder)),
        LadderColumn("Same top", "share", tuple(rung.same_top_share for rung in ladder)),
        LadderColumn("Perplexity ratio", "x", tuple(rung.perplexity_ratio for rung in ladder)),
        LadderColumn("Cosine", "cosine", tuple(rung.cosine for rung in ladder)),
    )
    return tuple(column for column in columns if any(reading is not None for reading in column.readings))
