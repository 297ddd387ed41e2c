"""What of a session on a device may be held against a budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeshrink.core.budget import Budget
from edgeshrink.core.measurement import HostFacts, HostState, Measurements, Memory, PrefillPoint, RuntimeFacts
from edgeshrink.core.power import Origin, PowerRecord
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.judging.countable import countable
from edgeshrink.judging.judge import judge

NO = Unmeasured("not looked at")
STATE = HostState(NO, NO, "performance", NO, NO)
BUDGET = Budget(
    artifact_bytes_max=1000,
    peak_rss_bytes_max=1000,
    ttft_p95_ms_max=100,
    ttft_prompt_tokens=8,
    decode_tok_s_min=10,
    inter_token_p99_ms_max=100,
    energy_mj_per_token_max=100,
)


def power(origin: Origin) -> PowerRecord:
    return PowerRecord("macmon", "the whole chip", origin, "it adds up what the chip says", 10.0, NO, NO, NO)


SEEN = Measurements(
    artifact_sha256="0" * 64,
    artifact_bytes=500,
    taken_at="2026-11-21T12:00:00+00:00",
    repetitions=5,
    host=HostFacts("id", "Linux", "cpu", 6, 8 << 30, ""),
    runtime=RuntimeFacts("llama_cpp", "0", "b", "CPU", (), 6, 0, 512),
    before=STATE,
    after=STATE,
    load_cold_ms=Measured(1.0),
    load_warm_ms=Measured(1.0),
    prefill=(PrefillPoint(8, Measured(1.0), Measured(2.0), Measured(900.0), (1.0, 2.0)),),
    decode_tok_s=Measured(50.0),
    inter_token_p50_ms=Measured(20.0),
    inter_token_p95_ms=Measured(21.0),
    inter_token_p99_ms=Measured(22.0),
    inter_token_samples_ms=(20.0,),
    memory=Memory(
        *(Measured(float(value)) for value in (400, 100, 300, 390, 10)),
        timeline=(),
        fit_bytes=Measured(600.0),
        major_faults=Measured(0.0),
    ),
    energy_mj_per_token=Measured(50.0),
    power=power("measured"),
)
DEVICE_LINES = (
    "peak RAM", "fits RAM", "paging", "TTFT p95 at 8 tokens", "decode speed", "inter-token p99", "energy per token",
)  # fmt: skip
SPEED_AND_POWER = DEVICE_LINES[3:]


def lines(seen: Measurements | Unmeasured) -> dict[str, VerdictLine]:
    verdict = judge(
        BUDGET,
        artifact_bytes=500,
        measurements=seen,
        quality=Unmeasured("no reference"),
        predictions=None,
        delegate="cpu",
    )
    return {line.name: line for line in verdict.lines}


def outcomes(seen: Measurements | Unmeasured, names: tuple[str, ...]) -> set[str]:
    return {lines(seen)[name].outcome for name in names}


def test_a_whole_session_on_the_device_is_judged() -> None:
    assert outcomes(countable(SEEN), DEVICE_LINES) == {"PASS"}


def test_weights_that_came_back_from_storage_fail_although_the_resident_peak_is_small() -> None:
    paged = replace(SEEN, memory=replace(SEEN.memory, major_faults=Measured(3.0)))
    assert (lines(paged)["paging"].outcome, lines(paged)["peak RAM"].outcome) == ("FAIL", "PASS")


def test_mapped_weights_must_fit_whole() -> None:
    large = replace(SEEN, memory=replace(SEEN.memory, fit_bytes=Measured(1001.0)))
    assert lines(large)["fits RAM"].outcome == "FAIL"


def test_a_session_that_does_not_look_has_no_such_line() -> None:
    blind = replace(SEEN, memory=replace(SEEN.memory, fit_bytes=NO, major_faults=NO))
    assert not {"fits RAM", "paging"} & set(lines(blind))


def test_what_an_early_end_left_can_fail_a_line_and_not_pass_it() -> None:
    early = replace(SEEN, partial="killed, most likely by its out-of-memory killer")
    assert outcomes(early, DEVICE_LINES) == {"UNKNOWN"}
    assert "out-of-memory killer" in lines(early)["peak RAM"].why
    slow = replace(early, decode_tok_s=Measured(1.0))
    assert lines(slow)["decode speed"].outcome == "FAIL"
    assert lines(early)["artifact size"].outcome == "PASS", "the file's size is not the session's"


def test_emulated_speed_and_power_are_not_the_devices_and_its_memory_is() -> None:
    seen = countable(SEEN, emulation="emulated CPU (qemu-user)")
    assert outcomes(seen, SPEED_AND_POWER) == {"UNKNOWN"}
    assert outcomes(seen, DEVICE_LINES[:3]) == {"PASS"}
    assert "qemu-user" in lines(seen)["decode speed"].why


def test_another_devices_figures_count_for_nothing() -> None:
    assert outcomes(countable(SEEN, elsewhere="this is a Pixel 8"), (*DEVICE_LINES[:1], *SPEED_AND_POWER)) == {
        "UNKNOWN"
    }


def test_who_asks_for_it_gets_the_comparison_all_the_same() -> None:
    asked = countable(SEEN, elsewhere="this is a Pixel 8", emulation="a simulator", anyway=True)
    assert outcomes(asked, DEVICE_LINES) == {"PASS"}


@pytest.mark.parametrize(("origin", "outcome"), [("measured", "PASS"), ("inferred", "PASS"), ("modelled", "UNKNOWN")])
def test_a_modelled_figure_never_passes_a_power_line(origin: Origin, outcome: str) -> None:
    line = lines(replace(SEEN, power=power(origin)))["energy per token"]
    assert line.outcome == outcome
    assert (origin == "modelled") == ("models power" in line.why)


def test_a_modelled_figure_does_not_fail_one_either() -> None:
    hungry = replace(SEEN, power=power("modelled"), energy_mj_per_token=Measured(1e6))
    assert lines(hungry)["energy per token"].outcome == "UNKNOWN"


def test_a_runner_that_does_not_say_what_computed_leaves_the_backend_open() -> None:
    silent = replace(SEEN, runtime=replace(SEEN.runtime, name="llama_main", backend="unknown"))
    assert lines(silent)["backend"].outcome == "UNKNOWN"
    assert "llama_main does not say" in lines(silent)["backend"].why
