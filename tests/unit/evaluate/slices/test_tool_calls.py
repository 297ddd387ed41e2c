from __future__ import annotations

import random

import pytest

from edgeshrink.evaluate.slices.call_spellings import Call
from edgeshrink.evaluate.slices.thoughts import without_thoughts
from edgeshrink.evaluate.slices.tool_calls import LIMIT, Heard, hear

NAMES = {"get_weather", "math.factorial"}
ROME = Call("get_weather", {"city": "Rome"})
JSON = '{"name": "get_weather", "arguments": {"city": "Rome"}}'


@pytest.mark.parametrize(
    "text",
    [
        JSON,
        f"  \n{JSON}\n",
        '{"name": "get_weather", "parameters": {"city": "Rome"}}',
        '{"tool": "get_weather", "args": {"city": "Rome"}}',
        '{"name": "functions.get_weather", "input": {"city": "Rome"}}',
        '{"type": "function", "function": {"name": "get_weather", "arguments": "{\\"city\\": \\"Rome\\"}"}}',
        f'{{"tool_calls": [{JSON}]}}',
        f"[{JSON}]",
        '{"get_weather": {"city": "Rome"}}',
        '[{"get_weather": {"city": "Rome"}}]',
        f"<tool_call>\n{JSON}\n</tool_call>",
        f"<tool_call>\n{JSON}",
        f"Let me look.\n<tool_call>{JSON}</tool_call>\nOne moment.",
        f"<|tool_calls_start|><|tool_call_start|>[{JSON}]<|tool_call_end|>",
        f"[TOOL_CALLS] [{JSON}]",
        '[TOOL_CALLS]get_weather[ARGS]{"city": "Rome"}',
        f"<|python_tag|>{JSON}",
        f"```json\n{JSON}\n```",
        f"```\n{JSON}\n```\nThat should do.",
        f"I look it up:\n\n```json\n{JSON}\n```",
        f"I look it up:\n{JSON}",
        "[get_weather(city='Rome')]",
        'get_weather(city="Rome")',
        "[get_weather(city=Rome)]",
        "<|tool_call_start|>[get_weather(city='Rome')]<|tool_call_end|>",
        'functions.get_weather:0{"city": "Rome"}',
        'get_weather\n{"city": "Rome"}',
        '<function=get_weather>{"city": "Rome"}</function>',
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n</tool_call>",
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Rome</arg_value>\n</tool_call>",
        "<start_function_call>call:get_weather{city:<escape>Rome<escape>}<end_function_call>",
        "call:get_weather{city:Rome}",
        f"<think>\nShould I call get_time(city='Oslo')? No.\n</think>\n\n{JSON}",
    ],
)
def test_every_spelling_of_a_call_is_read(text: str) -> None:
    assert hear(text, NAMES) == Heard(True, (ROME,))


@pytest.mark.parametrize(
    "text",
    [
        f"{JSON}\n{JSON}",
        f"{JSON}; {JSON}",
        f"[{JSON}, {JSON}]",
        "[get_weather(city='Rome'), get_weather(city='Rome')]",
        f"<tool_call>{JSON}</tool_call><tool_call>{JSON}</tool_call>",
    ],
)
def test_several_calls_are_all_read(text: str) -> None:
    assert hear(text, NAMES).calls == (ROME, ROME)


@pytest.mark.parametrize(
    "text",
    [
        JSON[:-1],
        JSON[:20],
        f"{JSON}}}",
        f"{JSON} Here you are.",
        JSON.replace('"', "'"),
        '{"name": "get_weather", "arguments": ["Rome"]}',
        '{"name": "get_weather", "arguments": "Rome"}',
        '{"name": 5, "arguments": {}}',
        '{"temperature": 20}',
        '{"name": "get_weather", "arguments": {"city": NaN}}',
        f"<tool_call>{JSON[:-2]}</tool_call>",
        f"<tool_call>{JSON}</tool_call><tool_call>get</tool_call>",
        "<tool_call>",
        "[get_weather('Rome')]",
        "[get_weather(**{'city': 'Rome'})]",
        "[get_weather(city=print('Rome'))]",
        "[get_weather(city=__import__('os').getcwd())]",
        "[get_weather(city={'a', 'b'})]",
        "[get_weather(city=b'Rome')]",
        "get_weather(city='Rome",
        "call:get_weather{city:Rome",
        "call:get_weather{Rome}",
        "<tool_call><function=get_weather>Rome</function></tool_call>",
    ],
)
def test_what_begins_as_a_call_and_is_none_is_a_broken_call(text: str) -> None:
    assert hear(text, NAMES) == Heard(opened=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sorry, I have no tool for the weather.",
        "[1] says so (see below).",
        "I could use get_weather(city='Rome') but I will not.",
        "The weather in {city} is fine.",
        "Use a set: {1, 2, 3}",
        f"<think>{JSON}",
        'Such an answer looks like this:\n{"name": "another_tool", "arguments": {}}',
        "[]",
        "```python\nprint(3)\n```",
    ],
)
def test_an_answer_in_words_is_no_call(text: str) -> None:
    assert hear(text, NAMES) == Heard(opened=False)


