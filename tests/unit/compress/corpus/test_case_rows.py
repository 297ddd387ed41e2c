"""Cases as rows of tokens: where they decide, by templates of real models and by the demo's, which knows no tools."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from edgeshrink.compress.corpus.case_encoding import CaseEncoder, Row
from edgeshrink.compress.corpus.cases import Case, case_of
from edgeshrink.compress.corpus.encoding import Encoder
from edgeshrink.compress.corpus.tool_manners import Manners
from edgeshrink.errors import DataError

_WEIGHT = 9
_ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Ring Hugo."}]
_TOOL = {
    "type": "function",
    "function": {
        "name": "ring",
        "description": "Rings somebody",
        "parameters": {"type": "object", "properties": {"who": {"type": "string"}}},
    },
}
_CALL = {"tool_calls": [{"function": {"name": "ring", "arguments": {"who": "Hugo"}}}]}


def _case(answer: object) -> Case:
    case = case_of({"messages": _ASKED, "tools": [_TOOL], "answer": answer, "pair": 1}, "here")
    assert case is not None
    return case


@pytest.fixture(scope="module")
def plain(demo_model: Path) -> Encoder:
    return Encoder.open(demo_model, "all")


def _of(encoder: Encoder, template: str) -> CaseEncoder:
    return CaseEncoder.of(replace(encoder, vocabulary=replace(encoder.vocabulary, chat_template=template)), _WEIGHT)


def _rows(encoder: CaseEncoder) -> tuple[Row, Row]:
    call, text = _case(_CALL), _case("Hugo is asleep.")
    first, second = encoder.encode([(call, text.answer), (text, call.answer)])
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    return first, second


def test_one_token_decides_and_the_answer_behind_it_counts_once(plain: Encoder, demo_model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(demo_model / "tokenizer.json"))
    template = plain.vocabulary.chat_template
    assert template is not None
    for row, begins, said in zip(
        _rows(_of(plain, template)),
        ('{"', "H"),
        ('{"name": "ring", "arguments": {"who": "Hugo"}}<|end|>', "Hugo is asleep.<|end|>"),
        strict=True,
    ):
        learned = [place for place, weight in enumerate(row.weights) if weight]
        assert tokenizer.decode([row.ids[place] for place in learned], skip_special_tokens=False) == said
        assert [row.weights[place] for place in learned] == [_WEIGHT] + [1] * (len(learned) - 1)
        assert row.decision is not None
        assert row.decision.ids == row.ids[: learned[0]]
        assert row.decision.prefix == 0
        assert str(tokenizer.id_to_token(row.ids[learned[0]])).startswith(begins)
        offered = tokenizer.decode(row.decision.ids, skip_special_tokens=False)
        assert json.dumps([{"name": "ring", "description": "Rings somebody", "arguments": ["who"]}]) in offered
        assert "Be brief.<|end|>" in offered


def test_what_opens_a_call_is_told_from_what_opens_words_on_both_sides(plain: Encoder) -> None:
    assert plain.vocabulary.chat_template is not None
    call, text = (row.decision for row in _rows(_of(plain, plain.vocabulary.chat_template)))
    assert call is not None
    assert text is not None
    assert (call.opens, call.other) == (text.opens, text.other)
    assert (call.is_first, text.is_first) == (True, False)


@pytest.mark.parametrize(
    ("name", "manners", "opens"),
    [
        ("Qwen-Qwen3-0.6B", Manners(tools=True, calls=True, system=True), "<tool_call>"),
        ("mistralai-Mistral-Nemo-Instruct-2407", Manners(tools=True, calls=True, system=True), "[TOOL_CALLS]"),
        ("meta-llama-Llama-3.1-8B-Instruct", Manners(tools=True, calls=True, system=True), '{"name"'),
        ("google-gemma-2-2b-it", Manners(tools=False, calls=False, system=False), '{"name"'),
        ("Qwen-QwQ-32B", Manners(tools=True, calls=True, system=True), "<tool_call>"),
    ],
)
def test_templates_of_real_models_decide_where_a_call_and_words_part(
    plain: Encoder, demo_model: Path, shared_data: Path, name: str, manners: Manners, opens: str
) -> None:
    template = (shared_data / "tokenizers" / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    encoder = _of(plain, template)
    assert encoder.manners == manners
    tokenizer = Tokenizer.from_file(str(demo_model / "tokenizer.json"))
    for row, begins in zip(_rows(encoder), (opens, "Hugo"), strict=True):
        assert row.decision is not None
        rest = str(tokenizer.decode(row.ids[len(row.decision.ids) :], skip_special_tokens=False))
        assert rest.lstrip().startswith(begins)
        assert row.weights[len(row.decision.ids)] == _WEIGHT
        assert not any(row.weights[: len(row.decision.ids) - row.decision.prefix])
        assert "Ring Hugo." in str(tokenizer.decode(row.decision.ids, skip_special_tokens=False))


def test_a_thought_that_both_sides_begin_with_decides_nothing(plain: Encoder, demo_model: Path) -> None:
    template = (
        "{% for message in messages %}<|{{ message.role }}|>"
        "{{ '(thinks) ' if message.role == 'assistant' }}{{ message.content }}<|end|>{% endfor %}"
        "{{ '<|assistant|>' if add_generation_prompt }}"
    )
    tokenizer = Tokenizer.from_file(str(demo_model / "tokenizer.json"))
    for row in _rows(_of(plain, template)):
        assert row.decision is not None
        begun = tokenizer.decode(list(row.decision.begun), skip_special_tokens=False)
        assert begun.startswith("(thinks)")
        assert row.weights[len(row.decision.ids) - 1 : len(row.decision.ids) + 1] == [1, _WEIGHT]


def test_a_case_alike_on_both_sides_decides_nothing(plain: Encoder) -> None:
    assert plain.vocabulary.chat_template is not None
    case = _case("Hugo is asleep.")
    (row,) = _of(plain, plain.vocabulary.chat_template).encode([(case, case.answer)])
    assert isinstance(row, Row)
    assert row.decision is None
    assert set(row.weights) == {0, 1}


def test_a_template_that_hides_the_answer_is_told(plain: Encoder) -> None:
    template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}The end."
    hides = template.replace("message.content", "'...'")
    (row,) = _of(plain, hides).encode([(_case(_CALL), None)])
    assert isinstance(row, DataError)
    assert "template" in row.message


def test_a_model_without_a_chat_template_decides_nothing(plain: Encoder) -> None:
    bare = replace(plain, vocabulary=replace(plain.vocabulary, chat_template=None))
    with pytest.raises(DataError, match="no chat template"):
        CaseEncoder.of(bare, _WEIGHT)
