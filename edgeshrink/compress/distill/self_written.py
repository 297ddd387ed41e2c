"""Text to distil on that the teacher writes itself, for whoever brings no data.

Liu et al. 2023, "LLM-QAT: Data-Free Quantization Aware Training for Large Language Models" (arXiv:2305.17888): texts
are sampled from the model's whole distribution; a random word begins them, what comes right after it is the likeliest
and the rest is drawn. Here one kind of text begins with BOS alone (where the model has one), one with a random word,
and where the model has a chat template a third with the template's opening of a user's turn, so that the model writes
the question and the answer both (Xu et al. 2024, "Magpie", arXiv:2406.08464).
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.source_tokenizer import open_source_tokenizer
from edgeshrink.catalog.tokenizer_vocab_merges import vocab_merges_json
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError, UsageError

JOB = "edgeshrink.compress.distill.self_written_job:job"
TASK = "text by the teacher"
_CHAT_LENGTHS = 4  # a question and an answer to its end are longer than a piece of text
_FEWEST_ROWS, _MOST_ROWS = 8, 64
_CACHE_BYTES = 1 << 30
_LOGITS_BYTES = 256 << 20
_CONTROL = 3
_WORDS = "edgeshrink-user-words"


@dataclass(frozen=True, slots=True)
class Written:
    """`tokens` are those of the `texts` in `file`; `duplicates` were written before, `dropped` were empty or, as chats,
    did not come to an end. `seconds` over all runs that it took; `tokens_s` counts what was kept."""

    file: Path
    texts: int
    tokens: int
    duplicates: int
    dropped: int
    seconds: float
    tokens_s: float


def write_texts(
    model: Path,
    file: Path,
    *,
    tokens: int,
    length: int = 256,
    seed: int = 0,
    threads: int,
    temperature: float = 1.0,
    listener: Listener = silent,
) -> Written:
    """At least `tokens` tokens of text by the model in the folder `model`, as JSON lines in `file`, by a child process.

    Lines are {"text"}, of at most `length` tokens and without special ones, or {"messages": [user, assistant]}, of at
    most four times that. No text is there twice. The same arguments write the same file on the same machine. After a
    kill the next call goes on from the last whole batch, which `file`.record.json remembers; a finished file of the
    same arguments is returned as it is. DataError where the model only repeats itself or the folder is damaged.
    """
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.progress import forward

    if tokens < 1 or length < 2 or not temperature > 0:
        raise UsageError(f"no text can be written: {tokens} tokens in texts of {length} at temperature {temperature:g}")
    facts = inspect_folder(model, str(model))
    if not facts.has_weights:
        raise DataError(f"{model} has no weights: it cannot write", hint="fetch the model's safetensors files too")
    vocabulary = read_vocabulary(facts)
    longest = min(length * _CHAT_LENGTHS, facts.context_length)
    with tempfile.TemporaryDirectory(prefix="edgeshrink-texts-") as scratch:
        parameters: dict[str, Any] = {
            "model": str(model),
            "weights": sorted(
                {(str(t.file.name), t.file.stat().st_mtime_ns, t.file.stat().st_size) for t in facts.tensors}
            ),
            "file": str(file),
            "bos": vocabulary.bos_id if vocabulary.add_bos else None,
            "specials": _specials(vocabulary),
            "turn": _user_turn(facts, vocabulary),
            "tokens": tokens,
            "length": min(length, facts.context_length),
            "chat_length": longest,
            "rows": _rows(facts, longest, tokens // length),
            "vocabulary": facts.vocab_size,
            "seed": seed,
            "temperature": temperature,
        }
        places = {"tokenizer": str(_tokenizer_folder(facts, Path(scratch))), "threads": threads}
        result = run_job(JOB, parameters | places, on_event=forward(listener, TASK, unit="tokens"))
    return Written(file=file, **result)  # type: ignore[arg-type]


def _specials(vocabulary: Vocabulary) -> list[int]:
    """Ids that no text spells: they end a piece of text."""
    control = (number for number, kind in enumerate(vocabulary.token_types) if kind == _CONTROL)
    named = (vocabulary.bos_id, vocabulary.eos_id, vocabulary.pad_id, *vocabulary.stop_ids)
    return sorted({*control, *(number for number in named if number is not None)})


def _user_turn(facts: ModelFacts, vocabulary: Vocabulary) -> list[list[int]] | None:
    """The ids before a user's words and from their end to where the model answers; None where the model does not chat,
    or where no special token ends a user's words, so that one could not tell when they end."""
    from edgeshrink.runtimes.chat_bounded import render_chats_bounded

    tokenizer = open_source_tokenizer(facts, vocabulary)
    if vocabulary.chat_template is None or not tokenizer.parses_special:
        return None
    call = {
        "messages": [{"role": "user", "content": _WORDS}],
        "bos_token": _spelled(vocabulary, vocabulary.bos_id),
        "eos_token": _spelled(vocabulary, vocabulary.eos_id),
    }
    (text,) = render_chats_bounded(vocabulary.chat_template, [call])
    if isinstance(text, DataError) or text.count(_WORDS) != 1:
        return None
    before, after = tokenizer.encode(text.split(_WORDS), parse_special=True)
    return [before, after] if before and after and after[0] in _specials(vocabulary) else None


def _spelled(vocabulary: Vocabulary, number: int | None) -> str:
    return "" if number is None else vocabulary.tokens[number].decode("utf-8", "replace")


def _rows(facts: ModelFacts, length: int, texts: int) -> int:
    """Texts at once: few enough that their float32 cache and their logits stay small, and that the `texts` wanted are
    some of each kind."""
    cache = 2 * facts.kv_bytes_per_token_f16 * length
    logits = 3 * 8 * facts.vocab_size
    return max(1, min(_MOST_ROWS, max(_FEWEST_ROWS, texts // 6), _CACHE_BYTES // cache, _LOGITS_BYTES // logits))


def _tokenizer_folder(facts: ModelFacts, scratch: Path) -> Path:
    """Where tokenizer.json or tokenizer.model is: the model's own folder, or one made for a vocab.json."""
    folder = facts.source.path
    if any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        return folder
    (scratch / "tokenizer.json").write_text(vocab_merges_json(folder), encoding="utf-8")
    return scratch


def record_file(file: Path) -> Path:
    """What remembers how `file` was made, and how far it is."""
    return file.with_name(file.name + ".record.json")


def partial_file(file: Path) -> Path:
    """Where the lines stand until all are there."""
    return file.with_name(file.name + ".partial")


def read_state(file: Path, order: dict[str, Any]) -> dict[str, Any] | None:
    """What was written so far by the same `order`; None: nothing that one could go on from."""
    try:
        record = json.loads(record_file(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("order") != json.loads(json.dumps(order)):
        return None
    state = record.get("state")
    return state if isinstance(state, dict) else None
