from __future__ import annotations

import pytest

from edgeshrink.core.behaviour import Specimen
from edgeshrink.report.specimens import Parted, clipped, lines_of, part, side


@pytest.mark.parametrize(
    ("one", "other", "own"),
    [
        ("the answer is 42 indeed", "the answer is 43 indeed", ("42", "43")),
        ("421", "422", ("421", "422")),
        ("yes", "yes and more", ("", " and more")),
        ("a b c", "a c", ("b ", "")),
        ("same", "", ("same", "(nothing)")),
        ("a a", "a a a", ("", " a")),
    ],
)
def test_answers_part_at_whole_words_and_put_together_are_themselves(
    one: str, other: str, own: tuple[str, str]
) -> None:
    for text, parted, wanted in zip((one, other), part(one, other), own, strict=True):
        assert parted.own == wanted
        said = parted.own if parted.own != "(nothing)" else ""
        assert parted.before + said + parted.after == text


def test_equal_answers_have_nothing_of_their_own() -> None:
    assert part("as it was", "as it was") == (Parted("as it was", "", ""),) * 2
    assert part("", "")[0] == Parted("", "(nothing)", "")


def test_a_long_text_keeps_its_beginning_and_more_of_its_end() -> None:
    text = "".join(f"{at:05}" for at in range(1000))
    short = clipped(text, 90)
    head, _, rest = short.partition(" [... ")
    assert text.startswith(head) and text.endswith(rest.rpartition("] ")[2])
    assert len(head) == 30 and len(rest.rpartition("] ")[2]) == 60
    assert "4,910 characters" in short
    assert clipped("short", 90) == "short"


def test_lines_stay_lines_and_controls_do_not_stay() -> None:
    assert lines_of(" \n") == "␣⏎" and lines_of("") == ""
    assert lines_of("a\r\nb\n\x1b[31mc\u202e") == "a\nb\n�[31mc�"


def test_an_item_that_was_right_and_is_wrong_needs_no_figure() -> None:
    item = Specimen("i", "p", "e", "r", "c", 1.0)
    assert side(item, "share").lost == ""
    assert side(item, "nats").lost == "1 nats"
