"""Arithmetic, recall, grounding, constraints and changed prompts: what is asked, and which answers are right."""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Any

import pytest

from edgeshrink.catalog.texts import LANGUAGES, language_text
from edgeshrink.errors import UsageError
from edgeshrink.evaluate.probes import TEMPERATURES, Answer, Refused, Said
from edgeshrink.evaluate.slices import arithmetic, constraint, grounding, notes, prompts, recall
from edgeshrink.evaluate.slices.interface import AskingFamily, Item, Score, Settings
from edgeshrink.evaluate.slices.words.filler import passage
from edgeshrink.evaluate.slices.words.holdout import held_out
from edgeshrink.evaluate.slices.words.recall_words import paired_value
from edgeshrink.evaluate.slices.words.tool_catalog import TOOLS


def settings(chat: bool = True, context: int = 512, **options: Any) -> Settings:
    return Settings(chat=chat, context=context, characters_per_token=2.75, options=options)


def items(family: Any, known: Settings, count: int = 200, seed: int = 1) -> list[Item]:
    return list(family.items(known, Random(seed), count))


def said(text: str) -> Said:
    return Said(text, 3, "stop token", (), (0.0,) * len(TEMPERATURES))


def score(family: AskingFamily, item: Item, *texts: str) -> Score:
    """Of a candidate that says `texts` against a reference that is right."""
    reference: tuple[Answer, ...] = tuple(said(text) for text in item.facts["oracle"])
    (only,) = family.score(item, reference, tuple(said(text) for text in texts))
    return only


def candidate(family: Any, item: Item, *texts: str, metric: str = "right") -> float:
    value = score(family, item, *texts).values[metric][1]
    assert isinstance(value, float)
    return value


def text_of(item: Item, probe: int = 0) -> str:
    prompt = item.probes[probe].prompt
    return prompt.text or "\n".join(message["content"] for message in prompt.messages)


@pytest.mark.parametrize("chat", [True, False])
def test_sums_are_right_and_held_out_and_their_examples_are_not(chat: bool) -> None:
    for item in items(arithmetic, settings(chat)):
        *examples, (a, b) = [(int(a), int(b)) for a, b in re.findall(r"(\d+)\+(\d+)", text_of(item))]
        assert int(item.facts["expected"]) == a + b
        assert held_out("sum", min(a, b), max(a, b))
        assert bool(examples) != chat
        assert not any(held_out("sum", min(pair), max(pair)) for pair in examples)


def test_problems_of_a_round_differ() -> None:
    asked = [text_of(item) for item in items(arithmetic, settings(), 400)]
    assert len(set(asked)) == 400


def test_other_operations_and_lengths_are_asked_where_a_suite_says_so() -> None:
    parts = Counter()
    for item in items(arithmetic, settings(digits=[2, 4], operations=["-", "*"])):
        a, sign, b = re.search(r"(\d+)([-*])(\d+)", text_of(item)).groups()  # type: ignore[union-attr]
        result = int(a) - int(b) if sign == "-" else int(a) * int(b)
        assert int(item.facts["expected"]) == result
        assert candidate(arithmetic, item, f"That is {result:,}.".replace("-", "−")) == 1.0
        parts[item.facts["parts"][0]] += 1
    assert set(parts) == {"2 digits, -", "4 digits, -", "2 digits, *", "4 digits, *"}


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("82", 1.0),
        ("37+45=82", 1.0),
        ("The sum of 37 and 45 is **82**.", 1.0),
        ("7+5=12, 30+40=70, so 82.0", 1.0),
        ("The answer is 82.", 1.0),
        ("82 is the sum of 37 and 45.", 1.0),
        ("82 (45 + 37)", 1.0),
        ("\\boxed{82}", 1.0),
        ("<think>\n37+45 is 81? No.\n</think>\n\n82", 1.0),
        ("<think>\nIs it 82", 0.0),
        ("37+45", 0.0),
        ("45 is the sum of 37 and 45", 0.0),
        ("83", 0.0),
        ("82\n12+13=25", 0.0),
        ("820", 0.0),
        ("eighty-two", 0.0),
        ("", 0.0),
        ("9" * 5000, 0.0),
    ],
)
def test_the_last_number_is_the_answer(said: str, right: float) -> None:
    facts = {"expected": "82", "numbers": [37, 45], "oracle": ["82"], "parts": ["x"]}
    item = Item("0", items(arithmetic, settings(), 1)[0].probes, facts)
    assert candidate(arithmetic, item, said) == right


