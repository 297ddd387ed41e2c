"""The page in a real browser: it draws, complains about nothing and asks the network for nothing."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sample_behaviour import sample_behaviour
from sample_shrinkage import sample_record, sample_step

from edgeshrink.report.comparison_html import comparison_to_html
from edgeshrink.report.html import report_to_html
from edgeshrink.report.step_page import step_to_html
from edgeshrink.report.training_page import training_html

from .sample import sample_failed_report, sample_report
from .sample_formats import sample_full_comparison, sample_network_report
from .sample_gates import sample_verdict

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--dump-dom",
)


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium on PATH (looked for {', '.join(NAMES)})")
    return found


def opened(browser: str, page: str, folder: Path) -> tuple[str, list[str]]:
    """The page as the browser built it, and what its console said."""
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    command = [browser, *FLAGS, f"--user-data-dir={folder / 'browser'}", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_the_page_is_whole_and_the_console_is_silent(browser: str, tmp_path: Path) -> None:
    report = sample_failed_report()
    dom, console = opened(browser, report_to_html(report), tmp_path)
    assert console == []
    assert dom.count("<svg") == 5
    assert dom.count("<h2") == report_to_html(report).count("<h2")
    for line in report.verdict.lines:
        assert line.why.replace("&", "&amp;") in dom
    assert dom.count("<details>") == len({tensor.type for tensor in report.artifact.tensors})


def test_a_networks_page_is_whole_too(browser: str, tmp_path: Path) -> None:
    page = report_to_html(sample_network_report())
    dom, console = opened(browser, page, tmp_path)
    assert console == []
    assert dom.count("<svg") == 4
    assert dom.count("<tr") == page.count("<tr")


def test_the_comparison_is_whole_and_silent(browser: str, tmp_path: Path) -> None:
    page = comparison_to_html(sample_full_comparison())
    dom, console = opened(browser, page, tmp_path)
    assert console == []
    assert dom.count("<svg") == 4
    assert dom.count('<a href="') == 3 and dom.count("<rect") == page.count("<rect")


def test_a_behaviours_page_is_whole_and_a_models_script_is_never_run(browser: str, tmp_path: Path) -> None:
    behaviour = sample_behaviour()
    page = report_to_html(replace(sample_report(), behaviour=behaviour, verdict=sample_verdict(behaviour)))
    dom, console = opened(browser, page, tmp_path)
    assert console == []
    assert dom.count("<svg") == page.count("<svg") == 12
    assert dom.count("<tr") == page.count("<tr") and dom.count("<polygon") == page.count("<polygon") > 3
    assert "<script" not in dom and "<img" not in dom
    assert "&lt;script&gt;alert('worst')&lt;/script&gt;" in dom


def test_the_pages_of_a_running_training_and_of_its_step_are_whole_and_silent(browser: str, tmp_path: Path) -> None:
    for page, charts in ((training_html(sample_record(steps=130), running=True), 3), (step_to_html(sample_step()), 0)):
        dom, console = opened(browser, page, tmp_path)
        assert console == []
        assert dom.count("<svg") == page.count("<svg") >= max(charts, 1)
        assert dom.count("<tr") == page.count("<tr") and dom.count("<rect") == page.count("<rect")


def test_the_page_stops_a_request_that_somebody_put_into_it(browser: str, tmp_path: Path) -> None:
    """Also shows that the silence of the console means something."""
    planted = '<img src="http://example.invalid/pixel.png"><script>document.title = "ran"</script></body>'
    dom, console = opened(browser, report_to_html(sample_report()).replace("</body>", planted), tmp_path)
    assert [line for line in console if "Content Security Policy" in line]
    assert "<title>ran" not in dom
