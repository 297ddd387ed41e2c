"""The loader in Python and the other texts of a laptop's bundle, as they ship: `targets/laptop-cpu/bundle`.

The loader imports nothing of edgeshrink, and its imports are relative: it works under any package's name.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

from edgeshrink.catalog.data import shipped_folder


def loader_files() -> dict[str, bytes]:
    """Name -> content of every file of the package, `py.typed` among them, in name order."""
    folder = _folder() / "loader"
    paths = sorted((*folder.glob("*.py"), folder / "py.typed"))
    return {path.name: path.read_bytes() for path in paths}


def launcher() -> bytes:
    """A program for the shell, in `bin/` beside `python/`."""
    return (_folder() / "launcher.sh").read_bytes()


def readme(*parts: str, **values: str) -> str:
    """README.md of the named parts, one after the other."""
    texts = (_folder() / "readme" / f"{part}.md" for part in parts)
    return "".join(Template(text.read_text(encoding="utf-8")).substitute(values) for text in texts)


def _folder() -> Path:
    return shipped_folder("targets") / "laptop-cpu" / "bundle"
