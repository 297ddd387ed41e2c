"""What was signed beside what is there: each difference by its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from edgeshrink.core.signature import Finding


def differences(
    signed: Mapping[str, str], present: Mapping[str, str], problems: Iterable[Finding]
) -> Iterator[Finding]:
    """`signed` and `present`: sha256 by name. `problems`: what could not be hashed, as it was met."""
    folders = {"/".join(parts[:depth]) for parts in map(_parts, signed) for depth in range(1, len(parts))}
    unseen = set()
    for problem in problems:
        known = problem.name in signed or problem.name in folders
        if problem.kind == "clash":
            yield problem
        elif problem.kind == "added":  # an empty folder: what was in it is missing, if something was
            if not known:
                yield problem
        else:
            unseen.add(problem.name)
            yield problem if problem.kind != "changed" or known else Finding("added", problem.name, problem.detail)
    changed = sorted(name for name in signed.keys() & present.keys() if signed[name] != present[name])
    yield from (Finding("changed", name, "its bytes are not those that were signed") for name in changed)
    missing = [name for name in sorted(signed.keys() - present.keys()) if not _under(name, unseen)]
    by_digest: dict[str, list[str]] = {}
    for name in missing:
        by_digest.setdefault(signed[name], []).append(name)
    for name in sorted(present.keys() - signed.keys()):
        if before := by_digest.get(present[name]):
            yield Finding("renamed", name, f"renamed from {_nearest(name, before)}")
        else:
            yield Finding("added", name, "was not signed")
    yield from (
        Finding("missing", name, "was signed, and is not there") for names in by_digest.values() for name in names
    )


def _nearest(name: str, before: list[str]) -> str:
    """Take out of `before` the name that differs from `name` in case or folder alone, else the first."""
    last = _parts(name)[-1].casefold()
    chosen = next((old for old in before if _parts(old)[-1].casefold() == last), before[0])
    before.remove(chosen)
    return chosen


def _parts(name: str) -> list[str]:
    return name.split("/")


def _under(name: str, unseen: set[str]) -> bool:
    """Whether `name`, or a folder that it is in, could not be looked at and has its finding already."""
    parts = _parts(name)
    return any("/".join(parts[:depth]) in unseen for depth in range(1, len(parts) + 1))
