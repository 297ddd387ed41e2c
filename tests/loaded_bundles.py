"""The shipped Python loader as a bundle's package, run in processes of its own, as an app runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.bundle.laptop.loader import loader_files

DEMO_CHAT_STOP = 1
"""The id of <|end|> in the demo model's vocabulary."""


def write_loader(folder: Path, name: str = "loader_under_test") -> Path:
    """The package `name` in `folder`, without a bundle of its own; `folder` for the path."""
    for file, content in loader_files().items():
        place = folder / name / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


@dataclass(frozen=True)
class Python:
    """An interpreter, what it finds modules in, and the folder in which digests are remembered."""

    program: Path
    path: tuple[Path, ...]
    memory: Path

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(map(str, self.path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "EDGESHRINK_BUNDLE_CACHE": str(self.memory),
        }

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=cwd,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def said(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """What it writes to stdout; stderr must stay empty."""
        done = self.run(*arguments, cwd=cwd)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr[-2000:]
        return done.stdout


def fresh_environment(folder: Path, memory: Path) -> Python:
    """A new virtual environment that finds the engines of this one, but nothing that this one has as editable."""
    venv.create(folder, with_pip=False, symlinks=True)
    program = folder / "bin" / "python"
    found = subprocess.run(
        [program, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    here = sysconfig.get_path("purelib")
    (Path(found.stdout.strip()) / "engines.pth").write_text(f"{here}\n")
    return Python(program, (), memory)


def install(wheel: Path, into: Python) -> None:
    """As `pip install ./x.whl` does, without looking for dependencies."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", into.program, "install", "--no-deps", "--no-index", "--quiet", wheel],
        env={
            **os.environ,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
