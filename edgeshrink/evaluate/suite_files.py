"""Which suite is meant: a ready one, a file of the person's own, a benchmark's file, or tasks of a harness."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgeshrink.catalog.toml import read_toml
from edgeshrink.core.suite import FamilyPlan, Suite, TextPlan
from edgeshrink.errors import DataError, UsageError
from edgeshrink.evaluate.own_items import own_table
from edgeshrink.evaluate.slices.registry import ASKING, READING, asking
from edgeshrink.evaluate.suite_joining import joined, refuse_doubles
from edgeshrink.evaluate.suite_tables import OwnTable, SuiteTable, TextTable

READY = ("quick", "standard", "full")
HARNESS = "lm-eval:"
HARNESS_ITEMS = 500
MOST_OWN_ITEMS = 400
"""Of one file in the first look, where nobody says: enough for an interval of 5 points."""
LOOKS = 3
_FOLDER = Path(__file__).parent / "suites"
_FORMS = f"{', '.join(READY)}, FILE.toml, FILE.jsonl, a BFCL file or {HARNESS}TASK; several are joined by commas"
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_TASK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,+-]*")


def load_suite(text: str | Sequence[str], *, folder: Path | None = None) -> Suite:
    """The suite that `text` names, or all that it names joined into one; every file it needs is read through once.

    `folder`: where relative paths begin; the current one. The suite's own paths are absolute. UsageError: nothing is
    called so. DataError: a file is wrong (which, where, what was expected).
    """
    base = (folder or Path.cwd()).resolve()
    words = _words(text, base) if isinstance(text, str) else tuple(text)
    if not words:
        raise UsageError("no suite is named", hint=_FORMS)
    suites = [_named(word, base) for word in words]
    return suites[0] if len(suites) == 1 else joined(suites)


def _words(text: str, base: Path) -> tuple[str, ...]:
    if (base / text).is_file():
        return (text,)
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _named(word: str, base: Path) -> Suite:
    if word in READY:
        return _from_toml(_FOLDER / f"{word}.toml")
    if word.startswith(HARNESS):
        tasks = _tasks([word.removeprefix(HARNESS)], base)
        return Suite(word, harness=tasks, harness_items=HARNESS_ITEMS, folder=base)
    path = base / word
    if path.is_dir() and path != base:
        raise UsageError(f"{path} is a folder, no suite", hint=f"name a file in it: {_FORMS}")
    if not path.is_file():
        what = f"file {path}" if path.suffix or "/" in word else f"suite {word!r:.120}"
        raise UsageError(f"there is no {what}", hint=_FORMS)
    match path.suffix.lower():
        case ".toml":
            return _from_toml(path)
        case ".yaml" | ".yml":
            return Suite(path.stem, harness=_tasks([word], base), harness_items=HARNESS_ITEMS, folder=base)
        case ".json" | ".jsonl" if _is_bfcl(path):
            return Suite(path.stem, asking=(_bfcl(path),), looks=LOOKS, folder=path.parent)
        case ".json" | ".jsonl":
            return Suite(path.stem, asking=_own([OwnTable(file=path.name)], path.parent), looks=LOOKS, folder=base)
        case other:
            raise UsageError(
                f"{path} is no suite: nothing here reads {other or 'a file without an ending'}", hint=_FORMS
            )


def _from_toml(path: Path) -> Suite:
    table = read_toml(path, SuiteTable)
    start = _named(table.extends, path.parent) if table.extends else Suite(path.stem)
    for family, ask in table.ask.items():
        _known(family, ASKING, path)
        _known_options(family, ask.options, path)
    for family in table.reading or ():
        _known(family, READING, path)
    asked = {plan.family: plan for plan in start.asking}
    asked |= {name: FamilyPlan(name, ask.items, _resolved(ask.options, path.parent)) for name, ask in table.ask.items()}
    if "own" in table.ask:
        raise DataError(f"{path}: ask.own: items of your own are named by [[own]] tables")
    texts = {plan.label: plan for plan in start.texts}
    texts |= {text.label: _text(text, path) for text in table.text}
    reading = start.reading if table.reading is None else tuple(table.reading)
    harness = table.harness
    suite = Suite(
        name=table.name or path.stem,
        asking=(*asked.values(), *_own(table.own, path.parent)),
        reading=reading or (tuple(READING) if texts else ()),
        texts=tuple(texts.values()),
        text_tokens=table.text_tokens or start.text_tokens or (4096 if texts else 0),
        looks=table.looks or (start.looks if table.extends else LOOKS),
        harness=() if harness is None else _tasks(harness.tasks, path.parent),
        harness_items=None if harness is None else harness.items or HARNESS_ITEMS,
        folder=path.parent,
    )
    if not (suite.asking or suite.texts or suite.harness):
        raise DataError(f"{path}: nothing is asked and nothing is read", hint='begin with extends = "quick"')
    return suite


def _known(family: str, table: Iterable[str], path: Path) -> None:
    if family not in table:
        raise DataError(f"{path}: there is no family {family!r:.80}", hint=f"one of {', '.join(table)}")


def _known_options(family: str, options: Iterable[str], path: Path) -> None:
    known = asking(family).OPTIONS
    for name in options:
        if name not in known:
            raise DataError(f"{path}: ask.{family} has no option {name!r:.80}", hint=f"of items, {', '.join(known)}")


def _text(text: TextTable, path: Path) -> TextPlan:
    file = None if text.file is None else _file(text.file, path.parent)
    return TextPlan(text.label, text.title or text.label, file)


def _own(tables: Sequence[OwnTable], folder: Path) -> tuple[FamilyPlan, ...]:
    """One plan for all files."""
    found: list[dict[str, Any]] = []
    items = 0
    for table in tables:
        file = _file(table.file, folder)
        name = table.name or _NO_NAME.sub("-", file.stem).strip("-.") or "items"
        given = table.model_dump(exclude={"file", "name", "items"}, exclude_none=True)
        found.append(own_table(file, name=name, folder=str(folder), **given))
        items += min(table.items or MOST_OWN_ITEMS, int(found[-1]["lines"]))
    refuse_doubles(found)
    return (FamilyPlan("own", items, {"files": found}),) if found else ()


def _bfcl(path: Path) -> FamilyPlan:
    data = path.read_bytes()
    return FamilyPlan("bfcl", min(MOST_OWN_ITEMS, data.count(b"\n") + 1), _bfcl_options([path]))


def _bfcl_options(paths: Sequence[Path]) -> dict[str, Any]:
    digests = [sha256(path.read_bytes()).hexdigest() for path in paths]
    return {"files": [str(path) for path in paths], "sha256": digests}


def _is_bfcl(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            first = json.loads(file.readline(1 << 20))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and {"question", "function"} <= first.keys()


def _tasks(tasks: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Names as they are, files by their absolute paths."""
    found = []
    for task in tasks:
        if task.endswith((".yaml", ".yml")):
            found.append(str(_file(task, folder)))
        elif _TASK.fullmatch(task):
            found.append(task)
        else:
            raise UsageError(f"{task!r:.80} is no task's name", hint="a name that lm-eval knows, or a .yaml file")
    return tuple(found)


def _file(name: str, folder: Path) -> Path:
    path = (folder / Path(name).expanduser()).resolve()
    if not path.is_file():
        raise DataError(f"{path} is not there", hint=f"named in {folder}")
    return path


def _resolved(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Options with absolute `files`, and their digests, so that changed files are asked anew."""
    if not isinstance(options.get("files"), list):
        return options
    return {**options, **_bfcl_options([_file(str(name), folder) for name in options["files"]])}
