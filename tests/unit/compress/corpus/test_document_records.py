"""Records in the shapes that data comes in, each one document; what is none is named with its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeshrink.compress.corpus.documents import KEYS, Document, document_of, whole
from edgeshrink.compress.corpus.jsonl_files import jsonl_documents
from edgeshrink.errors import DataError

_CHAT = ({"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."})


def _of(record: Any) -> Document:
    document = document_of(record, "here")
    assert document is not None
    return document


@pytest.mark.parametrize(
    "record",
    [
        {"messages": list(_CHAT)},
        {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So.", "weight": 1}]},
        {"conversations": list(_CHAT), "id": 7},
        {"prompt": [_CHAT[0]], "completion": [_CHAT[1]]},
        {"prompt": [_CHAT[0]], "completion": "So."},
        {"prompt": "Why?", "answer": "So."},
        {"prompt": "Why?", "response": "So."},
        {"question": "Why?", "answer": "So."},
        {"messages": [{**_CHAT[0], "tool_calls": None, "id": 8}, {**_CHAT[1], "name": None}], "text": None},
    ],
)
def test_a_chat_is_a_chat_however_it_is_spelled(record: dict[str, Any]) -> None:
    assert _of(record).messages == _CHAT


def test_a_completion_is_text_that_goes_on_where_the_prompt_ends() -> None:
    document = _of({"prompt": "2 + 2 =", "completion": " 4"})
    assert (document.text, document.answer_at) == ("2 + 2 = 4", 7)


def test_text_is_text_and_an_empty_record_is_nothing() -> None:
    assert _of({"text": "a page", "messages": None}).text == "a page"
    assert _of({"content": "a program"}).text == "a program"
    empty = ({"text": " \n"}, {"messages": []}, {"messages": [{"role": "user", "content": ""}]})
    assert [document_of(record, "here") for record in empty] == [None, None, None]


def test_tools_may_be_a_list_or_its_json() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    assert _of({"messages": list(_CHAT), "tools": [tool]}).tools == (tool,)
    assert _of({"messages": list(_CHAT), "tools": json.dumps([tool])}).tools == (tool,)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (["text"], "expected an object"),
        ({"body": "words", "id": 1}, "none of its keys says what to learn: 'body', 'id'"),
        ({"text": 5}, "expected text, got 5"),
        ({"messages": "Why?"}, "expected a list of messages"),
        ({"messages": ["Why?"]}, "expected a message"),
        ({"messages": [{"content": "Why?"}]}, "a message has no role"),
        ({"messages": list(_CHAT), "tools": "{"}, "tools is not JSON"),
        ({"messages": list(_CHAT), "tools": {"a": 1}}, "expected a list of tools"),
    ],
)
def test_what_is_no_record_is_told_with_its_place(record: Any, said: str) -> None:
    with pytest.raises(DataError, match=f"^here.*{said}"):
        document_of(record, "here")


def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_is_its_character() -> None:
    assert whole("a\ud800b") == "a�b"
    assert whole("\ud83d\ude00") == "\U0001f600"
    assert _of(json.loads('{"messages": [{"role": "user", "content": "a\\ud800"}]}')).messages[0]["content"] == "a�"


def test_two_documents_are_the_same_where_all_that_is_learned_is() -> None:
    assert _of({"messages": list(_CHAT), "id": 1}).identity == _of({"conversations": list(_CHAT)}).identity
    assert _of({"text": "a"}).identity != _of({"text": "a "}).identity


_NAMES = st.sampled_from([*KEYS, "role", "from"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(_JSON)
def test_whatever_a_line_holds_is_a_document_nothing_or_an_error_that_says_where(value: Any) -> None:
    try:
        document = document_of(value, "line 7")
    except DataError as error:
        assert error.message.startswith("line 7")
        return
    if document is not None:
        assert document.nbytes == len(document.identity) > 0
        assert document.words.strip() or document.messages


@pytest.mark.parametrize("packed", [False, True])
def test_lines_are_records_and_a_wrong_one_is_named(tmp_path: Path, packed: bool) -> None:
    file = tmp_path / ("data.jsonl.gz" if packed else "data.jsonl")
    data = '\ufeff{"text": "one"}\r\n\r\n{"text": "zwölf"}\n{"text": '.encode()
    file.write_bytes(gzip.compress(data) if packed else data)
    documents = jsonl_documents(file)
    assert [next(documents).text, next(documents).text] == ["one", "zwölf"]
    with pytest.raises(DataError, match=r"data\.jsonl.*, line 4: not JSON"):
        next(documents)


def test_a_packed_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"text": "one"}\n' * 1000)[:-20])
    with pytest.raises(DataError, match="is not a whole gzip file"):
        list(jsonl_documents(file))
