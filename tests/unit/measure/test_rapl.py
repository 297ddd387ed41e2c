from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeshrink.measure.power.rapl import Rapl

RANGE = 65_532_610_987


def zone(powercap: Path, folder: str, name: str, energy: int) -> Path:
    path = powercap / folder
    path.mkdir(parents=True)
    (path / "name").write_text(name + "\n")
    (path / "max_energy_range_uj").write_text(f"{RANGE}\n")
    (path / "energy_uj").write_text(f"{energy}\n")
    return path


def test_a_counter_that_starts_again_is_followed(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", RANGE - 2_000_000)
    rapl = Rapl(tmp_path)
    rapl.start()
    (package / "energy_uj").write_text("3000000\n")
    assert rapl.stop() == pytest.approx(5.0)


def test_packages_are_added_and_their_parts_and_the_board_left_out(tmp_path: Path) -> None:
    zones = [
        zone(tmp_path, "intel-rapl:0", "package-0", 0),
        zone(tmp_path, "intel-rapl:1", "package-1", 0),
        zone(tmp_path, "intel-rapl:0:0", "core", 0),
        zone(tmp_path, "intel-rapl:2", "psys", 0),
        zone(tmp_path, "intel-rapl-mmio:0", "package-0", 0),
    ]
    rapl = Rapl(tmp_path)
    rapl.start()
    for path in zones:
        (path / "energy_uj").write_text("1500000\n")
    assert rapl.stop() == pytest.approx(3.0)


def test_a_folder_without_packages_is_a_reason(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "psys", 0)
    assert "no intel-rapl package zone" in str(Rapl(tmp_path).available())


def test_a_counter_that_is_no_number_is_a_reason(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    (package / "energy_uj").write_text("\n")
    assert "cannot be read" in str(Rapl(tmp_path).available())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_counter_for_root_only_is_a_reason(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    (package / "energy_uj").chmod(0)
    assert "may only be read by root" in str(Rapl(tmp_path).available())


def test_permission_denied_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 0)
    real = Path.read_text

    def deny(self: Path, *args: object, **names: object) -> str:
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "read_text", deny)
    assert "may only be read by root" in str(Rapl(tmp_path).available())
