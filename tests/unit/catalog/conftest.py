"""A person with no data of their own, in an empty folder: tests put files there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeshrink.catalog.data import shipped_folder

WriteProfile = Callable[..., Path]


@pytest.fixture
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's config folder (`<it>/edgeshrink/profiles`); the current folder is `tmp_path/here`."""
    home = tmp_path / "config"
    monkeypatch.setattr("platformdirs.user_config_path", lambda name, appauthor=None: home / name)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return home


@pytest.fixture
def write_profile() -> WriteProfile:
    """Writes a shipped profile under another id into a folder, with texts replaced."""

    def write(folder: Path, profile_id: str, *replacements: tuple[str, str]) -> Path:
        text = (shipped_folder("profiles") / "pixel-8.toml").read_text(encoding="utf-8")
        for old, new in (('id = "pixel-8"', f'id = "{profile_id}"'), *replacements):
            assert old in text, old
            text = text.replace(old, new)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{profile_id}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
