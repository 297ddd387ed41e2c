"""Where profiles and targets are looked for, and in which order."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeshrink.catalog.data import data_folders, display_path, shipped_folder
from edgeshrink.catalog.profiles import load_profile, load_profiles, profile_entries
from edgeshrink.catalog.targets import load_target, load_targets, target_entries

WriteProfile = Callable[..., Path]


def test_own_folders_come_before_the_shipped_one(config_home: Path) -> None:
    folders = data_folders("profiles")
    assert [folder.path for folder in folders] == [
        Path.cwd() / "profiles",
        config_home / "edgeshrink" / "profiles",
        shipped_folder("profiles"),
    ]
    assert [folder.origin for folder in folders] == ["yours", "yours", "shipped"]


def test_the_current_folder_wins_over_the_config_folder_and_that_over_the_shipped(
    config_home: Path, write_profile: WriteProfile
) -> None:
    assert load_profile("pixel-8").name == "Google Pixel 8"
    write_profile(
        config_home / "edgeshrink" / "profiles", "pixel-8", ('name = "Google Pixel 8"', 'name = "from config"')
    )
    assert load_profile("pixel-8").name == "from config"
    write_profile(Path("profiles"), "pixel-8", ('name = "Google Pixel 8"', 'name = "from here"'))
    assert load_profile("pixel-8").name == "from here"
    assert [entry.id for entry in profile_entries()].count("pixel-8") == 1


def test_a_new_phone_is_one_file(config_home: Path, write_profile: WriteProfile) -> None:
    before = len(load_profiles())
    write_profile(Path("profiles"), "my-phone")
    assert load_profile("my-phone").id == "my-phone"
    assert len(load_profiles()) == before + 1


def test_targets_are_found_the_same_way(config_home: Path) -> None:
    own = Path("targets") / "laptop-cpu"
    shutil.copytree(shipped_folder("targets") / "laptop-cpu", own)
    text = (own / "target.toml").read_text(encoding="utf-8")
    (own / "target.toml").write_text(text.replace("Laptop or desktop, CPU only", "mine"), encoding="utf-8")
    assert load_target("laptop-cpu").name == "mine"
    assert {target.id for target in load_targets()} == {"android", "apple-silicon", "jetson", "laptop-cpu"}
    assert {entry.id: entry.origin for entry in target_entries()}["laptop-cpu"] == "yours"


def test_standing_in_the_checkout_lists_its_folder_once(config_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shipped_folder("profiles").parent)
    folders = data_folders("profiles")
    assert [folder.origin for folder in folders] == ["yours", "shipped"]
    assert folders[0].path == config_home / "edgeshrink" / "profiles"


def test_the_config_folder_follows_the_environment(tmp_path: Path) -> None:
    """In a fresh interpreter, as the person's shell would start it."""
    if sys.platform != "linux":
        pytest.skip("XDG_CONFIG_HOME is Linux's")
    program = "from edgeshrink.catalog.data import data_folders; print(data_folders('profiles')[1].path)"
    checkout = shipped_folder("profiles").parent
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(tmp_path / "xdg" / "edgeshrink" / "profiles")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the package as a wheel lays it out: `_data` inside, no checkout around."""
    site = tmp_path / "site-packages"
    package = site / "edgeshrink"
    (package / "catalog").mkdir(parents=True)
    (package / "core").mkdir()
    checkout = shipped_folder("profiles").parent
    for name in ("__init__.py", "errors.py", "catalog", "core"):
        source = checkout / "edgeshrink" / name
        if source.is_dir():
            shutil.copytree(source, package / name, dirs_exist_ok=True)
        else:
            shutil.copy(source, package / name)
    for kind in ("profiles", "targets"):
        shutil.copytree(checkout / kind, package / "_data" / kind)
    return site


def shipped_by(pythonpath: str, cwd: Path) -> str:
    program = "from edgeshrink.catalog.data import shipped_folder; print(shipped_folder('profiles'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=cwd,
        env={"PYTHONPATH": pythonpath, "HOME": str(cwd)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_an_installed_package_has_its_data_inside(installed: Path, tmp_path: Path) -> None:
    assert shipped_by(str(installed), tmp_path) == str(installed / "edgeshrink" / "_data" / "profiles")


def test_a_checkout_never_looks_into_a_stale_copy_in_site_packages(installed: Path, tmp_path: Path) -> None:
    """An editable install leaves `site-packages/edgeshrink/_data`, without the package's own files."""
    for leftover in ("__init__.py", "errors.py"):
        (installed / "edgeshrink" / leftover).unlink()
    checkout = shipped_folder("profiles").parent
    assert shipped_by(f"{installed}:{checkout}", tmp_path) == str(checkout / "profiles")


def test_a_path_is_shown_as_one_would_type_it(config_home: Path) -> None:
    assert display_path(Path.cwd() / "profiles" / "x.toml") == "profiles/x.toml"
    assert display_path(config_home / "x.toml") == str(config_home / "x.toml")
