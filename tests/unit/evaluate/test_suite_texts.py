"""The texts of a suite: shipped ones lie where they say, generated ones are sound, each seed reads other places."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from edgeshrink.catalog.texts import LANGUAGES, calibration_default, evaluation_text, language_text
from edgeshrink.core.suite import TextPlan
from edgeshrink.errors import DataError, UsageError
from edgeshrink.evaluate.texts import suite_text
from tools.demo.books import Library, read_books
from tools.demo.texts import language_text as cut_language_text

LABELS = ("general", "code", "digits", *LANGUAGES)


def made(label: str, seed: int = 1, round: int = 0, file: Path | None = None) -> str:
    return suite_text(TextPlan(label, label.title(), file), seed=seed, round=round, tokens=500).text.text


@pytest.mark.parametrize("label", LABELS)
def test_a_seed_makes_the_same_text_in_every_round_and_another_seed_another(label: str) -> None:
    assert made(label) == made(label, round=2)
    beginnings = {made(label, seed)[:200] for seed in range(4)}
    assert len(beginnings) >= 3


@pytest.mark.parametrize("label", ["general", *LANGUAGES])
def test_a_shipped_text_is_read_whole_wherever_it_begins(label: str) -> None:
    whole = (evaluation_text() if label == "general" else language_text(label)).text
    turned = made(label, 7)
    at = whole.index(turned[:400]) if turned[:400] in whole else len(whole) - whole[::-1].index(turned[:60][::-1]) - 60
    assert turned == whole[at:] + whole[:at]
    assert at == 0 or whole[at - 1] == "\n" or whole[at:].startswith("<|begin|>")


def test_language_texts_are_the_evaluation_part_of_the_books_and_nothing_else(shared_data: Path) -> None:
    library = Library.of(read_books(shared_data / "text" / "books"), "evaluation")
    calibration = calibration_default().text
    for language in LANGUAGES:
        text = language_text(language).text
        assert text == cut_language_text(library, language)
        assert "<|begin|>" not in text
        assert not any(line in calibration for line in text.splitlines() if len(line) > 50)


def test_generated_code_parses() -> None:
    text = made("code")
    assert len(text) >= 500 * 6
    functions = re.findall(r"^def .*?(?=\n\n\n)", text, flags=re.DOTALL | re.MULTILINE)
    records = re.findall(r"^\{\n.*?^\}$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(functions) > 10 and len(records) > 3
    for function in functions:
        assert isinstance(ast.parse(function).body[0], ast.FunctionDef)
    for record in records:
        assert isinstance(json.loads(record), dict)
    assert text.count("{") == text.count("}") and "static" in text


def test_generated_sums_and_totals_are_right_and_mostly_digits() -> None:
    text = made("digits")
    sums = re.findall(r"^(\d+)([+-])(\d+)=(\d+)$", text, flags=re.MULTILINE)
    assert len(sums) > 20
    for a, sign, b, result in sums:
        assert int(a) + (int(b) if sign == "+" else -int(b)) == int(result)
    for count, price, total in re.findall(r"\| (\d+) \| ([\d.]+) \| ([\d.]+)", text):
        assert round(int(count) * float(price), 2) == float(total)
    letters = sum(character.isalpha() for character in text)
    assert sum(character.isdigit() for character in text) > 2 * letters


def test_a_persons_own_file_is_read_under_its_label(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("".join(f"line {number}\n" for number in range(50)), encoding="utf-8")
    found = suite_text(TextPlan("mine", "My text", file), seed=3, round=1, tokens=100)
    assert (found.label, found.title, found.round) == ("mine", "My text", 1)
    assert found.text.name == "mine.txt, seed 3"
    assert sorted(found.text.text.splitlines()) == sorted(f"line {number}" for number in range(50))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no text ships as 'latin'"):
        made("latin")
    with pytest.raises(DataError, match="cannot be read"):
        made("mine", file=tmp_path / "absent.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        made("mine", file=tmp_path / "bytes.txt")
