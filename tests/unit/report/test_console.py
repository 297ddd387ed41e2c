from __future__ import annotations

import io
import sys

import pytest

from edgeshrink.report.console import console
from edgeshrink.report.terminal import render_plan, render_report

from .sample import sample_candidates, sample_failed_report


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_console_without_unicode_gets_the_report_spelled(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    target = console()
    target.print(render_report(sample_failed_report()))
    target.print(render_plan(sample_candidates()))
    stream.flush()
    text = raw.getvalue().decode(encoding)
    assert "<= 4 MiB" in text and ">= 900 tok/s" in text
    assert "x FAIL  edgeshrink/_demo" in text


def test_a_console_with_unicode_gets_the_real_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", stream)
    console(stderr=True).print(render_report(sample_failed_report()))
    stream.flush()
    assert "≤ 4 MiB" in raw.getvalue().decode("utf-8")
