from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from edgeshrink.errors import RuntimeFailed
from edgeshrink.evaluate.hard_strings import HARD_STRINGS
from edgeshrink.runtimes.tokenizer_files import TokenizerFiles


def opened(file: Path, *, parse_special: bool = True) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = not parse_special
    return tokenizer


@pytest.fixture(params=["demo", "stories", "phi3v", "smollm"])
def folder(request: pytest.FixtureRequest, demo_model: Path, stories: Path, shared_data: Path) -> Path:
    """Byte-level BPE (demo, smollm), and SentencePiece's form (stories, phi3v)."""
    named = {"demo": demo_model, "stories": stories}
    return named.get(request.param, shared_data / "tokenizers" / request.param)


def files(folder: Path, **config: int) -> TokenizerFiles:
    return TokenizerFiles(folder, config, 10**6)


def test_bytes_are_those_of_the_text(folder: Path) -> None:
    tokenizer = opened(folder / "tokenizer.json")
    found = files(folder)
    strips = "Strip" in (folder / "tokenizer.json").read_text(encoding="utf-8")
    for text in HARD_STRINGS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert found.text(ids, special=True).decode() == tokenizer.decode(ids, skip_special_tokens=False), text
        pieces = b"".join(found.piece(token, special=False) for token in ids)
        assert pieces == found.text(ids, special=True) or (strips and pieces[1:] == found.text(ids, special=True))


def test_special_tokens_are_written_only_when_asked(folder: Path) -> None:
    tokenizer = opened(folder / "tokenizer.json")
    found = files(folder)
    expected = {
        number: token.content for number, token in tokenizer.get_added_tokens_decoder().items() if token.special
    }
    assert found.special == expected != {}
    for number, text in expected.items():
        assert found.piece(number, special=True) == text.encode()
        assert found.piece(number, special=False) == b""


def test_without_special_tokens_they_are_plain_text(folder: Path) -> None:
    found = files(folder)
    expected = opened(folder / "tokenizer.json", parse_special=False)
    plain = opened(found.without_special() / "tokenizer.json")
    for token in list(found.special.values())[:40]:
        for text in (token, f"a{token}b", f"one {token} two"):
            assert found.holds_special(text)
            ids = plain.encode(text, add_special_tokens=False).ids
            assert ids == expected.encode(text, add_special_tokens=False).ids
    assert not any(found.holds_special(text) for text in HARD_STRINGS if "<" not in text)
    kept = found.without_special()
    found.close()
    assert not kept.exists()


def test_added_tokens_are_found_behind_the_vocabulary_too(demo_model: Path, tmp_path: Path) -> None:
    data = json.loads((demo_model / "tokenizer.json").read_text(encoding="utf-8"))
    data["added_tokens"] = data.pop("added_tokens")
    (tmp_path / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
    assert files(tmp_path).special == files(demo_model).special


def test_an_id_of_the_padding_has_no_bytes(demo_model: Path) -> None:
    assert files(demo_model).piece(99_999, special=True) == b""


def test_the_framing_is_read_from_the_folder(demo_model: Path) -> None:
    framing = files(demo_model).framing
    assert (framing.bos_id, framing.eos_id, framing.stop_ids) == (0, 1, (1,))
    assert framing.chat_template is not None and "<|assistant|>" in framing.chat_template


def test_a_sentencepiece_model_alone_is_enough(stories: Path, tmp_path: Path) -> None:
    from sentencepiece import SentencePieceProcessor

    (tmp_path / "tokenizer.model").write_bytes((stories / "tokenizer.model").read_bytes())
    processor = SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    found = files(tmp_path)
    assert found.special == {0: "<unk>", 1: "<s>", 2: "</s>"}
    for text in ("Once upon a time", " two  spaces", "世界 🙂"):
        assert found.text(processor.encode(text), special=True).decode() == processor.decode(processor.encode(text))


def test_no_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailed, match=r"no tokenizer\.json"):
        files(tmp_path).piece(1, special=False)
