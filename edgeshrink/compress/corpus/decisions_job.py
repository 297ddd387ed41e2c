"""The child's side of `build_decisions`: a look at all data, then one pass that tokenizes it, then the rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeshrink.compress.corpus.apart import watch_of
from edgeshrink.compress.corpus.case_encoding import CaseEncoder
from edgeshrink.compress.corpus.case_pairs import open_pairs
from edgeshrink.compress.corpus.case_passes import encode, look
from edgeshrink.compress.corpus.corpus import PARTS
from edgeshrink.compress.corpus.encoding import Encoder
from edgeshrink.compress.corpus.sources import find_sources
from edgeshrink.compress.corpus.writing import CorpusWriter

_MULTIPLE = 8  # of tokens a row: what kernels like


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """Write the corpus into `folder`. Parameters: see `build_decisions`; `scratch` is a folder that the parent
    removes."""
    scratch, folder = Path(parameters["scratch"]), Path(parameters["folder"])
    sources = find_sources([Path(path) for path in parameters["paths"]])
    encoder = Encoder.open(Path(parameters["tokenizer_folder"]), "all")
    cases = CaseEncoder.of(encoder, int(parameters["decision_weight"]))
    longest, seed = int(parameters["length"]), int(parameters["seed"])
    emit({"stage": "looking through it"})
    with open_pairs(scratch / "pairs.db") as pairs:
        held_out = float(parameters["held_out"])
        looked = look(sources, pairs, watch_of(scratch), scratch, held_out=held_out, seed=seed, emit=emit)
        emit({"stage": "tokens"})
        rows = scratch / "rows.jsonl"
        taken = encode(sources, pairs, looked, cases, rows, folder, length=longest, seed=seed, emit=emit)
    emit({"stage": "rows"})
    length = longest if taken.texts else -(-taken.longest // _MULTIPLE) * _MULTIPLE
    with CorpusWriter(
        folder,
        length=min(length, longest),
        vocab_size=encoder.facts.vocab_size,
        padding=encoder.padding,
        bos_id=encoder.bos_id,
        token_bytes=encoder.token_bytes(),
    ) as writer:
        _write(rows, writer)
        corpus = writer.finish(
            [source.told(taken.documents[place], taken.tokens[place]) for place, source in enumerate(sources)],
            duplicates=looked.duplicates,
            notes=taken.notes(looked.duplicates),
            made={name: parameters[name] for name in ("seed", "held_out", "decision_weight")},
        )
    return {"rows": corpus.rows, "held_out_rows": corpus.held_out_rows}


def _write(file: Path, writer: CorpusWriter) -> None:
    with file.open(encoding="ascii") as lines:
        for line in lines:
            part, alone, ids, weights = json.loads(line)
            (writer.add_row if alone else writer.add)(PARTS[part], ids, weights)
