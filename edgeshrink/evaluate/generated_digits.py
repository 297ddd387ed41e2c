"""Text that is mostly digits, seeded: sums, dates, tables, identifiers, measures. Sums are right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

_WARES = ["nails", "screws", "boards", "bricks", "pipes", "lamps", "cables", "tiles", "doors", "locks"]
_UNITS = ("kg", "m", "cm", "km", "l", "W", "V", "°C", "s")


def digits_text(random: Random, characters: int) -> str:
    """At least so many characters."""
    kinds: tuple[Callable[[Random], str], ...] = (_sums, _dates, _table, _identifiers, _measures)
    parts: list[str] = []
    length = 0
    while length < characters:
        parts.append(random.choice(kinds)(random) + "\n")
        length += len(parts[-1])
    return "".join(parts)


def _sums(random: Random) -> str:
    lines = []
    for _ in range(random.randint(2, 6)):
        a, b = sorted((random.randint(0, 999), random.randint(0, 999)), reverse=True)
        sign, result = random.choice((("+", a + b), ("-", a - b)))
        lines.append(f"{a}{sign}{b}={result}\n")
    return "".join(lines)


def _dates(random: Random) -> str:
    day = date(random.randint(1900, 2099), 1, 1) + timedelta(days=random.randrange(365))
    lines = []
    for _ in range(random.randint(2, 5)):
        day += timedelta(days=7)
        lines.append(f"{day.isoformat()} {random.randrange(24):02}:{random.randrange(60):02}\n")
    return "".join(lines)


def _table(random: Random) -> str:
    lines = ["item | count | price | total\n"]
    for ware in random.sample(_WARES, random.randint(2, 5)):
        count, cents = random.randint(1, 99), random.randint(10, 9999)
        total = count * cents
        lines.append(f"{ware} | {count} | {cents / 100:.2f} | {total / 100:.2f}\n")
    return "".join(lines)


def _identifiers(random: Random) -> str:
    shapes: tuple[Callable[[], str], ...] = (
        lambda: f"{random.getrandbits(32):08x}-{random.getrandbits(16):04x}",
        lambda: f"+{random.randint(1, 99)} {random.randint(100, 999)} {random.randint(10**6, 10**7 - 1)}",
        lambda: ".".join(str(random.randrange(256)) for _ in range(4)),
        lambda: f"No. {random.randint(10**7, 10**8 - 1)}",
    )
    shape = random.choice(shapes)
    return "".join(f"{shape()}\n" for _ in range(random.randint(2, 5)))


def _measures(random: Random) -> str:
    unit, value = random.choice(_UNITS), random.uniform(1, 500)
    step = random.randint(1, 9)
    return ", ".join(f"{value + step * index:.1f} {unit}" for index in range(random.randint(3, 7))) + "\n"
