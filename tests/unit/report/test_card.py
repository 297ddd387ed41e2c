from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgeshrink.core.quality import Quality
from edgeshrink.core.report import Report
from edgeshrink.report.card import model_card

from .sample import NO_POWER, NOT_HERE, sample_profile_report, sample_report
from .sample_formats import sample_executorch_report, sample_network_report


def front_matter(card: str) -> dict[str, object]:
    _, head, _ = card.split("---\n", 2)
    return {key: json.loads(value) for key, value in (line.split(": ", 1) for line in head.strip().splitlines())}


def test_the_card_says_what_from_which_source_how_and_how_well() -> None:
    report = sample_report()
    card = model_card(report)
    assert report.source and report.compression and isinstance(report.quality, Quality) and report.measurements
    for fact in (
        report.artifact.file,
        report.artifact.sha256,
        report.source.digest,
        report.compression.calibration_sha256,
        report.quality.text_sha256,
        report.measurements.host.cpu,
        "0.0123 ± 0.0007 nats",
        NO_POWER,
        *report.traded_away,
        *report.notes,
    ):
        assert fact in card, fact
    for line in report.verdict.lines:
        assert any(
            row.endswith(f"| {line.outcome} |") and line.name.lower() in row.lower() for row in card.splitlines()
        )


def test_the_front_matter_names_license_and_base_model_only_when_they_are_known() -> None:
    report = sample_report()
    assert report.source is not None
    assert front_matter(model_card(report)) == {
        "library_name": "gguf",
        "tags": ["edgeshrink", "Q4_K_M", "laptop-cpu"],
        "license": "apache-2.0",
    }
    hub = replace(
        report, source=replace(report.source, hub_id="meta-llama/Llama-3.2-1B", license=None, revision="4e20de3")
    )
    head = front_matter(model_card(hub))
    assert head["base_model"] == "meta-llama/Llama-3.2-1B"
    assert "license" not in head
    assert "revision `4e20de3`" in model_card(hub) and "not stated" in model_card(hub)


def test_a_file_without_source_and_another_device_are_said_to_be_so() -> None:
    card = model_card(sample_profile_report())
    assert "**Source**: not known" in card
    assert NOT_HERE in card
    assert "Nothing was measured on Google Pixel 8" in card
    assert "## Quality" not in card and "## How it was compressed" not in card


def test_names_do_not_break_out_of_the_markdown() -> None:
    report = sample_report()
    assert report.source is not None
    name = "x\n# injected\n<script>|a|[y](z)`"
    hostile = replace(report, source=replace(report.source, given=name, license=name), profile=name)
    card = model_card(hostile)
    assert not [line for line in card.splitlines() if line.startswith("# injected")]
    assert "\\<script\\>" in card and "\\[y](z)" in card
    assert front_matter(card)["license"] == name
    assert len([line for line in card.splitlines() if line.startswith("# ")]) == 1


def test_ordinary_names_are_not_full_of_backslashes() -> None:
    assert "# edgeshrink/\\_demo at Q4_K_M" in model_card(sample_report())


@pytest.mark.parametrize("report", [sample_report(), sample_executorch_report(), sample_network_report()])
def test_every_table_row_has_as_many_cells_as_its_head(report: Report) -> None:
    width = 0
    for line in model_card(report).splitlines():
        bars = line.replace("\\|", "").count("|")
        if line.startswith("| ") and width:
            assert bars == width, line
        width = bars if line.startswith("|") else 0
    assert width == 0
