"""Step: what a person gave to prefer by, apart: pairs of answers, prompts with answers, and prompts alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from edgeshrink.compress.corpus.jsonl_files import jsonl_records
from edgeshrink.compress.corpus.pairs import ANSWERS, kind_of, pair_of, prompt_of
from edgeshrink.compress.corpus.pairs_build import SOURCE
from edgeshrink.core.events import Listener
from edgeshrink.errors import DataError
from edgeshrink.evaluate.own_items import own_line
from edgeshrink.evaluate.prompted import prompt_table

GIVEN: Final = "given.jsonl"
ANSWERED: Final = "answered.jsonl"
PROMPTS: Final = "prompts.jsonl"
_COUNTS: Final = "counts.json"
_KEPT: Final = ("tools", "expected", "schema", "scorer", "choices", "max_tokens", "stop")


@dataclass(frozen=True)
class DividePairs:
    """Result: what the person's `files` hold, each line with the place of its file: GIVEN pairs, ANSWERED prompts, and
    PROMPTS alone. Counts of lines beside them."""

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    scorer: str | None
    max_tokens: int
    id: ClassVar[str] = "divide-pairs"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"files": list(self.digests)},
            "parameters": {"scorer": self.scorer, "max_tokens": self.max_tokens},
            "tools": {},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        counts = Counter({GIVEN: 0, ANSWERED: 0, PROMPTS: 0})
        outs = {name: (workdir / name).open("w", encoding="utf-8") for name in counts}
        try:
            for name, line in self._lines():
                counts[name] += 1
                outs[name].write(json.dumps(line, ensure_ascii=False) + "\n")
        finally:
            for out in outs.values():
                out.close()
        (workdir / _COUNTS).write_text(json.dumps(counts), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if not sum(divided(workdir).values()):
            raise DataError(f"{', '.join(file.name for file in self.files)}: no pairs, no answers and no prompts")

    def _lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for source, file in enumerate(self.files):
            table = prompt_table(file, scorer=self.scorer, max_tokens=self.max_tokens)
            for where, record in jsonl_records(file):
                kind, number = kind_of(record), int(where.rpartition(" ")[2])
                if kind == "pair":
                    pair_of(record, where)
                    yield GIVEN, {**record, SOURCE: source}
                elif kind is not None:
                    line = _asked(record, where)
                    own_line(json.dumps(line).encode(), table, number, open_ended=True)
                    yield (ANSWERED if kind == "answers" else PROMPTS), {**line, SOURCE: source}
                else:
                    raise DataError(
                        f"{where}: no pair of answers, and no prompt",
                        hint='a pair is {"prompt", "chosen", "rejected"}; give other text in a file of its own',
                    )


def divided(folder: Path) -> dict[str, int]:
    """Lines of GIVEN, ANSWERED and PROMPTS in a folder of DividePairs."""
    counts: dict[str, int] = json.loads((folder / _COUNTS).read_text(encoding="utf-8"))
    return counts


def _asked(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A prompt's line in the words of `own_items`; one turn stays one, so that a model without chats can be asked."""
    messages = prompt_of(record, where)
    if not messages:
        raise DataError(f"{where}: there is no prompt", hint='{"prompt": "...", "answers": ["...", "..."]}')
    turn = [message["role"] for message in messages] == ["user"] and not record.get("tools")
    prompt = {"prompt": messages[0]["content"]} if turn else {"messages": list(messages)}
    line = {**prompt, **{key: record[key] for key in _KEPT if record.get(key) is not None}}
    answers = record.get(ANSWERS)
    if answers is None:
        return line
    if not isinstance(answers, list) or not all(isinstance(one, str) and one.strip() for one in answers):
        raise DataError(f"{where}: answers is {answers!r:.80}, expected a list of texts")
    return {**line, ANSWERS: answers}
