"""`edgeshrink compare` of two reports: what a CI job sees, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from built_gguf import build_gguf
from compared_reports import elsewhere, measured, report, written
from sample_behaviour import sample_behaviour, sample_calm_behaviour

from edgeshrink.cli import root
from edgeshrink.core.reading import Measured
from edgeshrink.errors import DataError, Error, UsageError

Compare = Callable[..., tuple[int, str]]


@pytest.fixture
def compare(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Compare:
    """Runs the verb; gives its exit code and what it printed at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object) -> tuple[int, str]:
        code = root.main(["compare", *map(str, arguments)], standalone_mode=False)
        return code, capsys.readouterr().out

    return run


def rows(printed: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(printed)["rows"]}


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    return written(tmp_path, "calm.json", report(1000, sample_calm_behaviour(), measured(50.0, 400.0)))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return written(tmp_path, "broken.json", report(600, sample_behaviour(), measured(80.0, 300.0)))


def test_a_regression_is_named_and_ends_with_1(compare: Compare, calm: Path, broken: Path) -> None:
    code, told = compare(calm, broken)
    assert code == 1
    assert "✗ 4 regressions" in told
    assert "✗ arithmetic: right 56.0 % against 98.5 %" in told
    assert max(map(len, told.splitlines())) <= 80
    assert "\x1b" not in told


def test_json_has_every_figure(compare: Compare, calm: Path, broken: Path) -> None:
    code, told = compare(calm, broken, "--json")
    found = rows(told)
    assert code == 1
    assert {name for name, row in found.items() if row["regression"]} == {
        "arithmetic",
        "long-context/constraint",
        "text/digits",
        "text/it",
    }
    words = {name: found[name]["word"] for name in ("artifact size", "decode", "TTFT at 256 tokens", "peak RSS")}
    assert set(words.values()) == {"better"}
    assert found["decode"]["change"]["value"] == pytest.approx(-60)
    assert found["artifact size"]["bounds"] == pytest.approx([-40, -40])


def test_the_other_way_round_quality_is_better_and_the_device_pays(compare: Compare, calm: Path, broken: Path) -> None:
    code, told = compare(broken, calm, "--json")
    found = rows(told)
    assert code == 1
    assert found["arithmetic"]["word"] == "better"
    assert {name for name, row in found.items() if row["regression"]} == {
        "artifact size",
        "decode",
        "TTFT at 256 tokens",
        "peak RSS",
    }
    assert compare(broken, calm, "--tolerance", 100)[0] == 0


def test_a_report_against_itself_has_no_regression(compare: Compare, broken: Path) -> None:
    code, told = compare(broken, broken)
    assert code == 0
    assert "no regression beyond noise" in told
    assert compare(broken, broken, "--strict")[0] == 1  # intervals of some slices are wider than what is allowed


def test_the_baseline_stands_in_for_a(compare: Compare, calm: Path, broken: Path) -> None:
    assert compare(broken, "--baseline", calm, "--json") == compare(calm, broken, "--json")


def test_a_gate_decides_what_is_allowed(compare: Compare, calm: Path, broken: Path) -> None:
    gates = [word for name in ("arithmetic", "long-context/*", "text/*") for word in ("--gate", f"{name}:off")]
    assert compare(calm, broken, *gates)[0] == 0
    code, told = compare(calm, broken, *gates, "--gate", "worst-slice:max-degradation=0.1", "--json")
    (line,) = json.loads(told)["gates"]
    assert (code, line["name"], line["outcome"]) == (1, "worst slice", "FAIL")


def test_quality_is_paid_for_with_what_was_gained(compare: Compare, calm: Path, broken: Path, tmp_path: Path) -> None:
    gates = [word for name in ("*", "text/*", "long-context/drift") for word in ("--gate", f"{name}:off")]
    cheap = compare(calm, broken, *gates, "--gate", "exchange:decode-tok-s:percent-min-improvement=0.1")
    dear = compare(calm, broken, *gates, "--gate", "exchange:decode-tok-s:percent-min-improvement=10")
    assert (cheap[0], dear[0]) == (0, 1)
    assert "arithmetic lost 42.5 points" in " ".join(dear[1].split())
    slow = written(tmp_path, "faster.json", report(1000, None, measured(79.0, 400.0)))
    other = compare(
        calm, broken, *gates, "--baseline", slow, "--gate", "exchange:decode-tok-s:percent-min-improvement=0.1"
    )
    assert other[0] == 1  # 1 % faster than the baseline does not pay for 42 points


