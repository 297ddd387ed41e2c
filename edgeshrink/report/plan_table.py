"""The candidates of a plan as a table that is whole at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from edgeshrink.core.plan import Candidate
from edgeshrink.core.reading import Estimate, Prediction, Unmeasured
from edgeshrink.report.format import DASH, human, plain, rough_duration
from edgeshrink.report.pieces import item, table

# Name, head, unit.
_COLUMNS = (
    ("file size", "file\nsize", "bytes"),
    ("active", "active\nbytes", "bytes"),
    ("peak RAM", "peak\nRAM", "bytes"),
    ("decode", "decode\ntok/s", ""),
    ("TTFT", "TTFT\nms", ""),
    ("build time", "build\ntime", "s"),
    ("host RAM", "host\nRAM", "bytes"),
    ("host disk", "host\ndisk", "bytes"),
)
_ACTIVE, _HOST_RAM = 1, 6


def render_plan(candidates: Sequence[Candidate], *, title: str = "", notes: Sequence[str] = ()) -> RenderableType:
    """Every candidate with what it is predicted to take, on the device and on this host, and whether it fits.

    A column in which nobody has a figure is left out, and its reason stands below. The bytes that are active of a
    mixture of experts take the place of the host's RAM, which is the same for all: it stands below too.
    """
    rows = [_figures(candidate) for candidate in candidates]
    kept = [index for index in range(len(_COLUMNS)) if any(isinstance(row[index], Estimate) for row in rows)]
    below: list[str] = []
    if _ACTIVE in kept and len({_cell(row[_HOST_RAM], "bytes") for row in rows}) == 1:
        kept.remove(_HOST_RAM)
        below.append(f"host RAM: {_cell(rows[0][_HOST_RAM], 'bytes')}, whichever is built")
    plan = table()
    plan.add_column("scheme", no_wrap=True)
    for index in kept:
        plan.add_column(_COLUMNS[index][1], justify="right", no_wrap=True)
    plan.add_column("fits", no_wrap=True)
    missing: dict[str, dict[str, None]] = {}
    for candidate, row in zip(candidates, rows, strict=True):
        for (name, _, _), figure in zip(_COLUMNS, row, strict=True):
            if isinstance(figure, Unmeasured) and figure.reason:
                missing.setdefault(plain(figure.reason), {})[name] = None
        cells = (Text(_cell(row[index], _COLUMNS[index][2])) for index in kept)
        plan.add_row(Text(plain(candidate.scheme)), *cells, _fits(candidate.fits))
    parts: list[RenderableType] = [Text(plain(title), style="bold"), Text()] if title else []
    parts += [plan, Text("Every figure is a prediction; nothing was built or measured.", style="dim")]
    parts += [item(DASH, words, "dim") for words in below]
    parts += [item(DASH, f"no figure for {', '.join(names)}: {reason}", "dim") for reason, names in missing.items()]
    parts += [item("✗", f"{c.scheme}: {c.why}", "dim") for c in candidates if c.fits is not True and c.why]
    parts += [item("!", note, "yellow") for note in notes]
    return Group(*parts)


def _figures(candidate: Candidate) -> tuple[Prediction, ...]:
    p = candidate.predictions
    active = _active(candidate)
    on_device = (p.artifact_bytes, active, p.peak_rss_bytes, p.decode_tok_s, p.ttft_p95_ms)
    return (*on_device, p.build_s, p.host_ram_bytes, p.host_disk_bytes)


def _active(candidate: Candidate) -> Prediction:
    """What a token goes through, where that is less than all."""
    if candidate.active_bytes is None:
        return Unmeasured("")
    return Estimate(float(candidate.active_bytes), "tensors that one token goes through")


def _cell(figure: Prediction, unit: str) -> str:
    if isinstance(figure, Unmeasured):
        return DASH
    return rough_duration(figure.value) if unit == "s" else human(figure.value, unit)


def _fits(fits: bool | None) -> Text:
    if fits is None:
        return Text("?", style="yellow")
    return Text("yes", style="green") if fits else Text("no", style="red")
