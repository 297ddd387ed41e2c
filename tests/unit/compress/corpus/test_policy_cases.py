"""Records of cases: what is a case, which side it is on, and what is wrong with one that is none."""

from __future__ import annotations

from typing import Any

import pytest

from edgeshrink.compress.corpus.cases import NO_CALL, REFUSAL, Case, case_of
from edgeshrink.errors import DataError

_ASKED = [{"role": "user", "content": "Ring Hugo."}]
_TOOL = {"type": "function", "function": {"name": "ring", "parameters": {"properties": {"who": {"type": "string"}}}}}
_CALL = {"function": {"name": "ring", "arguments": {"who": "Hugo"}}}
_RETRIEVAL = {"question": "Who sings?", "passage": "Hugo sings."}


def _case(record: dict[str, Any]) -> Case:
    case = case_of(record, "here")
    assert case is not None
    return case


@pytest.mark.parametrize("arguments", [{"who": "Hugo"}, '{"who": "Hugo"}'])
def test_a_call_is_spelled_in_one_way_however_its_arguments_are_given(arguments: Any) -> None:
    answer = {"tool_calls": [{"id": "x", "type": "function", "function": {"name": "ring", "arguments": arguments}}]}
    case = _case({"messages": _ASKED, "tools": [_TOOL], "answer": answer, "pair": 7})
    assert (case.family, case.side, case.other_side, case.pair) == ("tools", "call", "text", "7")
    (call,) = case.answer["tool_calls"]
    assert call["function"] == {"name": "ring", "arguments": {"who": "Hugo"}}


def test_calls_of_earlier_turns_are_spelled_so_too() -> None:
    earlier = {"role": "assistant", "tool_calls": [{"function": {"name": "ring", "arguments": '{"who": "Ruth"}'}}]}
    case = _case({"messages": [*_ASKED, earlier, *_ASKED], "tools": [_TOOL], "answer": "Done."})
    assert case.messages[1]["tool_calls"][0]["function"]["arguments"] == {"who": "Ruth"}


@pytest.mark.parametrize("answer", ["I cannot.", {"content": "I cannot."}])
def test_words_are_the_other_side(answer: Any) -> None:
    case = _case({"messages": _ASKED, "tools": [_TOOL], "answer": answer})
    assert (case.side, case.pair, case.answer["content"]) == ("text", None, "I cannot.")


def test_a_question_without_an_answer_in_its_passage_is_refused_in_words_that_can_be_chosen() -> None:
    held = _case({**_RETRIEVAL, "answer": "Hugo."})
    missing = _case({**_RETRIEVAL, "answer": None})
    own = _case({**_RETRIEVAL, "answer": None, "refusal": "No idea."})
    assert [case.side for case in (held, missing, own)] == ["answer", "refusal", "refusal"]
    assert [case.answer["content"] for case in (held, missing, own)] == ["Hugo.", REFUSAL, "No idea."]
    assert held.messages[0]["content"] == "Hugo sings.\nWho sings?"


@pytest.mark.parametrize(
    "record", [{"text": "A fox."}, {"question": "Who?", "answer": "Hugo."}, {"messages": _ASKED}, ["text"]]
)
def test_what_else_can_be_learned_from_is_no_case(record: Any) -> None:
    assert case_of(record, "here") is None


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"messages": [*_ASKED, {"role": "assistant", "content": "Yes"}], "answer": "No"}, "end before the assistant"),
        ({"messages": _ASKED, "answer": "No", "pair": [1]}, "pair"),
        ({"messages": _ASKED, "answer": None}, "answer"),
        ({"messages": _ASKED, "answer": {"tool_calls": {"name": "ring"}}}, "tool_calls"),
        ({"messages": _ASKED, "answer": {"tool_calls": [{"arguments": {}}]}}, "no name"),
        ({"messages": _ASKED, "answer": {"tool_calls": [{"name": "ring", "arguments": "{"}]}}, "no JSON"),
        ({"messages": _ASKED, "answer": {"tool_calls": [{"name": "ring", "arguments": [1]}]}}, "no object"),
        ({"passage": "Hugo sings.", "answer": None}, "question"),
    ],
)
def test_a_wrong_case_is_refused_with_its_place_and_what_a_case_is(record: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        case_of(record, "cases.jsonl, line 3")
    assert caught.value.message.startswith("cases.jsonl, line 3")
    assert caught.value.hint


def test_a_lonely_case_has_a_stand_in_of_the_other_side_unless_nothing_could_be_called() -> None:
    call = _case({"messages": _ASKED, "tools": [_TOOL], "answer": {"tool_calls": [_CALL]}}).stand_in()
    text = _case({"messages": _ASKED, "tools": [_TOOL], "answer": "No."}).stand_in()
    held, missing = (_case({**_RETRIEVAL, "answer": answer}).stand_in() for answer in ("Hugo.", None))
    assert call == {"role": "assistant", "content": NO_CALL}
    assert text is not None and text["tool_calls"][0]["function"] == {"name": "ring", "arguments": {}}
    assert held is not None and held["content"] == REFUSAL
    assert missing is not None and missing["content"].startswith("Hugo sings.")
    assert _case({"messages": _ASKED, "answer": "No."}).stand_in() is None
