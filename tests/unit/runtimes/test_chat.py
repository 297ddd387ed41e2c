from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.errors import DataError
from edgeshrink.runtimes.chat import render_chat

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a <city> & more, in °C",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CONVERSATIONS: dict[str, list[dict[str, Any]]] = {
    "one question": [{"role": "user", "content": "Wie geht's <b>dir</b>? 世界 & 'quotes' \"too\""}],
    "system and turns": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hi\n\nthere"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "  spaces  "},
    ],
    "a tool call": [
        {"role": "user", "content": "Weather in Ulm?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "a1b2c3d4e",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": {"city": "Ulm"}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "a1b2c3d4e", "name": "get_weather", "content": '{"c": 3}'},
        {"role": "user", "content": "Thanks"},
    ],
}


def templates(shared_data: Path) -> list[tuple[str, str]]:
    folder = shared_data / "tokenizers" / "chat_templates"
    found = [(file.name, file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.jinja"))]
    for line in (folder / "ollama_templates.jsonl").read_text(encoding="utf-8").splitlines():
        found += [(name, text) for name, text in json.loads(line).items() if isinstance(text, str) and "{%" in text]
    return found


def test_real_templates_render_as_in_transformers(shared_data: Path) -> None:
    reference = pytest.importorskip("transformers.utils.chat_template_utils")
    cases = list(itertools.product(CONVERSATIONS, [None, [TOOL]], [True, False]))
    compared = 0
    for name, template in templates(shared_data):
        for conversation, tools, generate in cases:
            messages = CONVERSATIONS[conversation]
            names = {"bos_token": "<s>", "eos_token": "</s>", "tools": tools, "add_generation_prompt": generate}
            try:
                (expected,), _ = reference.render_jinja_template([messages], chat_template=template, **names)
            except Exception:
                with pytest.raises(DataError):
                    render_chat(template, messages, **names)
                continue
            assert render_chat(template, messages, **names) == expected, (name, conversation, tools, generate)
            compared += 1
    assert compared > 40 * len(cases)


def test_json_in_a_prompt_is_plain() -> None:
    template = "{{ tools | tojson }}|{{ tools[0] | tojson(indent=2) }}"
    assert render_chat(template, [], tools=[{"a": "<ü>"}]) == '[{"a": "<ü>"}]|{\n  "a": "<ü>"\n}'


def test_loop_controls_and_generation_marks_are_understood() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
        "{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
    )
    messages = [{"role": "system", "content": "no"}, {"role": "assistant", "content": "yes"}]
    assert render_chat(template, messages) == "yes"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append({}) }}",
        "{{ raise_exception.__globals__.keys() }}",
        "{% set ns = namespace(__class__=1) %}",
        "{% set ns = namespace() %}{% set ns.__init__ = 1 %}",
        "{{ dict.__globals__.keys() }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ range(10000000) | list }}",
    ],
)
def test_a_template_cannot_leave_the_sandbox(template: str) -> None:
    with pytest.raises(DataError):
        text = render_chat(template, [{"role": "user", "content": "x"}])
        pytest.fail(f"rendered {text!r}")


def test_a_template_can_refuse_with_its_own_words() -> None:
    with pytest.raises(DataError, match="roles must alternate"):
        render_chat("{{ raise_exception('roles must alternate') }}", [])


def test_broken_syntax_names_the_line() -> None:
    with pytest.raises(DataError, match="line 2"):
        render_chat("ok\n{% if %}", [])
