"""arm64 packages of this machine's Debian, without touching the machine's own apt."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.cache import cache_folder, kept
from lab.unavailable import Unavailable, need_programs

_ONLY_NEEDS = tuple(
    f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
)
_LIBRARY = ("lib", "zlib")
_NOT_FOLLOWED = ("libpam-modules", "libpam-runtime")
"""Packages named like libraries that pull half a system in."""


def fetch(names: Sequence[str]) -> Path:
    """A folder with the .debs of `names` and of the libraries that they need, from the cache or the mirror."""
    digest = hashlib.sha256("\n".join(names).encode() + Path(__file__).read_bytes()).hexdigest()[:12]
    return kept(cache_folder() / "debs" / digest, lambda folder: _download(names, folder))


def unpack(debs: Path, root: Path) -> None:
    """Lay the packages' files over each other in `root`; links to folders (/bin -> usr/bin) stay links."""
    for package in sorted(debs.glob("*.deb")):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as reader:
            subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", root], stdin=reader.stdout, check=True)
        if reader.returncode:
            raise Unavailable(f"{package.name} cannot be unpacked")


def _download(names: Sequence[str], folder: Path) -> None:
    need_programs(("apt-get", "apt-cache", "dpkg-deb", "tar"), "apt dpkg tar")
    state = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True)
    (state / "status").touch()
    options = [
        "APT::Architecture=arm64",
        "APT::Architectures=arm64",
        f"Dir::State::Lists={state}/lists",
        f"Dir::Cache={state}/cache",
        f"Dir::State::Status={state}/status",
        # The folder may be one that apt's own user must not enter.
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
        "Acquire::Retries=3",
    ]
    switches = [word for option in options for word in ("-o", option)]
    _apt(["apt-get", *switches, "-q", "update"], folder)
    relations = _apt(["apt-cache", *switches, "depends", "--recurse", *_ONLY_NEEDS, *names], folder)
    _apt(["apt-get", *switches, "-q", "download", *with_libraries(names, relations.splitlines())], folder)
    shutil.rmtree(state)


def with_libraries(names: Sequence[str], relations: Iterable[str]) -> list[str]:
    """`names` and every library that they need, however deep. `relations`: lines of `apt-cache depends`."""
    needs: dict[str, list[str]] = {}
    current = ""
    for line in relations:
        if not line.startswith((" ", "|")):
            current = line.strip()
            needs[current] = []
        elif "Depends:" in line:
            needs[current].append(line.partition("Depends:")[2].strip())
    wanted: list[str] = []
    queue = list(names)
    while queue:
        name = queue.pop(0)
        if name not in wanted:
            wanted.append(name)
            queue += [n for n in needs.get(name, ()) if n.startswith(_LIBRARY) and n not in _NOT_FOLLOWED]
    return wanted


def _apt(command: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise Unavailable(f"arm64 packages cannot be had: {command[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout
