"""The Swift package that measures, and its result. The recorded one was written by that very package: its core and
its llama.cpp part were built and run by Swift 6.0.3 on Linux, linked with the libllama that llama-cpp-python ships."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from built_gguf import build_gguf

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.core.session import SessionOptions
from edgeshrink.engine.xctest import export_xctest, profile_imported
from edgeshrink.errors import DataError, DeviceError, UsageError

OPTIONS = SessionOptions(prompt_tokens=(64, 16), decode_tokens=32)
REQUEST = Request(target="apple-silicon", profile="iphone-15-pro", context=512, session=OPTIONS)
RECORDED = Path(__file__).parents[2] / "recorded" / "xctest_on_linux.jsonl"


@pytest.fixture(scope="module")
def model(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_gguf(demo_model, tmp_path_factory.mktemp("xctest") / "demo.gguf", "Q8_0").path


def lines() -> list[dict[str, object]]:
    return [json.loads(line) for line in RECORDED.read_text().splitlines()]


def result_of(model: Path, folder: Path, said: list[dict[str, object]]) -> Path:
    """The recorded result as a test of `model` would have written it."""
    said[0]["artifact"] = hashlib.sha256(model.read_bytes()).hexdigest()
    file = folder / "edgeshrink-result.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in said))
    return file


def imported(model: Path, folder: Path, said: list[dict[str, object]]) -> Measurements:
    report = profile_imported(model, REQUEST, result_of(model, folder, said))
    assert report.measurements is not None
    return report.measurements


def test_the_package_holds_the_model_what_to_measure_and_a_text_to_prompt_with(model: Path, tmp_path: Path) -> None:
    folder = export_xctest(model, REQUEST, tmp_path / "package")
    inside = folder / "Tests" / "MeasureModel" / "Model"
    assert (inside / "model.gguf").read_bytes() == model.read_bytes()
    assert len((inside / "prompt.txt").read_text()) > 64
    plan = json.loads((inside / "session.json").read_text())
    assert plan["artifact_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert (plan["prompt_tokens"], plan["decode_tokens"], plan["context"]) == ([64, 16], 32, 512)
    assert '.copy("Model")' in (folder / "Package.swift").read_text()
    assert not (folder / "llama.xcframework").exists()


def test_the_swift_side_reads_every_field_that_is_written(model: Path, tmp_path: Path) -> None:
    folder = export_xctest(model, REQUEST, tmp_path / "package")
    swift = (folder / "Sources" / "EdgeshrinkMeasure" / "Plan.swift").read_text()
    for name in json.loads((folder / "Tests" / "MeasureModel" / "Model" / "session.json").read_text()):
        first, *rest = name.split("_")
        assert f"public var {first}{''.join(word.capitalize() for word in rest)}:" in swift


def test_a_folder_that_is_there_is_left_alone(model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="mine is there already"):
        export_xctest(model, REQUEST, tmp_path / "mine")


def test_an_export_without_a_profile_names_those_there_are(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="for which device") as caught:
        export_xctest(model, Request(target="apple-silicon"), tmp_path / "package")
    assert "iphone-15-pro" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_what_a_killed_export_left_does_not_stop_the_next(model: Path, tmp_path: Path) -> None:
    (tmp_path / ".package.part").mkdir()
    (tmp_path / ".package.0a1b2c").mkdir()
    export_xctest(model, REQUEST, tmp_path / "package")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".package.0a1b2c", ".package.part", "package"]


def test_only_gguf_files_are_measured_so(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(UsageError, match=r"model\.onnx is no GGUF"):
        export_xctest(tmp_path / "model.onnx", REQUEST, tmp_path / "package")


def test_a_result_becomes_measurements_with_its_own_figures(model: Path, tmp_path: Path) -> None:
    measured = imported(model, tmp_path, lines())
    prefill = [line["ms"] for line in lines() if line["event"] == "prefill" and line["tokens"] == 64]
    steps = [step for line in lines() if line["event"] == "decode" for step in line["steps_ms"]]  # type: ignore[attr-defined]
    assert len(prefill) == 20
    point = next(point for point in measured.prefill if point.prompt_tokens == 64)
    assert isinstance(point.ttft_p95_ms, Measured)
    assert point.ttft_p95_ms.value == pytest.approx(np.percentile(np.array(prefill, dtype=float), 95))
    assert isinstance(measured.inter_token_p99_ms, Measured)
    assert measured.inter_token_p99_ms.value == pytest.approx(np.percentile(steps, 99))
    marks = [line["hwm"] for line in lines() if line["event"] == "memory"]
    assert isinstance(measured.memory.peak_rss_bytes, Measured)
    assert measured.memory.peak_rss_bytes.value == max(marks)  # type: ignore[type-var]
    assert measured.partial == ""
    assert isinstance(measured.energy_mj_per_token, Unmeasured)


@pytest.mark.parametrize("text", ["", "{"])
def test_a_result_that_was_cut_is_not_blamed_for_its_name(model: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "edgeshrink-result.jsonl"
    file.write_text(text)
    with pytest.raises(DataError, match="no result of a measuring test") as caught:
        profile_imported(model, REQUEST, file)
    assert "run the test again" in caught.value.hint and "jsonl" not in caught.value.hint


def test_another_file_is_named_with_its_line(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.gguf"
    file.write_bytes(b"GGUF\n\x00\n")
    with pytest.raises(DeviceError, match=r"^line 1 of .*other\.gguf is no JSON"):
        profile_imported(model, REQUEST, file)


def test_what_was_timed_is_told_by_the_record_and_not_by_the_importers_flags(model: Path, tmp_path: Path) -> None:
    other = replace(REQUEST, context=256, session=SessionOptions(prompt_tokens=(200,), decode_tokens=7, repetitions=9))
    report = profile_imported(model, other, result_of(model, tmp_path, lines()))
    seen = report.measurements
    assert seen is not None
    assert [point.prompt_tokens for point in seen.prefill] == [16, 64]
    assert isinstance(seen.decode_tok_s, Measured) and "5 repetitions of 32 tokens" in seen.decode_tok_s.how
    assert (seen.repetitions, report.context) == (5, 512)
    assert not any("does not fit" in note for note in seen.notes)


def test_pages_that_an_app_is_not_told_of_are_not_counted_as_none(model: Path, tmp_path: Path) -> None:
    assert isinstance(imported(model, tmp_path, lines()).memory.major_faults, Unmeasured)
    report = profile_imported(model, REQUEST, result_of(model, tmp_path, lines()))
    assert "paging" not in {line.name: line.outcome for line in report.verdict.lines}


def test_without_a_profile_the_one_of_the_device_judges(model: Path, tmp_path: Path) -> None:
    said = lines()
    for line in said:
        if line["event"] == "device":
            line.update(model="iPhone16,1", system="iOS", os="18.1", cores=6, ram_bytes=8 * 10**9)
    report = profile_imported(model, Request(session=OPTIONS), result_of(model, tmp_path, said))
    assert (report.profile, report.target, report.on_device) == ("iphone-15-pro", "apple-silicon", True)


def test_a_device_that_is_not_the_profiles_is_not_judged(model: Path, tmp_path: Path) -> None:
    report = profile_imported(model, REQUEST, result_of(model, tmp_path, lines()))
    assert not report.on_device
    speed = next(line for line in report.verdict.lines if line.name == "decode speed")
    assert speed.outcome == "UNKNOWN"
    assert "is not iPhone 15 Pro" in speed.why


def test_the_profiles_own_device_is_judged(model: Path, tmp_path: Path) -> None:
    said = lines()
    for line in said:
        if line["event"] == "device":
            line.update(model="iPhone16,1", system="iOS", os="18.1", cores=6, ram_bytes=8 * 10**9)
    report = profile_imported(model, REQUEST, result_of(model, tmp_path, said))
    assert report.on_device, report.notes
    assert {line.name: line.outcome for line in report.verdict.lines}["peak RAM"] == "PASS"


def test_a_simulator_is_no_iphone(model: Path, tmp_path: Path) -> None:
    said = lines()
    for line in said:
        if line["event"] == "device":
            line.update(model="iPhone16,1", system="iOS", os="18.1", cores=6, ram_bytes=8 * 10**9, simulator=True)
    report = profile_imported(model, REQUEST, result_of(model, tmp_path, said))
    speed = next(line for line in report.verdict.lines if line.name == "decode speed")
    assert (speed.outcome, "simulator" in speed.why) == ("UNKNOWN", True)


def test_a_test_that_did_not_come_to_its_end_is_marked(model: Path, tmp_path: Path) -> None:
    assert imported(model, tmp_path, lines()[:40]).partial == "the test did not come to its end"


def test_a_result_of_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    file = result_of(model, tmp_path, lines())
    file.write_text(file.read_text().replace(hashlib.sha256(model.read_bytes()).hexdigest(), "0" * 64))
    with pytest.raises(DataError, match="another model"):
        profile_imported(model, REQUEST, file)


@pytest.mark.parametrize("text", ["", "{}\n", '{"event": "hello"}\n', "\x1b[2J\n\n", "[" * 5000])
def test_what_is_no_result_is_refused(model: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text(text)
    with pytest.raises((DataError, DeviceError)):
        profile_imported(model, REQUEST, file)
