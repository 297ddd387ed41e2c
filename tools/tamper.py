"""Touch a signed bundle in many small ways and see that `verify` finds and names each: what a signature is for.

    python tools/tamper.py BUNDLE PUBLIC_KEY [--count 10000] [--seed 1]

Works on a copy. Prints a line a kind: tried, found, named (a finding has the name of the file that was touched).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgeshrink.bundle.signing.verify import verify
from edgeshrink.core.plain import plain

_MOST_BYTES = 256 << 20
_CONTROL_EVERY = 500
_NAMES = (
    ".gitignore", ".gitattributes", ".git/config", ".git/hooks/post-checkout", ".github/workflows/run.yml", ".hidden",
    ".DS_Store", "__pycache__/loader.pyc", "Thumbs.db", "model/more.gguf", "model/.lock", "signature/model.sig.bak",
    "signature/.half", "signature/model.sig2", "signature/sub/claims.json", "a b.txt", "line\nbreak", "\u202egnp.txt",
    "-rf", "con\x1b[2Jtrol",
)  # fmt: skip


@dataclass(frozen=True)
class Touched:
    """`name` was touched; a finding must have one of `names`. `lying` is to be cleared away before restoring."""

    name: str
    names: tuple[str, ...] = ()
    lying: tuple[str, ...] = ()


@dataclass
class Tally:
    tried: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)


class Victim:
    """A copy of a bundle that can be made whole again."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.folders = sorted({"/".join(name.split("/")[:-1]) for name in self.files} - {""})

    def pick(self, *, filled: bool = False) -> str:
        return self.rng.choice([name for name, content in self.files.items() if content or not filled])

    def restore(self, touched: Touched) -> None:
        for name in (touched.name, *touched.lying):
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for name, content in self.files.items():
            path = self.folder / name
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def flip(victim: Victim) -> Touched:
    name = victim.pick(filled=True)
    content = bytearray(victim.files[name])
    content[victim.rng.randrange(len(content))] ^= victim.rng.randrange(1, 256)
    (victim.folder / name).write_bytes(content)
    return Touched(name)


def truncate(victim: Victim) -> Touched:
    name = victim.pick(filled=True)
    os.truncate(victim.folder / name, victim.rng.randrange(len(victim.files[name])))
    return Touched(name)


def lengthen(victim: Victim) -> Touched:
    name = victim.pick()
    with (victim.folder / name).open("ab") as file:
        file.write(victim.rng.choice([b"\0", b"\n", b" ", b"{}", victim.rng.randbytes(40)]))
    return Touched(name)


def swap(victim: Victim) -> Touched:
    first = victim.pick(filled=True)
    second = victim.rng.choice([name for name, content in victim.files.items() if content != victim.files[first]])
    (victim.folder / first).write_bytes(victim.files[second])
    (victim.folder / second).write_bytes(victim.files[first])
    return Touched(first, (first, second), (second,))


def add(victim: Victim) -> Touched:
    name = victim.rng.choice(_NAMES)
    if victim.rng.random() < 0.3:
        name = f"{victim.rng.choice(victim.folders)}/{name}"
    path = victim.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(victim.rng.choice([b"", b"*\n", victim.rng.randbytes(20), victim.files[victim.pick()]]))
    return Touched(name, lying=_new_folders(victim, name))


def add_folder(victim: Victim) -> Touched:
    name = victim.rng.choice([".git", "empty", "signature/empty", "model/.cache", "a/b/c", "\u202edne"])
    (victim.folder / name).mkdir(parents=True)
    return Touched(name, lying=_new_folders(victim, name))


def remove(victim: Victim) -> Touched:
    name = victim.pick()
    (victim.folder / name).unlink()
    return Touched(name)


def rename(victim: Victim) -> Touched:
    name = victim.pick()
    parent, _, last = name.rpartition("/")
    other = f"{parent}/" if parent else ""
    new = victim.rng.choice([f"{other}{last}.bak", f"{other}.{last}", f"elsewhere/{last}", f"{other}{last} "])
    return _move(victim, name, new)


def rename_case(victim: Victim) -> Touched:
    name = victim.pick()
    parent, _, last = name.rpartition("/")
    return _move(victim, name, f"{parent}/{last.swapcase()}" if parent else last.swapcase())


def rename_folder(victim: Victim) -> Touched:
    name = victim.rng.choice(victim.folders)
    new = f"{name.swapcase()}" if victim.rng.random() < 0.5 else f"{name}-old"
    return _move(victim, name, new)


def clash(victim: Victim) -> Touched:
    name = victim.pick()
    parent, _, last = name.rpartition("/")
    new = f"{parent}/{last.swapcase()}" if parent else last.swapcase()
    (victim.folder / new).write_bytes(victim.files[name])
    return Touched(new)


