"""The store on disk.

<root>/steps/<key>/result/...   what the step wrote
<root>/steps/<key>/step.json    what the key was made of, digests of the result, when and how long
<root>/work/<key>.<random>/     being written; renamed into steps/ when whole
<root>/unfinished/<key>/        the same, of a step that resumes: it stays where the run is broken off
<root>/locks/<key>.lock         one writer per key; a second build waits and takes the result
<root>/notes/*.json             small facts
<root>/runs/*.jsonl             what each run decided, for `edgeshrink cache why`
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from edgeshrink.core.digests import combined_sha256
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.step import Step
from edgeshrink.errors import NO_SPACE, Error, NoSpace, UsageError
from edgeshrink.store.digests import file_sha256
from edgeshrink.store.keys import canonical_json, differences, key_of, step_parts
from edgeshrink.store.notes import Notes

_KEPT_RUNS = 20


def store_root() -> Path:
    """EDGESHRINK_CACHE, else the user's cache folder."""
    given = os.environ.get("EDGESHRINK_CACHE")
    return Path(given).expanduser().absolute() if given else user_cache_path("edgeshrink", appauthor=False)


@dataclass(frozen=True, slots=True)
class Stored:
    """A whole result: `digests` maps each file's name, relative to `folder`, to its sha256."""

    key: str
    step: str
    folder: Path
    digests: Mapping[str, str] = field(repr=False)
    made_at: str
    seconds: float
    nbytes: int

    @property
    def digest(self) -> str:
        """Of all files together."""
        return combined_sha256(self.digests.items())

    def file(self, name: str) -> Path:
        return self.folder / name


@dataclass(frozen=True, slots=True)
class Decision:
    """What the store did for one step, and why."""

    step: str
    key: str
    reused: bool
    why: str