@pytest.mark.parametrize("options", [{"digits": [1]}, {"digits": []}, {"digits": ["2"]}, {"operations": ["/"]}])
def test_unknown_arithmetic_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        items(arithmetic, settings(**options))


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("context", [512, 4096, 32768])
def test_texts_are_as_long_as_asked_and_fit(chat: bool, context: int) -> None:
    known = settings(chat, context)
    for family in (recall, grounding):
        lengths = [len(text_of(item)) for item in items(family, known, 60)]
        assert max(lengths) <= known.characters
        assert max(lengths) > 0.8 * known.characters
        assert min(lengths) < 0.3 * known.characters


def test_the_fact_is_told_once_and_held_out_and_not_last() -> None:
    for item in items(recall, settings()):
        told = re.findall(r"(\w+) has the (\w+)\.", text_of(item))
        key = re.search(r"What does (\w+) have\?", text_of(item))[1]  # type: ignore[index]
        asked = [pair for pair in told if pair[0] == key]
        assert asked == [(key, item.facts["value"])]
        assert held_out("pair", *asked[0])
        assert len(told) == 6 and told[-1] != asked[0]
        assert len({value for _, value in told}) == 6
        assert not any(held_out("pair", *pair) for pair in told if pair != asked[0])


def test_depth_and_length_parts_are_where_the_fact_stands() -> None:
    for item in items(recall, settings(context=4096)):
        text = text_of(item)
        depth, length = item.facts["parts"]
        low, high = map(int, re.findall(r"\d+", depth))
        before, behind = text.split("Note:")[0], text.rpartition("has the")[2]
        assert low - 6 <= 100 * len(before) / (len(before) + len(behind)) <= high + 6
        tokens = int(re.findall(r"\d+", length)[0])
        assert len(text) / 2.75 == pytest.approx(tokens, rel=0.2)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("{right}", 1.0),
        ("Zoe has the {right}", 1.0),
        ("A {RIGHT}!", 1.0),
        ("The {wrong}", 0.0),
        ("either the {right} or the {wrong}", 0.0),
        ("a {right}y thing", 0.0),
        ("", 0.0),
    ],
)
def test_a_recalled_value_counts_alone_and_as_a_word(answer: str, right: float) -> None:
    item = items(recall, settings(), 1)[0]
    value, wrong = item.facts["value"], item.facts["wrong"][0]
    text = answer.format(right=value, RIGHT=value.upper(), wrong=wrong)
    assert candidate(recall, item, text) == right


@pytest.mark.parametrize("family", [arithmetic, recall, grounding, constraint, prompts])
def test_a_prompt_refused_by_the_candidate_is_wrong_and_by_the_reference_says_nothing(family: Any) -> None:
    item = items(family, settings(), 1)[0]
    right = tuple(said(text) for text in item.facts["oracle"])
    refused = (Refused("too long"),) * len(right)
    (only,) = family.score(item, right, refused)
    assert set(only.values.values()) == {(1.0, 0.0)} or family is grounding
    assert only.values["right"] == (1.0, 0.0)
    if only.answered is not None:
        assert only.answered[0].right and not only.answered[1].right
        assert only.answered[1].confidence[0] < -100
    assert not list(family.score(item, refused, right))


def test_the_distractor_speaks_of_the_same_person_and_never_of_having() -> None:
    orders = Counter()
    for item in items(grounding, settings()):
        text, misleading = text_of(item), item.facts["misleading"]
        key = item.facts["expected"].split()[0]
        sentence = next(line for line in text.splitlines() if re.search(rf"\b{misleading}\b", line) and key in line)
        assert "has the" not in sentence
        right_first = text.index(item.facts["expected"]) < text.index(sentence)
        assert item.facts["parts"][0] == ("right passage first" if right_first else "distractor first")
        orders[right_first] += 1
        assert candidate(grounding, item, f"{key} has the {misleading}") == 0.0
        assert candidate(grounding, item, misleading, metric="from the distractor") == 1.0
        assert candidate(grounding, item, item.facts["wrong"][1], metric="from the distractor") == 0.0
    assert min(orders.values()) > 70


def test_what_was_offered_is_called_and_nothing_else() -> None:
    due = Counter()
    for item in items(constraint, settings(kinds=["tools"])):
        offered, wanted = item.facts["offered"], item.facts["call"]
        assert [tool["function"]["name"] for tool in item.probes[0].prompt.tools] == offered
        assert not any(message["content"].startswith("{") for message in item.probes[0].prompt.messages)
        assert (wanted in offered) == (wanted is not None)
        due[wanted is not None] += 1
        other = next(tool for tool in TOOLS if tool.name in offered and tool.name != wanted)
        assert candidate(constraint, item, other.call("x")) == 0.0
        assert candidate(constraint, item, "Sorry, no.") == float(wanted is None)
        assert candidate(constraint, item, "") == 0.0
        assert candidate(constraint, item, '{"name": "get_') == 0.0
    assert min(due.values()) > 70


