"""A template in a child process renders as in this one, and its end is in our hands."""

from __future__ import annotations

import sys

import pytest

from edgeshrink.errors import DataError
from edgeshrink.runtimes.chat import render_chat
from edgeshrink.runtimes.chat_bounded import render_chat_bounded, render_chats_bounded

TEMPLATE = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
NESTED = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
MESSAGES = [{"role": "user", "content": "Grüß dich, 世界 ☃"}]


def test_it_renders_what_the_plain_function_renders() -> None:
    found = render_chat_bounded(TEMPLATE, MESSAGES, bos_token="<s>")
    assert found == render_chat(TEMPLATE, MESSAGES, bos_token="<s>") == "<s>[user] Grüß dich, 世界 ☃"


def test_a_template_without_an_end_is_stopped() -> None:
    with pytest.raises(DataError, match=r"the chat template was stopped: .*did not finish in 1\.5 s"):
        render_chat_bounded(NESTED, MESSAGES, timeout_s=1.5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory")
def test_a_template_that_wants_all_memory_is_refused() -> None:
    with pytest.raises(DataError, match="chat template"):
        render_chat_bounded("{{ 'x' * 30000000000 }}", MESSAGES)


def test_a_prompt_without_measure_is_refused() -> None:
    with pytest.raises(DataError, match="20000000 characters"):
        render_chat_bounded("{{ 'x' * 20000000 }}", MESSAGES)


def test_one_refusal_leaves_the_other_calls_alone() -> None:
    template = "{% if not messages %}{{ raise_exception('say something') }}{% endif %}{{ messages[0].content }}"
    refused, text = render_chats_bounded(template, [{"messages": []}, {"messages": MESSAGES}])
    assert isinstance(refused, DataError) and "say something" in refused.message
    assert text == "Grüß dich, 世界 ☃"
