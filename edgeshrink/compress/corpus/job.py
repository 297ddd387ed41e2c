"""The child's side of `build_corpus`: one pass to look at all data, then passes that tokenize what is taken of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeshrink.compress.corpus.apart import watch_of
from edgeshrink.compress.corpus.encoding import Encoder
from edgeshrink.compress.corpus.passes import Passes, Request
from edgeshrink.compress.corpus.sources import find_sources
from edgeshrink.compress.corpus.survey import survey
from edgeshrink.compress.corpus.writing import CorpusWriter

_CHARACTERS_PER_TOKEN = 4  # about; a piece of a long text is some rows long, so that rows are whole passages
_PIECE_ROWS = 4


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """Write the corpus into `folder`. Parameters: see `build_corpus`; `scratch` is a folder that the parent removes."""
    scratch = Path(parameters["scratch"])
    sources = find_sources([Path(path) for path in parameters["paths"]])
    encoder = Encoder.open(Path(parameters["tokenizer_folder"]), parameters["learn"])
    length, limit = int(parameters["length"]), parameters["limit_tokens"]
    request = Request(
        length=length,
        limit=None if limit is None else int(limit),
        held_out=float(parameters["held_out"]),
        seed=int(parameters["seed"]),
        characters=_PIECE_ROWS * _CHARACTERS_PER_TOKEN * length,
    )
    emit({"stage": "looking through it"})
    watch = watch_of(scratch)
    seen = survey(sources, encoder, watch, scratch, characters=request.characters, seed=request.seed, emit=emit)
    emit({"stage": "tokens"})
    with CorpusWriter(
        Path(parameters["folder"]),
        length=length,
        vocab_size=encoder.facts.vocab_size,
        padding=encoder.padding,
        bos_id=encoder.bos_id,
        token_bytes=encoder.token_bytes(),
    ) as writer:
        passes = Passes(sources, seen, encoder, writer, request)
        passes.run(scratch, emit)
        emit({"stage": "digests"})
        corpus = writer.finish(
            [source.told(*passes.taken(place)) for place, source in enumerate(sources)],
            duplicates=seen.duplicates,
            notes=passes.notes(),
            made={name: parameters[name] for name in ("seed", "learn", "held_out", "limit_tokens")},
        )
    return {"rows": corpus.rows, "held_out_rows": corpus.held_out_rows}