def test_speed_of_another_machine_is_not_compared(compare: Compare, calm: Path, tmp_path: Path) -> None:
    there = written(tmp_path, "there.json", report(1000, sample_calm_behaviour(), elsewhere(measured(10.0, 900.0))))
    code, told = compare(calm, there, "--json")
    assert code == 0
    assert rows(told)["decode"]["word"] == "unclear"
    assert "same machine" in rows(told)["peak RSS"]["why"]


def test_a_speed_that_noise_explains_is_no_regression(compare: Compare, calm: Path, tmp_path: Path) -> None:
    noisy = measured(45.0, 400.0, half=6.0)
    path = written(tmp_path, "noisy.json", report(1000, sample_calm_behaviour(), noisy))
    code, told = compare(calm, path, "--json")
    assert rows(told)["decode"]["word"] == "unclear"
    assert not rows(told)["decode"]["regression"]
    assert code == 1 and rows(told)["TTFT at 256 tokens"]["regression"]  # 11 % longer, with a narrow interval


def refused(*arguments: object) -> Error:
    with pytest.raises(Error) as caught:
        root.main(["compare", *map(str, arguments)], standalone_mode=False)
    return caught.value


def test_a_report_without_a_suite_and_without_its_artifact_cannot_be_compared(calm: Path, tmp_path: Path) -> None:
    bare = written(tmp_path, "bare.json", report(1000, None))
    found = refused(calm, bare)
    assert isinstance(found, UsageError)
    assert "A and B are reports without the artifact; of B there is no report with a suite's figures" in found.message
    assert "A and B are reports without the artifact" in refused(calm, calm, "--suite", "quick").message
    assert root.main(["compare", str(calm), str(bare), "--suite", "none"], standalone_mode=False) == 0


def test_an_artifact_without_figures_is_told_from_a_report_without_artifact(
    calm: Path, tmp_path: Path, stories: Path
) -> None:
    """A CI job that keeps the old report and has just the new file."""
    new = build_gguf(stories, tmp_path / "new.gguf", "Q8_0").path
    found = refused(new, "--baseline", calm)
    assert "A is a report without the artifact; of B there is no report" in found.message


def test_strict_counts_what_noise_leaves_open_whatever_word_the_row_has(compare: Compare, tmp_path: Path) -> None:
    """Worse beyond noise, and perhaps by more than is allowed; or the same, but perhaps below an absolute floor."""
    one = sample_calm_behaviour().slice("arithmetic")
    assert one is not None

    def file(name: str, loss: float, half: float, mine: float) -> Path:
        bounds = (loss - half, loss + half)
        metric = replace(
            one.metrics[0],
            candidate=Measured(mine, 400, mine - half, mine + half),
            loss=Measured(loss, 400, *bounds),
            bounds=bounds,
        )
        slices = (replace(one, metrics=(metric,), parts=(), worst=()),)
        behaviour = replace(sample_calm_behaviour(), slices=slices)
        return written(tmp_path, name, report(1000, behaviour, measured(50.0, 400.0)))

    before, worse = file("before.json", 0.0, 0.01, 0.95), file("worse.json", 0.05, 0.03, 0.90)
    same = file("same.json", 0.0, 0.01, 0.95)
    lenient = [compare(before, other, "--json") for other in (worse, same)]
    assert [(code, rows(told)["arithmetic"]["word"]) for code, told in lenient] == [(0, "worse"), (0, "same")]
    told = rows(lenient[0][1])["arithmetic"]
    assert (told["doubt"], told["regression"]) == (True, False)
    assert [compare(before, other, "--strict")[0] for other in (worse, same)] == [1, 0]
    code, floor = compare(before, same, "--strict", "--json", "--gate", "arithmetic:threshold=0.95")
    assert (code, rows(floor)["arithmetic"]["word"], rows(floor)["arithmetic"]["doubt"]) == (1, "same", True)


def test_one_file_is_no_comparison(calm: Path) -> None:
    assert "OLD NEW" in refused(calm).hint
    assert "3 files" in refused(calm, calm, calm).message


def test_what_is_no_report_is_refused_with_its_name(calm: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"schema": "edgeshrink-report-1"}', encoding="utf-8")
    found = refused(calm, wrong)
    assert isinstance(found, DataError) and str(wrong) in found.message
    wrong.write_bytes(b"\xff\xfe\x00")
    assert str(wrong) in refused(calm, wrong).message
    assert "there is no" in refused(calm, tmp_path / "nowhere.json").message
    assert "no limit" in refused(calm, calm, "--gate", "arithmetic:speed=3").message


def test_rounds_too_few_for_an_interval_are_refused(calm: Path) -> None:
    assert "6 or more" in refused(calm, calm, "--rounds", 3).hint
