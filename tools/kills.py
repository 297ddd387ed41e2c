"""Kill `apply` and `bundle` at random moments: what stands in the folder is always wholly the old or wholly the new.

    kills.py apply OLD NEW [--runs 1000] [--seed 1] [--work FOLDER]
    kills.py bundle OUT [--runs 1000]

Each run is a child forked off this process, which has everything imported already, and is killed (SIGKILL) after a
delay that is uniform over a little more than the time that a whole run takes; every second one is counted from the
moment that something new stands beside the folder, so that many fall where the folders change places. Exit code 1: a
folder was in between, or something was left behind after the run that followed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.core.bundle import BundleOptions
from edgeshrink.engine.apply import apply
from edgeshrink.engine.bundle import bundle
from edgeshrink.engine.delta import delta

_TIMED_RUNS = 5
_BEYOND = 1.05


@dataclass(frozen=True)
class Subject:
    """What is run over the folder `place`, in which `old` stands before; digests of the two states that may be."""

    run: Callable[[], object]
    place: Path
    old: Path
    old_digest: str
    new_digest: str


@dataclass(frozen=True)
class Found:
    """`between`: digests that are neither. `leftovers`: names beside the folder after a run that was let end."""

    ended: Counter[str]
    killed: int
    left_by_kills: int
    between: tuple[str, ...]
    leftovers: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.between and not self.leftovers


def tree_digest(folder: Path) -> str:
    """One sha256 over names, modes and contents of everything in `folder`; "absent" where there is none."""
    if not folder.is_dir():
        return "absent"
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b"-"
        line = (path.relative_to(folder).as_posix(), oct(path.lstat().st_mode), hashlib.sha256(content).hexdigest())
        digest.update(repr(line).encode())
    return digest.hexdigest()


def kill_at_random(subject: Subject, runs: int, seed: int) -> Found:
    """`runs` kills, each over the old folder; a whole run after every tenth and at the end."""
    chance = random.Random(seed)
    times = [_timed_over_old(subject) for _ in range(_TIMED_RUNS)]
    ended: Counter[str] = Counter()
    between, leftovers = [], set()
    killed = left_by_kills = 0
    for number in range(runs):
        _restore(subject)
        late = number % 2 == 1
        delay = chance.uniform(0, statistics.median(time[late] for time in times[-_TIMED_RUNS:]) * _BEYOND)
        killed += _forked(subject, delay, late=late) == -signal.SIGKILL
        found = tree_digest(subject.place)
        left_by_kills += bool(_beside(subject.place))
        state = {subject.old_digest: "old", subject.new_digest: "new"}.get(found)
        ended[state or "between"] += 1
        if state is None:
            between.append(found)
        if number % 10 == 9 or number == runs - 1:
            took = _timed(subject)
            times += [took] if state == "old" else []
            if tree_digest(subject.place) != subject.new_digest:
                between.append("the run that followed failed")
            leftovers |= _beside(subject.place)
    return Found(ended, killed, left_by_kills, tuple(between), tuple(sorted(leftovers)))


def _restore(subject: Subject) -> None:
    if tree_digest(subject.place) != subject.old_digest:
        shutil.rmtree(subject.place, ignore_errors=True)
        shutil.copytree(subject.old, subject.place)


def _beside(place: Path) -> set[str]:
    return {path.name for path in place.parent.iterdir() if path != place}


def _timed_over_old(subject: Subject) -> tuple[float, float]:
    _restore(subject)
    return _timed(subject)


def _timed(subject: Subject) -> tuple[float, float]:
    """Seconds of a whole run, over what stands there, and of the part of it that starts with its first file."""
    start = time.perf_counter()
    child = _child(subject.run)
    first = _wait_for_staging(subject.place, child) - start
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        raise SystemExit("a run that nobody killed failed")
    whole = time.perf_counter() - start
    return whole, whole - first


def _wait_for_staging(place: Path, child: int) -> float:
    """When something stood beside the folder, or the child was done."""
    before = _beside(place)
    while not _beside(place) - before and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.0005)
    return time.perf_counter()


def _forked(subject: Subject, delay: float, *, late: bool) -> int:
    """The exit code of a run that is killed after `delay` seconds, `late`: from its first file on."""
    child = _child(subject.run)
    if late:
        _wait_for_staging(subject.place, child)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)  # not waited for yet: the number is still its own
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _child(run: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with contextlib.suppress(Exception):
                run()
                code = 0
        finally:
            os._exit(code)
    return child


@contextlib.contextmanager
def applying(old: Path, new: Path, work: Path) -> Iterator[Subject]:
    """`apply` of the patch between two builds, in place."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        place, kept, patch = (Path(folder, name) for name in ("in/build", "old", "patch"))
        shutil.copytree(old, kept)
        place.parent.mkdir()
        shutil.copytree(old, place)
        delta(old, new, patch)
        apply(patch, place, unsigned=True)  # everything is imported now, and the new folder's modes are those of apply
        subject_new = tree_digest(place)
        yield Subject(lambda: apply(patch, place, unsigned=True), place, kept, tree_digest(kept), subject_new)


@contextlib.contextmanager
def bundling(out: Path, work: Path) -> Iterator[Subject]:
    """`bundle` of a build over an older bundle of it."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        place, kept = Path(folder, "in/bundle"), Path(folder, "old")

        def make(where: Path, version: str) -> None:
            bundle(out, where, BundleOptions(version=version), seal=None, accept_verdict=True)

        make(kept, "1.0.0")
        make(place, "1.0.1")
        yield Subject(lambda: make(place, "1.0.1"), place, kept, tree_digest(kept), tree_digest(place))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("apply", "bundle"))
    parser.add_argument("builds", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=None)
    given = parser.parse_args()
    work = given.work or Path(tempfile.gettempdir())
    with applying(*given.builds, work) if given.verb == "apply" else bundling(*given.builds, work) as subject:
        start = time.perf_counter()
        found = kill_at_random(subject, given.runs, given.seed)
    took = time.perf_counter() - start
    print(f"{given.verb}: {given.runs} runs in {took:.0f} s, {found.killed} killed while they ran")
    print(f"  ended old {found.ended['old']}, new {found.ended['new']}, in between {found.ended['between']}")
    for what, count in Counter(found.between).items():
        print(f"  neither the old nor the new, {count} times: {what}")
    print(f"  kills that left something beside the folder: {found.left_by_kills}; after the next whole run: ", end="")
    print(", ".join(found.leftovers) or "nothing")
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main())
