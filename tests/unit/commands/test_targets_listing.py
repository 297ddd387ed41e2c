"""`edgeshrink targets`: everything that can be asked for, with its budget."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from edgeshrink.commands.targets import command, targets
from edgeshrink.report.targets_table import render_targets


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_config_path", lambda name, appauthor=None: tmp_path / "config" / name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    return tmp_path / "profiles"


def rendered(width: int = 80) -> str:
    console = Console(file=StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(render_targets(targets()))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_all_targets_and_profiles_are_there_this_machine_first_of_its_family() -> None:
    listing = targets()
    assert [row.id for row in listing.targets] == ["android", "apple-silicon", "jetson", "laptop-cpu"]
    laptops = [row.id for row in listing.profiles if row.family == "laptop"]
    assert laptops[0] == "this-machine" and "laptop-4core-8gb" in laptops
    assert listing.broken == ()


def test_the_table_is_whole_at_80_columns() -> None:
    text = rendered()
    assert "…" not in text
    for row in targets().profiles:
        assert row.id in text
    pixel = next(line for line in text.splitlines() if line.startswith("pixel-8 "))
    assert pixel.split() == ["pixel-8", "2G", "3G", "2.5@256", "8", "250", "625", "0.1", "85%", "1.1"]


def test_a_limit_that_is_not_set_is_a_dash(own_folder: Path) -> None:
    shipped = next(row for row in targets().profiles if row.id == "pixel-8")
    text = (Path(__file__).parents[3] / "profiles" / "pixel-8.toml").read_text(encoding="utf-8")
    text = text.replace("pixel-8", "bare").replace("energy_mj_per_token_max = 625\n", "")
    (own_folder / "bare.toml").write_text(text, encoding="utf-8")
    line = next(line for line in rendered().splitlines() if line.startswith("bare "))
    assert line.split()[6] == "—"
    assert shipped.budget.energy_mj_per_token_max == 625


def test_a_broken_file_is_shown_and_costs_nothing_else(own_folder: Path) -> None:
    (own_folder / "mine.toml").write_text("id = ", encoding="utf-8")
    text = rendered()
    assert "mine cannot be used" in text and "profiles/mine.toml: not TOML" in text
    assert "pixel-8" in text


def test_a_broken_laptop_profile_leaves_this_machine_without_a_budget(own_folder: Path) -> None:
    (own_folder / "laptop-4core-8gb.toml").write_text("id = ", encoding="utf-8")
    listing = targets()
    assert {broken.id for broken in listing.broken} == {"laptop-4core-8gb", "this-machine"}
    assert "this-machine" not in [row.id for row in listing.profiles]


def test_hostile_text_cannot_steer_the_terminal(own_folder: Path) -> None:
    (own_folder / "mine.toml").write_text('id = "\\u001b[31mred"\n', encoding="utf-8")
    assert "\x1b" not in rendered()


def test_json_is_the_listing_and_nothing_else() -> None:
    done = CliRunner().invoke(command, ["--json"])
    assert done.exit_code == 0
    listing = json.loads(done.stdout)
    pixel = next(row for row in listing["profiles"] if row["id"] == "pixel-8")
    assert pixel["budget"]["artifact_bytes_max"] == 2 * 2**30
    assert pixel["budget"]["quality"]["same_top_share_min"] == 0.85
