"""Plans and reports of a mixture of experts say the bytes that are active beside those of the file."""

from __future__ import annotations

from dataclasses import replace

from edgeshrink.core.plan import Candidate
from edgeshrink.core.reading import Estimate
from edgeshrink.report.html import report_to_html
from edgeshrink.report.terminal import render_plan

from .sample import sample_candidates, sample_report
from .test_terminal import shown

GIB = float(1 << 30)


def mixture() -> tuple[Candidate, ...]:
    large = {
        "artifact_bytes": Estimate(11.9 * GIB, ""),
        "peak_rss_bytes": Estimate(20.2 * GIB, ""),
        "ttft_p95_ms": Estimate(12345.0, ""),
        "build_s": Estimate(43.5 * 60, ""),
        "host_ram_bytes": Estimate(53.8 * GIB, ""),
        "host_disk_bytes": Estimate(77.1 * GIB, ""),
    }
    return tuple(
        replace(one, active_bytes=int(2.13 * GIB), predictions=replace(one.predictions, **large))
        for one in sample_candidates()
    )


def test_a_plan_shows_what_is_active_whole_at_80_columns() -> None:
    text = shown(render_plan(mixture()))
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    assert "active" in text and text.count("2.13 GiB") == len(mixture())
    assert "host RAM: 53.8 GiB, whichever is built" in text
    assert "active" not in shown(render_plan(sample_candidates()))


def test_a_page_has_a_column_for_it() -> None:
    report = sample_report()
    page = report_to_html(replace(report, candidates=mixture()))
    assert '<th scope="col" class="num">Active</th>' in page
    assert page.count('<td class="num">2.13 GiB</td>') == len(mixture())
    assert ">Active</th>" not in report_to_html(report)