def link(victim: Victim) -> Touched:
    """In the file's place, to a copy of it outside: what the link leads to has the right bytes."""
    name = victim.pick()
    outside = victim.folder.parent / "outside"
    outside.write_bytes(victim.files[name])
    (victim.folder / name).unlink()
    (victim.folder / name).symlink_to(victim.rng.choice([outside, Path("/nowhere"), Path(), Path("..")]))
    return Touched(name)


def link_folder(victim: Victim) -> Touched:
    name = victim.rng.choice(victim.folders)
    outside = victim.folder.parent / "outside-folder"
    shutil.rmtree(outside, ignore_errors=True)
    (victim.folder / name).rename(outside)
    (victim.folder / name).symlink_to(outside)
    names = (name, "signature/model.sig") if name == "signature" else (name,)
    return Touched(name, names)


def pipe(victim: Victim) -> Touched:
    name = victim.pick()
    (victim.folder / name).unlink()
    os.mkfifo(victim.folder / name)
    return Touched(name)


KINDS: dict[str, tuple[int, Callable[[Victim], Touched]]] = {
    "flip a byte": (40, flip), "truncate": (6, truncate), "lengthen": (5, lengthen), "swap two": (4, swap),
    "add a file": (14, add), "add an empty folder": (4, add_folder), "remove": (8, remove), "rename": (6, rename),
    "rename, case alone": (4, rename_case), "rename a folder": (3, rename_folder), "clash": (2, clash),
    "link for a file": (2, link), "link for a folder": (1, link_folder), "pipe for a file": (1, pipe),
}  # fmt: skip


def tamper(folder: Path, key: Path, count: int, *, seed: int = 1) -> Tally:
    """Touch a copy of the signed `folder` `count` times, one thing at a time, in kinds by their weight."""
    rng, tally = random.Random(seed), Tally()
    if sum(path.stat().st_size for path in folder.rglob("*")) > _MOST_BYTES:
        raise SystemExit(f"{folder} is larger than {_MOST_BYTES >> 20} MiB: take a small bundle")
    with tempfile.TemporaryDirectory(prefix="edgeshrink-tamper-") as place:
        copy = Path(place, "bundle")
        shutil.copytree(folder, copy)
        victim = Victim(copy, rng)
        for number, kind in enumerate(_kinds(rng, count)):
            if number % _CONTROL_EVERY == 0:
                assert verify(copy, key=key).ok, "untouched, it must be as it was signed"
            touched = KINDS[kind][1](victim)
            findings = verify(copy, key=key).findings
            names = {plain(name) for name in (touched.names or (touched.name,))}
            tally.tried[kind] += 1
            tally.found[kind] += bool(findings)
            if any(
                finding.name == name or finding.name.startswith(f"{name}/") for name in names for finding in findings
            ):
                tally.named[kind] += 1
            else:
                tally.missed.append(f"{kind}: {touched.name!r}: {findings}")
            victim.restore(touched)
        assert verify(copy, key=key).ok, "untouched, it must be as it was signed"
    return tally


def _kinds(rng: random.Random, count: int) -> Iterator[str]:
    """Every kind once, then by weight."""
    yield from list(KINDS)[:count]
    yield from rng.choices(list(KINDS), [weight for weight, _ in KINDS.values()], k=max(0, count - len(KINDS)))


def _move(victim: Victim, name: str, new: str) -> Touched:
    (victim.folder / new).parent.mkdir(parents=True, exist_ok=True)
    (victim.folder / name).rename(victim.folder / new)
    return Touched(name, (name, new), (new, *_new_folders(victim, new)))


def _new_folders(victim: Victim, name: str) -> tuple[str, ...]:
    parts = name.split("/")
    parents = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
    return tuple(parent for parent in parents if parent not in victim.folders)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("key", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    started = time.monotonic()
    tally = tamper(given.bundle, given.key, given.count, seed=given.seed)
    print(f"{'kind':<22}{'tried':>8}{'found':>8}{'named':>8}")
    for kind in KINDS:
        print(f"{kind:<22}{tally.tried[kind]:>8}{tally.found[kind]:>8}{tally.named[kind]:>8}")
    sums = (sum(counts.values()) for counts in (tally.tried, tally.found, tally.named))
    print(f"{'all':<22}" + "".join(f"{count:>8}" for count in sums) + f"   {time.monotonic() - started:.1f} s")
    print(*tally.missed[:20], sep="\n")
    return 1 if tally.missed else 0


if __name__ == "__main__":
    sys.exit(main())
