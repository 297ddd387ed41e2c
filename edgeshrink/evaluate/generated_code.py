"""Program text from a seeded grammar: functions in Python and C, records in JSON. Sound to read, of no use to run."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

_THINGS = (
    "user order item price total count index buffer node list key value path file line row cell table score weight "
    "token batch stream frame queue cache limit offset width height name color date tax city"
)
_DEEDS = "get set add remove find sort merge split read write parse check update compute load store send count"
_NOUNS, _VERBS = _THINGS.split(), _DEEDS.split()
_TYPES = ("int", "float", "double", "char", "size_t")
_OPERATORS = ("+", "-", "*", "//", "%")
_TESTS = ("<", ">", "==", "!=", "<=", ">=")


def code_text(random: Random, characters: int) -> str:
    """At least so many characters."""
    kinds: tuple[Callable[[Random], str], ...] = (_python, _python, _c, _json)
    parts: list[str] = []
    length = 0
    while length < characters:
        parts.append(random.choice(kinds)(random))
        length += len(parts[-1])
    return "".join(parts)


def _python(random: Random) -> str:
    names = random.sample(_NOUNS, 4)
    function = f"{random.choice(_VERBS)}_{names[0]}"
    lines = [f"def {function}({names[1]}, {names[2]}={random.randint(0, 99)}):"]
    if random.random() < 0.5:
        lines.append(f'    """{random.choice(_VERBS).capitalize()} the {names[0]} of a {names[1]}."""')
    lines.append(f"    {names[3]} = {random.choice(('[]', '0', '{}', names[2]))}")
    lines.append(f"    for {names[0]} in {names[1]}:")
    lines.append(f"        if {_expression(random, names)} {random.choice(_TESTS)} {random.randint(0, 999)}:")
    lines.append(f"            {random.choice(('continue', 'break', f'{names[2]} += 1'))}")
    for _ in range(random.randint(1, 3)):
        lines.append(f"        {random.choice(names)} = {_expression(random, names)}")
    lines.append(f"    return {names[3]}")
    return "\n".join(lines) + "\n\n\n"


def _c(random: Random) -> str:
    names, kind = random.sample(_NOUNS, 4), random.choice(_TYPES)
    lines = [f"static {kind} {random.choice(_VERBS)}_{names[0]}(const {kind} *{names[1]}, size_t {names[2]}) {{"]
    lines.append(f"    {kind} {names[3]} = {random.randint(0, 64)};")
    lines.append(f"    for (size_t i = 0; i < {names[2]}; ++i) {{")
    lines.append(f"        if ({names[1]}[i] {random.choice(_TESTS)} {random.randint(0, 255)}) {{")
    lines.append(f"            {names[3]} {random.choice(('+=', '-=', '^=', '|='))} {names[1]}[i];")
    lines.extend(("        }", "    }", f"    return {names[3]};", "}"))
    return "\n".join(lines) + "\n\n"


def _json(random: Random) -> str:
    values: tuple[Callable[[], object], ...] = (
        lambda: random.randint(0, 9999),
        lambda: round(random.uniform(0, 100), 2),
        lambda: random.random() < 0.5,
        lambda: None,
        lambda: f"{random.choice(_NOUNS)}-{random.randint(1, 99)}",
        lambda: [random.randint(0, 9) for _ in range(random.randint(1, 4))],
    )
    records = [
        {key: random.choice(values)() for key in random.sample(_NOUNS, random.randint(2, 5))}
        for _ in range(random.randint(1, 4))
    ]
    return json.dumps({f"{random.choice(_NOUNS)}s": records}, indent=2) + "\n\n"


def _expression(random: Random, names: list[str]) -> str:
    left, right = random.choice(names), random.choice((*names, str(random.randint(1, 99))))
    shape = random.randrange(4)
    if shape == 0:
        return f"{left} {random.choice(_OPERATORS)} {right}"
    if shape == 1:
        return f"{left}[{random.randint(0, 9)}]"
    if shape == 2:
        return f"{random.choice(_VERBS)}_{left}({right})"
    return f"len({left}) {random.choice(_OPERATORS)} {right}"