class Store:
    """Results by key. Safe for several builds at once; every public method may be called again after a crash."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root if root is not None else store_root()
        for name in ("steps", "work", "unfinished", "locks", "notes", "runs", "logs"):
            try:
                (self.root / name).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._unwritable(error) from error
        self.notes = Notes(self.root / "notes")
        self.decisions: list[Decision] = []
        self._run = self.root / "runs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}.jsonl"

    def log_file(self, name: str) -> Path:
        """Where a library may write what it says meanwhile; a failed step leaves it behind to be read."""
        return self.root / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}-{name}"

    def find(self, key: str) -> Stored | None:
        """The whole result of that key. One whose files are gone or have another size counts as absent."""
        folder = self.root / "steps" / key
        try:
            meta = json.loads((folder / "step.json").read_text(encoding="utf-8"))
            sizes = {name: (folder / "result" / name).stat().st_size for name in meta["files"]}
        except (OSError, ValueError, KeyError):
            return None
        if any(sizes[name] != entry["bytes"] for name, entry in meta["files"].items()):
            return None
        return Stored(
            key=key,
            step=meta["parts"]["step"],
            folder=folder / "result",
            digests={name: entry["sha256"] for name, entry in meta["files"].items()},
            made_at=meta["made_at"],
            seconds=meta["seconds"],
            nbytes=sum(sizes.values()),
        )

    def run(self, step: Step, listener: Listener = silent, *, again: bool = False) -> Stored:
        """The result of `step`: from the store, or made now. `again` makes it anew and replaces the stored one."""
        parts = step_parts(step)
        key = key_of(parts)
        if not again and (found := self.find(key)):
            self._decide(Decision(step.id, key, True, "same inputs, parameters and tools as before"))
            return found
        step.requires()
        with self._locked(key):
            if not again and (found := self.find(key)):
                self._decide(Decision(step.id, key, True, "another build made it while this one waited"))
                return found
            why = "asked for anew" if again else self._why_missing(parts)
            self._decide(Decision(step.id, key, False, why))
            return self._make(step, parts, key, listener)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While a build runs: garbage collection leaves the store alone."""
        with self._locked("gc"):
            mine = FileLock(self._run.with_suffix(".lock"))
            mine.acquire()
        try:
            yield
        finally:
            mine.release()
            Path(mine.lock_file).unlink(missing_ok=True)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        lock = FileLock(self.root / "locks" / f"{name}.lock")
        try:
            lock.acquire()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(
            f"cannot write to the store {self.root}: {error.strerror}",
            hint="point EDGESHRINK_CACHE at a folder that you can write to",
        )

    def _make(self, step: Step, parts: Mapping[str, Any], key: str, listener: Listener) -> Stored:
        with self._workdir(key, resumes=getattr(step, "resumes", False)) as work:
            result = work / "result"
            result.mkdir(exist_ok=True)
            started = time.perf_counter()
            step.call(result, listener)
            step.ensures(result)
            seconds = time.perf_counter() - started
            files = {
                path.relative_to(result).as_posix(): {"sha256": file_sha256(path), "bytes": path.stat().st_size}
                for path in sorted(result.rglob("*"))
                if path.is_file()
            }
            meta = {
                "parts": parts,
                "files": files,
                "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(seconds, 3),
            }
            (work / "step.json").write_text(canonical_json(meta) + "\n", encoding="utf-8")
            final = self.root / "steps" / key
            if final.exists():
                shutil.rmtree(final)
            work.rename(final)
        stored = self.find(key)
        if stored is None:
            raise Error(f"the store lost the result of {step.id} at {final}", hint="run again; look at the disk")
        return stored

    @contextmanager
    def _workdir(self, key: str, *, resumes: bool) -> Iterator[Path]:
        if resumes:
            work = self.root / "unfinished" / key
            work.mkdir(exist_ok=True)
        else:
            prefix = f"{key[:16]}."
            for leftover in (self.root / "work").glob(f"{prefix}*"):  # of a killed build: this one holds the key's lock
                shutil.rmtree(leftover, ignore_errors=True)
            work = Path(tempfile.mkdtemp(dir=self.root / "work", prefix=prefix))
        try:
            yield work
        except OSError as error:
            if error.errno in NO_SPACE:
                raise NoSpace(
                    f"the disk of the store {self.root} is full",
                    hint="free some space (`edgeshrink cache gc`), or move the store with EDGESHRINK_CACHE",
                ) from error
            raise
        finally:
            if not resumes:
                shutil.rmtree(work, ignore_errors=True)

    def _why_missing(self, parts: Mapping[str, Any]) -> str:
        """The nearest stored result of the same step, and in what it differs."""
        nearest: list[str] | None = None
        for meta in self._metas():
            if meta["parts"].get("step") != parts["step"]:
                continue
            changed = list(differences(meta["parts"], parts))
            if not changed:
                return "its stored files are gone or damaged"
            if nearest is None or len(changed) < len(nearest):
                nearest = changed
        if nearest is None:
            return "never made before"
        shown = "; ".join(nearest[:3])
        return shown if len(nearest) <= 3 else f"{shown}; and {len(nearest) - 3} more"

    def _metas(self) -> Iterator[dict[str, Any]]:
        for path in sorted((self.root / "steps").glob("*/step.json")):
            try:
                yield json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue

    def _decide(self, decision: Decision) -> None:
        self.decisions.append(decision)
        line = {"step": decision.step, "key": decision.key, "reused": decision.reused, "why": decision.why}
        # A store that everything is found in may be read-only: then `cache why` has nothing to tell.
        with suppress(OSError), self._run.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def entries(self) -> tuple[Stored, ...]:
        """All whole results, oldest first."""
        keys = (path.name for path in (self.root / "steps").iterdir())
        found = [stored for key in keys if (stored := self.find(key))]
        return tuple(sorted(found, key=lambda stored: (stored.made_at, stored.key)))

    def last_run(self) -> tuple[Decision, ...]:
        """What the newest run that used the store decided, this one left out."""
        runs = sorted(path for path in (self.root / "runs").glob("*.jsonl") if path != self._run)
        if not runs:
            return ()
        lines = runs[-1].read_text(encoding="utf-8").splitlines()
        return tuple(Decision(**json.loads(line)) for line in lines if line.endswith("}"))

    def collect_garbage(self, *, keep_days: float, dry_run: bool = False) -> tuple[int, int]:
        """Remove results not made in the last `keep_days`, and what killed builds left; (entries, bytes) removed.

        Unfinished work that a later run would go on from is kept as long as a result.

        UsageError while a build uses the store: a result that it stands on must not go.
        """
        with self._locked("gc"):
            if self._builds_run():
                raise UsageError("a build is using the store: nothing was removed", hint="run this when it is done")
            oldest = datetime.now(UTC).timestamp() - keep_days * 86400
            old = [entry for entry in self.entries() if datetime.fromisoformat(entry.made_at).timestamp() <= oldest]
            going = [entry.folder.parent for entry in old] + list((self.root / "work").iterdir())
            going += [work for work in (self.root / "unfinished").iterdir() if _newest(work) <= oldest]
            freed = sum(file.stat().st_size for folder in going for file in folder.rglob("*") if file.is_file())
            if not dry_run:
                for folder in going:
                    shutil.rmtree(folder)
                logs = sorted((self.root / "runs").glob("*.jsonl")), sorted((self.root / "logs").glob("*.log"))
                for log in (path for kind in logs for path in kind[:-_KEPT_RUNS]):
                    log.unlink(missing_ok=True)
        return len(going), freed

    def _builds_run(self) -> bool:
        """Whether a living process holds a run's lock; what dead ones left is taken away."""
        for path in (self.root / "runs").glob("*.lock"):
            try:
                with FileLock(path, timeout=0):
                    pass
            except Timeout:
                return True
            path.unlink(missing_ok=True)
        return False


def _newest(folder: Path) -> float:
    """When anything in it was written last, seconds since the epoch."""
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
