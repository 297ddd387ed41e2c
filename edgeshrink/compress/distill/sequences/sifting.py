"""Samples through filters, one after the other, into lines that a corpus is built from; and how many fell where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeshrink.compress.distill.sequences.interface import Filter, Sample


@dataclass(slots=True)
class Sifted:
    """Not frozen: it counts. `dropped`: name of the filter that said no -> (samples, what they were)."""

    samples: int = 0
    kept: int = 0
    dropped: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """One sentence for a person."""
        told = [f"{count:,} {what}" for count, what in self.dropped.values() if count]
        dropped = f"; dropped: {', '.join(told)}" if told else ""
        return f"{self.kept:,} of {self.samples:,} answers of the teacher are learnt from{dropped}"

    def as_json(self) -> dict[str, Any]:
        return {"samples": self.samples, "kept": self.kept, "dropped": self.dropped}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Sifted:
        """What `as_json` made."""
        dropped = {str(name): (int(count), str(told)) for name, (count, told) in value["dropped"].items()}
        return cls(int(value["samples"]), int(value["kept"]), dropped)


def sift(samples: Iterable[Sample], filters: Sequence[Filter], counts: Sifted) -> Iterator[Sample]:
    """Those that all `filters` keep, in order; `counts` is told of every one. One sample is held at a time."""
    for one in filters:
        counts.dropped.setdefault(one.name, (0, one.told))
    for sample in samples:
        counts.samples += 1
        refusing = next((one for one in filters if not one.keeps(sample)), None)
        if refusing is None:
            counts.kept += 1
            yield sample
        else:
            count, told = counts.dropped[refusing.name]
            counts.dropped[refusing.name] = count + 1, told


def line_of(sample: Sample) -> str:
    """A record to learn from, JSON with its line's end: one question and its answer, which a student without a chat
    template can read, too; a longer chat with the answer as its last turn; or a text and what it goes on with."""
    record: dict[str, Any] = {"prompt": sample.text, "completion": sample.answer}
    if _is_one_turn(sample):
        record = {"prompt": sample.messages[0]["content"], "answer": sample.answer}
    elif sample.messages:
        record = {"messages": [*sample.messages, {"role": "assistant", "content": sample.answer}]}
        if sample.tools:
            record["tools"] = list(sample.tools)
    return json.dumps({**record, "id": sample.item}, ensure_ascii=False) + "\n"


def sample_of(record: Mapping[str, Any]) -> Sample:
    """Of what `line_of` wrote, for a second look."""
    item, tools = str(record["id"]), tuple(record.get("tools", ()))
    if "messages" in record:
        *messages, last = record["messages"]
        return Sample(item, tuple(messages), tools, "", str(last["content"]), finished=True)
    prompt = str(record["prompt"])
    if "answer" in record:
        return Sample(item, ({"role": "user", "content": prompt},), (), "", str(record["answer"]), finished=True)
    return Sample(item, (), (), prompt, str(record["completion"]), finished=True)


def _is_one_turn(sample: Sample) -> bool:
    return not sample.tools and [message["role"] for message in sample.messages] == ["user"]
