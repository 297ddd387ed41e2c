"""What frames a text: BOS, EOS, the ids that stop a generation, the chat template. From the small files of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeshrink.catalog.json_files import read_json_if_there
from edgeshrink.errors import DataError

Lookup = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Framing:
    """Ids are None where the source names none. `adds_bos`/`adds_eos` None: the settings do not say."""

    bos_id: int | None
    eos_id: int | None
    unk_id: int | None
    pad_id: int | None
    stop_ids: tuple[int, ...]
    adds_bos: bool | None
    adds_eos: bool | None
    chat_template: str | None = field(repr=False)


def read_framing(folder: Path, config: Mapping[str, Any], size: int, lookup: Lookup) -> Framing:
    """`lookup` gives the id of a token's text; ids count below `size` only. The tokenizer's names come before ids."""
    said = read_json_if_there(folder / "tokenizer_config.json")
    named = {**read_json_if_there(folder / "special_tokens_map.json"), **said}
    generation = read_json_if_there(folder / "generation_config.json")
    named_eos = _named(named, "eos_token", lookup)
    stops = [
        *_ids(named_eos, size),
        *_ids(config.get("eos_token_id"), size),
        *_ids(generation.get("eos_token_id"), size),
    ]
    explicit = isinstance(said.get("add_bos_token"), bool) or isinstance(said.get("add_eos_token"), bool)
    return Framing(
        bos_id=_first(size, _named(named, "bos_token", lookup), config.get("bos_token_id")),
        eos_id=_first(size, named_eos, generation.get("eos_token_id"), config.get("eos_token_id")),
        unk_id=_named(named, "unk_token", lookup),
        pad_id=_first(size, _named(named, "pad_token", lookup), config.get("pad_token_id")),
        stop_ids=tuple(dict.fromkeys(stops)),
        adds_bos=bool(said.get("add_bos_token")) if explicit else None,
        adds_eos=bool(said.get("add_eos_token")) if explicit else None,
        chat_template=_chat_template(folder, said),
    )


def _named(names: Mapping[str, Any], key: str, lookup: Lookup) -> int | None:
    value = names.get(key)
    text = value.get("content") if isinstance(value, Mapping) else value
    return lookup(text) if isinstance(text, str) else None


def _first(size: int, *candidates: Any) -> int | None:
    return next((number for candidate in candidates for number in _ids(candidate, size)), None)


def _ids(value: Any, size: int) -> Iterator[int]:
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, int) and not isinstance(entry, bool) and 0 <= entry < size:
            yield entry


def _chat_template(folder: Path, said: Mapping[str, Any]) -> str | None:
    """chat_template.jinja first, as transformers has it; of several named templates the one called default."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise DataError(f"{file} cannot be read as UTF-8 text: {problem}") from problem
    found = said.get("chat_template") or read_json_if_there(folder / "chat_template.json").get("chat_template")
    if isinstance(found, list):
        templates = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, Mapping)}
        found = templates.get("default", next(iter(templates.values()), None))
    return found if isinstance(found, str) else None
