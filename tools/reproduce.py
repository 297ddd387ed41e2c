"""Bundle one build in two environments that differ in all they should not matter in, and compare every byte.

    python tools/reproduce.py BUILD --python PYTHON --python PYTHON [--rebuild] [bundle's own options]

Each PYTHON is an interpreter with edgeshrink installed (two virtual environments). The build is copied to another
folder for each, with another time zone, locale, umask, clock of its files and home; `--rebuild` has the second also
make the first's bundle again. Exit code 1 where a byte differs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_PLACES = (
    ("here", {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}, 0o022),
    ("some where else", {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "2", "PYTHONUTF8": "0"}, 0o077),
)


def bundle(python: str, build: Path, place: Path, environment: dict[str, str], umask: int, options: list[str]) -> Path:
    """A bundle of a copy of `build`, made in `place`."""
    place.mkdir()
    copy = place / "out"
    shutil.copytree(build, copy, copy_function=shutil.copyfile)
    command = [python, "-m", "edgeshrink", "bundle", copy, "-o", place / "bundle", *options]
    old = os.umask(umask)
    try:
        subprocess.run(command, check=True, cwd=place, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    finally:
        os.umask(old)
    return place / "bundle"


def payload(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of every file but those of the signature."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "signature"
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--python", action="append", required=True)
    parser.add_argument("--rebuild", action="store_true")
    given, options = parser.parse_known_args()
    if len(given.python) != 2:
        parser.error("name two interpreters")
    with tempfile.TemporaryDirectory(prefix="edgeshrink-reproduce-") as scratch:
        bundles = [
            bundle(python, given.build, Path(scratch) / name, environment, umask, options)
            for python, (name, environment, umask) in zip(given.python, _PLACES, strict=True)
        ]
        one, other = map(payload, bundles)
        differing = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
        for name in differing:
            print(f"differs: {name}")
        print(f"{len(one)} files, {sum(len(data) for _, data in one.values()):,} bytes, {len(differing)} differ")
        again = 0
        if given.rebuild:
            again = subprocess.run([given.python[1], "-m", "edgeshrink", "rebuild", bundles[0]]).returncode
    return 1 if differing or again else 0


if __name__ == "__main__":
    sys.exit(main())
