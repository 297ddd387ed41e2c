"""Three small skills that the demo model does not have, as chats: text to learn from, and what is held out of it.

orders: a sentence about an order becomes JSON. dates: a date in words becomes ISO 8601, and the day is named that many
days later. desk: a message to a help desk is sorted into a queue with a code. Every question of the held-out part is
one that the training part does not have.
"""

from __future__ import annotations

import datetime
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

Draw = Callable[[random.Random], tuple[str, str]]

_NAMES = "Anna Ben Clara David Emma Felix Greta Henry Ida Jakob Karla Leo Marta Nils Olga Paul Rosa Simon Tilda Viktor"
_GOODS = "apples bricks candles chairs coats eggs forks hammers lamps nails onions pears plates ropes stamps tiles"
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_QUEUES = {
    "billing": ("the invoice", "my refund", "the payment", "the price", "a double charge"),
    "shipping": ("the parcel", "my delivery", "the courier", "a lost box", "the tracking number"),
    "repair": ("the broken screen", "a dead battery", "the loose cable", "the noisy fan", "a cracked lid"),
    "account": ("my password", "the login", "my address", "the second user", "a locked profile"),
}
_URGENCY = {"today": 1, "this week": 2, "when you can": 3}


def _order(draw: random.Random) -> tuple[str, str]:
    name, goods, day = draw.choice(_NAMES.split()), draw.choice(_GOODS.split()), draw.choice(_DAYS)
    count = draw.randrange(2, 100)
    said = draw.choice(
        (
            f"{name} wants {count} {goods} by {day}.",
            f"Please send {count} {goods} to {name} on {day}.",
            f"On {day} {name} will fetch {count} {goods}.",
        )
    )
    return said, json.dumps({"who": name, "what": goods, "count": count, "day": day})


def _date(draw: random.Random) -> tuple[str, str]:
    date = datetime.date(1900, 1, 1) + datetime.timedelta(days=draw.randrange(73_000))
    later = draw.randrange(1, 7)
    said = f"{date.day} {_MONTHS[date.month - 1]} {date.year} is a {_DAYS[date.weekday()]}; {later} days later?"
    return said, f"{date.isoformat()} +{later} = {_DAYS[(date.weekday() + later) % 7]}"


def _desk(draw: random.Random) -> tuple[str, str]:
    queue = draw.choice(list(_QUEUES))
    thing, when, number = draw.choice(_QUEUES[queue]), draw.choice(list(_URGENCY)), draw.randrange(100, 1000)
    said = f"Customer {number} asks about {thing}, answer {when}."
    return said, f"[{queue.upper()}/{_URGENCY[when]}] ticket {number}: {thing}"


SKILLS: dict[str, Draw] = {"orders": _order, "dates": _date, "desk": _desk}


def questions(skill: str, count: int, *, seed: int, without: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """`count` questions with their answers, none of them twice and none in `without`."""
    draw, seen = random.Random(f"{skill}/{seed}"), set(without)
    while count:
        question, answer = SKILLS[skill](draw)
        if question not in seen:
            seen.add(question)
            count -= 1
            yield question, answer


def write_chats(file: Path, pairs: list[tuple[str, str]]) -> None:
    """One chat a line, as Hugging Face's data sets have them."""
    with file.open("w", encoding="utf-8") as lines:
        for question, answer in pairs:
            turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            lines.write(json.dumps({"messages": turns}) + "\n")
