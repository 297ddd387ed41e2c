"""The template files of `targets/android/bundle`, and what goes into them."""

from __future__ import annotations

from pathlib import Path
from string import Template

from edgeshrink.catalog.data import shipped_folder


def template(*place: str) -> Path:
    return shipped_folder("targets").joinpath("android", "bundle", *place)


def filled(*place: str, **values: object) -> str:
    """The template's text with `$name` replaced. Every name in it must be among `values`."""
    return Template(template(*place).read_text(encoding="utf-8")).substitute({k: str(v) for k, v in values.items()})


def api_sources() -> tuple[tuple[str, Path], ...]:
    """The Java API: names below `src/main/java`, and files, in name order."""
    root = template("java")
    return tuple((path.relative_to(root).as_posix(), path) for path in sorted(root.rglob("*.java")))


def kotlin_list(words: tuple[str, ...]) -> str:
    return ", ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"' for word in words)