def test_turns_between_fit_the_context_and_are_counted_in_parts() -> None:
    parts = Counter()
    known = settings(kinds=["tools"])
    for item in items(constraint, known):
        assert len(text_of(item)) < known.characters
        turns = sum(message["role"] == "assistant" for message in item.probes[0].prompt.messages)
        bounds = [int(number) for number in re.findall(r"\d+", item.facts["parts"][0])]
        assert bounds[0] <= turns <= bounds[-1]
        parts[item.facts["parts"][0]] += 1
    assert {"1 turn between", "2 turns between", "3-4 turns between", "5-8 turns between"} <= set(parts)


def test_an_instruction_holds_only_where_the_answer_ends_with_its_word() -> None:
    for item in items(constraint, settings(kinds=["words"]), 20):
        word = item.facts["closing"]
        assert text_of(item).count(word) == 1
        assert candidate(constraint, item, f"You are welcome! **{word}**.\n") == 1.0
        assert candidate(constraint, item, f"{word}! You are welcome.") == 0.0


def test_no_system_message_means_no_rule() -> None:
    assert constraint.slices(settings(chat=False)) == ()
    assert "chat template" in constraint.why_not(settings(chat=False))


@pytest.mark.parametrize("chat", [True, False])
def test_a_changed_prompt_asks_the_same_in_another_form(chat: bool) -> None:
    seen = Counter()
    for item in items(prompts, settings(chat)):
        plain, changed = text_of(item), text_of(item, 1)
        (change,) = item.facts["parts"]
        seen[change] += 1
        assert plain != changed
        if change == "spacing":
            assert plain.split() == changed.split()
        elif change == "order":
            assert Counter(re.findall(r"\w+", plain)) == Counter(re.findall(r"\w+", changed))
        assert set(re.findall(r"\d+|\w+ has the \w+", plain)) == set(re.findall(r"\d+|\w+ has the \w+", changed))
    assert set(seen) == ({"spacing", "order", "paraphrase"} if chat else {"spacing", "order"})


def test_agreement_is_counted_right_or_wrong_but_not_over_nothing() -> None:
    item = next(item for item in items(prompts, settings()) if "value" not in item.facts)
    expected = item.facts["expected"]
    assert candidate(prompts, item, "7", "It is 7.", metric="agreement") == 1.0
    assert candidate(prompts, item, "7", "It is 7.") == 0.0
    assert candidate(prompts, item, "7", expected, metric="agreement") == 0.0
    assert candidate(prompts, item, "no", "no", metric="agreement") == 0.0
    a, b = item.facts["numbers"]
    assert candidate(prompts, item, f"7 is {a} and {b}", f"{a}+{b}=7", metric="agreement") == 1.0
    assert candidate(prompts, item, f"{a}+{b}", f"{a}+{b}", metric="agreement") == 0.0
    recalled = next(item for item in items(prompts, settings()) if "value" in item.facts)
    value, wrong = recalled.facts["value"], recalled.facts["wrong"]
    assert candidate(prompts, recalled, f"the {value}", value.upper(), metric="agreement") == 1.0
    assert candidate(prompts, recalled, value, wrong[0], metric="agreement") == 0.0
    assert candidate(prompts, recalled, wrong[0], wrong[0], metric="agreement") == 1.0


def test_a_passage_is_book_text_in_whole_words() -> None:
    books = [language_text(language).text for language in LANGUAGES]
    random = Random(3)
    for characters in (0, 1, 5, 60, 400, 3000):
        text = passage(random, characters)
        assert len(text) <= characters
        assert len(text) > characters - 120
        assert any(text in book for book in books)
    longer = passage(random, 50_000)
    assert 49_000 < len(longer) <= 50_000


def test_values_that_another_pair_has_are_not_given_again() -> None:
    random = Random(1)
    note = notes.draw(random, 40)
    assert len({value for _, value in note.pairs}) == 41
    for _ in range(200):
        assert notes.unused_value(random, "Zoe", note.pairs) not in {value for _, value in note.pairs}
        assert not held_out("pair", "Zoe", paired_value(random, "Zoe", testing=False))
