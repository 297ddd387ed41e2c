"""The table of `edgeshrink targets` with several formats a target."""

from __future__ import annotations

import io

from rich.console import Console

from edgeshrink.core.budget import Budget, QualityFloor
from edgeshrink.core.listing import ProfileRow, TargetRow, TargetsListing
from edgeshrink.report.targets_table import render_targets

FORMATS = (("executorch", "8da4w"), ("gguf", "Q4_K_M"), ("onnx", "int4"))


def shown(*budgets: Budget, formats: tuple[tuple[str, str], ...] = FORMATS) -> str:
    profiles = tuple(
        ProfileRow(f"device-{index}", "A device", "laptop", "laptop-cpu", "shipped", "x.toml", 2**33, 2**32, budget)
        for index, budget in enumerate(budgets)
    )
    row = TargetRow("apple-silicon", "Mac with Apple silicon", "apple", "macbook-air-m2-8gb", formats, "shipped")
    stream = io.StringIO()
    console = Console(file=stream, width=80, color_system=None, legacy_windows=False)
    console.print(render_targets(TargetsListing((row,), profiles, ())))
    return stream.getvalue()


def test_each_format_has_a_line_with_its_first_scheme_the_preferred_one_first() -> None:
    lines = shown().splitlines()
    places = [next(i for i, line in enumerate(lines) if name in line.split()) for name, _ in FORMATS]
    assert places == list(range(places[0], places[0] + 3))
    for place, (name, scheme) in zip(places, FORMATS, strict=True):
        words = lines[place].split()
        assert words[words.index(name) + 1] == scheme
    assert lines[places[0]].startswith("apple-silicon") and lines[places[0]].split()[-1] == "macbook-air-m2-8gb"
    assert max(map(len, lines)) <= 80 and "…" not in "".join(lines)


def test_limits_of_networks_are_said_once_where_all_devices_share_them() -> None:
    text = " ".join(shown(Budget(inference_p95_ms_max=50), Budget(inference_p95_ms_max=50)).split())
    assert text.count("one run p95 ≤ 50 ms, output cosine ≥ 0.99, score drop ≤ 0.01") == 1
    assert "Networks: one run" in text


def test_devices_with_other_limits_are_named() -> None:
    floor = QualityFloor(output_cosine_min=0.95, score_drop_max=None)
    text = " ".join(shown(Budget(), Budget(quality=floor)).split())
    assert "Networks on device-0: output cosine ≥ 0.99, score drop ≤ 0.01." in text
    assert "Networks on device-1: output cosine ≥ 0.95." in text
