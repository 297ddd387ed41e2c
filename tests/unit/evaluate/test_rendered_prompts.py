"""Prompts become text by the file's own template, whatever it knows of tools and system messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.errors import DataError
from edgeshrink.evaluate import rendering
from edgeshrink.evaluate.probe_lines import probes_line
from edgeshrink.evaluate.probes import Choose, Generate, Probe, Prompt
from edgeshrink.evaluate.rendering import render_probes, render_prompt

PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
KNOWS_TOOLS = "{% if tools %}TOOLS {{ tools | map(attribute='function.name') | join(',') }} {% endif %}" + PLAIN
NEEDS_TOOLS = "{% for tool in tools %}{{ tool.function.name }}{% endfor %}" + PLAIN
REFUSES_TOOLS = "{% if tools %}{{ raise_exception('no tools here') }}{% endif %}" + PLAIN
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + PLAIN
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
OFFER = 'Tools: [{"name": "get_weather", "description": "weather in a city", "arguments": ["city"]}]'
SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Rain?"}


@pytest.mark.parametrize(
    ("template", "messages", "expected"),
    [
        (KNOWS_TOOLS, (USER,), "TOOLS get_weather <user>Rain?<assistant>"),
        (PLAIN, (USER,), f"<system>{OFFER}<user>Rain?<assistant>"),
        (PLAIN, (SYSTEM, USER), f"<system>{OFFER}\nBe brief.<user>Rain?<assistant>"),
        (REFUSES_TOOLS, (USER,), f"<system>{OFFER}<user>Rain?<assistant>"),
        (NO_SYSTEM, (SYSTEM, USER), f"<user>{OFFER}\nBe brief.\n\nRain?<assistant>"),
    ],
)
def test_tools_are_given_to_a_template_that_takes_them_and_told_to_any_other(
    template: str, messages: Sequence[Any], expected: str
) -> None:
    assert render_prompt(template, Prompt(messages=tuple(messages), tools=(WEATHER,))) == expected


def test_the_offer_is_the_one_that_the_demo_model_was_trained_on() -> None:
    from edgeshrink.evaluate.slices.words.tool_catalog import TOOLS
    from tools.demo.skills.tool_decision import offer

    offered = tuple(tool.function for tool in TOOLS[:3])
    text = render_prompt(PLAIN, Prompt(messages=(USER,), tools=offered))
    assert text == f"<system>{offer(TOOLS[:3])}<user>Rain?<assistant>"


def test_a_system_message_is_left_alone_where_it_is_taken_and_folded_where_not() -> None:
    assert render_prompt(PLAIN, Prompt(messages=(SYSTEM, USER))) == "<system>Be brief.<user>Rain?<assistant>"
    assert render_prompt(NO_SYSTEM, Prompt(messages=(SYSTEM, USER))) == "<user>Be brief.\n\nRain?<assistant>"
    with pytest.raises(DataError, match="no system"):
        render_prompt(NO_SYSTEM, Prompt(messages=(SYSTEM,)))


def test_a_template_made_for_tools_alone_is_told_that_there_are_none() -> None:
    assert render_prompt(NEEDS_TOOLS, Prompt(messages=(USER,))) == "<user>Rain?<assistant>"


def test_every_probe_has_its_text_or_a_reason(tmp_path: Path) -> None:
    chat, long = Prompt(messages=(USER,)), Prompt(messages=({"role": "user", "content": "x" * 9000},))
    lines = _render(
        tmp_path, NO_SYSTEM, [[Generate(chat, 4), Generate(Prompt(text="2+2="), 4)], [Choose(long, ("a", "b"))]]
    )
    assert lines[0] == [{"text": "<user>Rain?<assistant>", "chat": True}, {"text": "2+2=", "chat": False}]
    assert "does not fit the context" in lines[1][0]["refusal"]


def test_a_template_that_can_is_asked_for_an_answer_without_thoughts(tmp_path: Path, shared_data: Path) -> None:
    template = (shared_data / "tokenizers" / "chat_templates" / "Qwen-Qwen3-0.6B.jinja").read_text(encoding="utf-8")
    ((told,),) = _render(tmp_path, template, [[Generate(Prompt(messages=(USER,)), 4)]])
    assert told["text"].endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


def test_tools_of_no_known_form_are_offered_by_name() -> None:
    odd = {"name": "f", "parameters": ["a"]}
    assert render_prompt(PLAIN, Prompt(messages=(USER,), tools=(odd,))).startswith(
        '<system>Tools: [{"name": "f", "description": "", "arguments": []}]'
    )


def test_a_file_without_a_template_refuses_chats_only(tmp_path: Path) -> None:
    lines = _render(tmp_path, None, [[Generate(Prompt(messages=(USER,)), 4), Generate(Prompt(text="a"), 4)]])
    assert lines == [[{"refusal": "the file has no chat template"}, {"text": "a", "chat": False}]]


def test_a_template_without_an_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "TIMEOUT_S", 1.0)
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    stopped = _stopped(tmp_path, endless, [[Generate(Prompt(messages=(USER,)), 4)]])
    assert stopped is not None
    assert "was stopped" in stopped


def _stopped(folder: Path, template: str | None, items: Sequence[Sequence[Probe]]) -> str | None:
    probes = folder / "probes.jsonl"
    probes.write_text("".join(probes_line(str(index), one) for index, one in enumerate(items)), encoding="utf-8")
    return render_probes(template, probes, folder / "rendered.jsonl", prompts=3, context=100, bos="<b>", eos="<e>")


def _render(folder: Path, template: str | None, items: Sequence[Sequence[Probe]]) -> list[Any]:
    assert _stopped(folder, template, items) is None
    return [json.loads(line) for line in (folder / "rendered.jsonl").read_text(encoding="utf-8").splitlines()]
