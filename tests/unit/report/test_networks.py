"""Reports of networks, of folders and of what never ran here: everything about them is shown, nothing else is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edgeshrink.core.delegation import Delegation
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quality import NetworkQuality
from edgeshrink.core.quant_types import STORAGE_TYPES
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.report.card import model_card
from edgeshrink.report.format import reading_text
from edgeshrink.report.html import report_to_html
from edgeshrink.report.terminal import render_plan, render_report

from .sample import sample_report
from .sample_formats import (
    FILES,
    NOT_A_TEXT,
    SHAPES,
    sample_apart_report,
    sample_encoder_report,
    sample_executorch_report,
    sample_network_report,
    sample_onnx_report,
)
from .test_html import Page
from .test_terminal import shown, words

NETWORKS = [sample_network_report(), sample_encoder_report()]
LANGUAGE_WORDS = re.compile(r"decode|prefill|perplexity|mean KL|inter-token|TTFT|context", re.IGNORECASE)


def page(report: Report) -> str:
    return Page(report_to_html(report)).text


def terminal(report: Report) -> str:
    return words(shown(render_report(report)))


@pytest.mark.parametrize("said", [page, terminal, model_card])
def test_a_networks_quality_says_against_what_on_how_much_and_how_near(said: object) -> None:
    report = sample_network_report()
    quality = report.quality
    assert isinstance(quality, NetworkQuality)
    text = said(report)  # type: ignore[operator]
    for fact in (quality.reference, quality.data, "1,000 samples", "0.9987 ± 0.0001", "0.973", "25.9 dB", "0.9231"):
        assert fact in text, fact
    assert "layer1.0.conv1" in text and "1 of 13 examined layers kept in float" in text


@pytest.mark.parametrize("said", [page, terminal, model_card])
def test_every_shape_has_its_percentiles(said: object) -> None:
    report = sample_network_report()
    assert report.measurements is not None
    text = said(report)  # type: ignore[operator]
    for point in report.measurements.inference:
        assert point.shapes in text
        for reading in (point.p50_ms, point.p95_ms, point.p99_ms):
            assert reading_text(reading, "ms") in text


@pytest.mark.parametrize("report", NETWORKS, ids=["classifier", "encoder"])
def test_a_network_is_told_in_no_words_of_language_models(report: Report) -> None:
    assert not LANGUAGE_WORDS.findall(page(report))
    assert not LANGUAGE_WORDS.findall(terminal(report))
    assert not LANGUAGE_WORDS.findall(model_card(report))


def test_a_missing_scorer_takes_its_rows_from_the_terminal_and_gives_its_reason_on_the_page() -> None:
    report = sample_encoder_report()
    assert "Score of the float" not in terminal(report)
    assert "the network brings no scorer" in page(report)
    assert "layers kept in float" not in terminal(report)


def test_a_networks_ladder_shows_the_cosine_and_marks_the_rung_that_was_taken() -> None:
    source = report_to_html(sample_network_report())
    assert source.count('class="chosen"') == 2, "one rung of two with the same scheme, and one candidate"
    ladder = terminal(sample_network_report())
    assert "0.984" in ladder and "cosine" in ladder and "mean KL" not in ladder


def test_a_ladder_of_a_language_model_has_no_cosine() -> None:
    assert "osine" not in page(sample_report())
    assert "osine" not in terminal(sample_report())


@pytest.mark.parametrize("said", [page, terminal, model_card])
def test_what_the_peak_has_from_before_the_file_was_opened_is_said(said: object) -> None:
    text = said(sample_onnx_report())  # type: ignore[operator]
    assert "of which interpreter and runtime libraries" in text
    assert "118 MiB" in text and "171 MiB" in text


@pytest.mark.parametrize("said", [page, model_card])
def test_every_file_of_a_folder_is_named(said: object) -> None:
    text = said(sample_onnx_report())  # type: ignore[operator]
    for name in FILES:
        assert name in text, name


def test_the_terminal_names_the_first_files_and_counts_the_rest() -> None:
    text = terminal(sample_onnx_report())
    assert "6 files: chat_template.jinja, genai_config.json, model.onnx and 3 more files" in text
    assert "2 files: model.pte, tokenizer.json" in terminal(sample_executorch_report())


@pytest.mark.parametrize("said", [page, terminal, model_card])
def test_the_delegates_share_and_what_stays_outside_are_said(said: object) -> None:
    text = said(sample_executorch_report()).replace("\\", "")  # type: ignore[operator]
    assert "xnnpack: 93.5 % of operators (186 of 199), 99.80 % of weight bytes" in text
    assert "aten.embedding ×1, aten.index_put ×8, aten.view ×4" in text
    assert "lm_head.weight is in the file more than once: 1.12 MiB lost" in text


@pytest.mark.parametrize("said", [page, terminal, model_card])
def test_a_file_that_cannot_run_here_is_plainly_said_to_be_so(said: object) -> None:
    sentence = "owered ahead of time for coreml and inspected; not run on this machine"
    assert sentence in said(sample_apart_report())  # type: ignore[operator]
    assert sentence not in said(sample_executorch_report())  # type: ignore[operator]


@pytest.mark.parametrize("said", [page, terminal, model_card])
def test_where_the_time_of_the_export_went_is_said_with_its_memory_and_the_error(said: object) -> None:
    text = said(sample_executorch_report()).replace("\\", "")  # type: ignore[operator]
    for fact in ("3.10 s", "5.42 s", "20.1 s", "34.0 s", "1 min 03 s", "240 MiB, predicted ~210 MiB (-12.5 %)"):
        assert fact in text, fact
    assert "predicted ~210 MiB" not in said(sample_onnx_report())  # type: ignore[operator]


def test_an_export_whose_memory_is_not_known_says_its_time_alone() -> None:
    report = sample_executorch_report()
    times = ExportTimes((("export", 20.1),), None)
    text = terminal(replace(report, export_times=times))
    assert "export 20.1 s measured" in text
    assert "RAM of the export" not in page(replace(report, export_times=times))
    assert "RAM of the export" in page(report)


def test_an_empty_file_has_no_share() -> None:
    report = sample_executorch_report()
    empty = Delegation("vulkan", 0, 0, 0, 0, (), (), False)
    text = terminal(replace(report, artifact=replace(report.artifact, delegation=empty)))
    assert "vulkan: no operator was found in the file" in text


def test_many_operators_outside_are_counted_not_listed() -> None:
    report = sample_executorch_report()
    assert report.artifact.delegation is not None
    left = tuple((f"aten.op{index}", 1) for index in range(40))
    delegation = replace(report.artifact.delegation, left=left)
    text = terminal(replace(report, artifact=replace(report.artifact, delegation=delegation)))
    assert "aten.op5 ×1 and 34 more kinds" in text and "aten.op6" not in text


def test_the_ledger_knows_the_tensor_types_of_every_format() -> None:
    report = sample_executorch_report()
    tensors = tuple(TensorPlan(f"t{i}", "", (4, 768), name, "by scheme") for i, name in enumerate(STORAGE_TYPES))
    artifact = replace(report.artifact, tensors=tensors, tensor_bytes=sum(tensor.nbytes for tensor in tensors))
    text = page(replace(report, artifact=artifact))
    for tensor in tensors:
        assert f"{tensor.name} 4 × 768 {tensor.type} {4 * STORAGE_TYPES[tensor.type].row_bytes(768):,} by" in text


def test_a_file_smaller_than_its_tensors_is_not_said_to_have_a_negative_rest() -> None:
    report = sample_onnx_report()
    artifact = replace(report.artifact, tensor_bytes=report.artifact.nbytes + 2048)
    text = page(replace(report, artifact=artifact))
    assert "the files are 2.00 KiB smaller than that, so the plan counted too much" in text


def test_a_file_without_a_list_of_tensors_says_so() -> None:
    text = page(sample_network_report())
    assert "Weights take 267 KiB, all else takes 37.4 KiB: 311,296 bytes in all." in text
    assert "The tensors of this file are not listed one by one." in text


def test_the_backend_is_told_in_words() -> None:
    report = sample_network_report()
    assert "Backend as asked for as asked for" in terminal(report)
    lines = tuple(
        replace(line, reading=Measured(0.0, how="cuda was asked for, cpu ran"), why="cuda was asked for, cpu ran",
                outcome="FAIL") if line.name == "backend" else line
        for line in report.verdict.lines
    )  # fmt: skip
    failed = replace(report, verdict=replace(report.verdict, lines=lines, outcome="FAIL"))
    assert "Backend as asked for another one" in terminal(failed)
    assert "cuda was asked for, cpu ran" in page(failed)


def test_no_line_needs_a_known_name() -> None:
    report = sample_report()
    lines = tuple(replace(line, name=f"line {index}") for index, line in enumerate(report.verdict.lines))
    renamed = replace(report, verdict=replace(report.verdict, lines=lines))
    source = report_to_html(renamed)
    for index in range(len(lines)):
        assert f"Line {index}" in source
    for limit in ("limit 0.05 nats", "limit 4 MiB", "limit 96 MiB"):
        assert limit in source, "the charts find their limits by the readings"


def test_a_network_measured_without_its_source_is_still_a_network() -> None:
    report = replace(sample_network_report(), source=None, quality=None, ladder=(), candidates=(), predictions=None)
    assert SHAPES in page(report) and SHAPES in terminal(report)
    assert "context" not in terminal(report) and "Not compared" in page(report)


def test_a_network_that_was_only_lowered_is_a_network_by_its_context() -> None:
    network = sample_network_report()
    assert network.source is not None
    source = replace(network.source, kind="huggingface")
    report = replace(network, source=source, quality=None, measurements=None, ladder=(), traded_away=())
    assert not LANGUAGE_WORDS.findall(terminal(report)) and not LANGUAGE_WORDS.findall(page(report))


def test_runs_without_a_percentile_give_the_reason() -> None:
    report = sample_network_report(points=1)
    assert report.measurements is not None
    (point,) = report.measurements.inference
    few = replace(point, p99_ms=Unmeasured("p99 needs at least 100 samples, there are 20"))
    text = terminal(replace(report, measurements=replace(report.measurements, inference=(few,))))
    assert f"{SHAPES} p99: p99 needs at least 100 samples" in text


@pytest.mark.parametrize("report", [*NETWORKS, sample_onnx_report(), sample_executorch_report(), sample_apart_report()])
def test_nothing_is_cut_at_80_columns(report: Report) -> None:
    text = shown(render_report(report))
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text


def test_a_plan_leaves_out_columns_without_figures_and_says_why() -> None:
    text = shown(render_plan(sample_network_report().candidates))
    assert "tok/s" not in text
    assert f"no figure for decode, TTFT: {NOT_A_TEXT}" in words(text)