def test_values_keep_their_types_and_names_their_dots() -> None:
    calls = hear('[math.factorial(number=-5, deep=[1, {"a": (2.5, None)}], exact=true, of=x)]', NAMES).calls
    assert calls == (Call("math.factorial", {"number": -5, "deep": [1, {"a": [2.5, None]}], "exact": True, "of": "x"}),)
    assert type(calls[0].arguments["number"]) is int
    tagged = hear("<function=f><parameter=n>3</parameter><parameter=s>3 km</parameter></function>", NAMES).calls
    assert tagged == (Call("f", {"n": 3, "s": "3 km"}),)
    bare = hear('call:get_weather{n:-3,ok:true, s:<escape>3, or {4}<escape>,t:<|"|>5<|"|>,u:a b}', NAMES).calls
    assert bare == (Call("get_weather", {"n": -3, "ok": True, "s": "3, or {4}", "t": "5", "u": "a b"}),)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "[f(a=" + "(" * 19_000,
        "[f(a=" + "-" * 19_000 + "1)]",
        "[f(a=" + "[" * 5_000 + "]" * 5_000 + ")]",
        '{"name": "f", "arguments": {"a": ' + "9" * 10_000 + "}}",
        "[f(a=" + "9" * 10_000 + ")]",
        "[f(a=1" + "+1" * 9_000 + ")]",
        "[f(a=9**9**9**9)]",
        "[f(a='\\d\ud800\x00')]",
        '{"name": "f\x00\ud800", "arguments": {}}',
        "```" * 7_000,
        "<tool_call>" * 2_000,
        "<function=f>" + "<parameter=a>" * 1_500,
        "\n{" * 10_000,
        "a" * 20_000,
        "f\n" * 10_000,
        "```" + "a" * 19_000,  # each of the next three takes ten seconds where a pattern can be matched in many ways
        "[1]\nf" + " " * 19_000 + "x",
        "f" + "<arg_key>a</arg_key><arg_value>" * 600,
        "call:f{" + "a" * 19_000 + "}",
    ],
)
def test_hostile_answers_do_no_harm(text: str) -> None:
    heard = hear(text, NAMES | {"f"})
    assert all(isinstance(call.name, str) for call in heard.calls)


def test_garbage_of_every_kind_is_heard_without_an_error() -> None:
    drawn = random.Random(5)
    pieces = [
        JSON,
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        '"',
        "'",
        "<tool_call>",
        "</tool_call>",
        "```",
        "get_weather",
        "\\",
        ",",
    ]
    for _ in range(500):
        text = "".join(drawn.choice([*pieces, chr(drawn.randrange(0x11000))]) for _ in range(drawn.randrange(12)))
        assert hear(text, NAMES).opened or not hear(text, NAMES).calls


def test_an_answer_is_cut_where_it_grows_too_long() -> None:
    assert hear(f"{' ' * LIMIT}{JSON}", NAMES) == Heard(opened=False)


def test_thoughts_are_passed_over_and_unfinished_ones_are_all_there_is() -> None:
    assert without_thoughts("<think>a</think>\n\nb<think>c</think>") == "b<think>c</think>"
    assert without_thoughts("<think>and so on") == ""
    assert without_thoughts("They begin in the prompt.\n</think>\n\nb") == "b"
    assert without_thoughts(" I think: b ") == " I think: b "
