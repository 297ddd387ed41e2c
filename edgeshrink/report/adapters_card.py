"""The adapters' section of `MODEL_CARD.md`."""

from __future__ import annotations

from collections.abc import Iterator

from edgeshrink.core.report import Report
from edgeshrink.report.adapters_told import adapter_rows, adapters_text, compared_text
from edgeshrink.report.markdown import code, reading_words, table, words


def adapters_section(report: Report) -> Iterator[str]:
    """Lines of Markdown; none where nothing ships beside the artifact."""
    rows = adapter_rows(report)
    if not rows:
        return
    yield "## Adapters"
    yield ""
    text = adapters_text(report)
    yield f"{words(text[:1].upper() + text[1:])}. {words(compared_text(report))}."
    yield ""
    cells = [
        (code(row.file), row.size, row.share, row.rank, reading_words(row.mean_kl, "nats"), row.outcome) for row in rows
    ]
    yield from table(("File", "Size", "Of the base", "Rank", "Mean KL", "Outcome"), cells)
    yield ""
    for row, one in zip(rows, report.adapters, strict=True):
        yield f"- {code(row.name)}: license {words(one.license or 'not stated')}, sha256 {code(one.sha256)}"
        if row.lost:
            yield f"  - Lost most: {words(row.lost)}"
        if row.outcome != "PASS" and row.why:
            yield f"  - {row.outcome}: {words(row.why)}"
        yield from (f"  - {words(note)}" for note in row.notes)
    yield ""
    yield f"They belong to this base alone. One is run by {code('edgeshrink run FOLDER --adapter NAME PROMPT')}."
