"""A teacher that tells what follows each token of some rows of a corpus, as records. Imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgeshrink.compress.corpus.corpus import PARTS, Corpus, Part
from edgeshrink.compress.distill.chunked import LOGITS_AT_ONCE
from edgeshrink.compress.distill.models import head_weight, hidden_states, mixed_precision
from edgeshrink.compress.distill.teacher_cache.records import checksums, coded, row_type
from edgeshrink.compress.distill.teacher_cache.sampling import keep
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings


@dataclass(frozen=True, slots=True)
class Teller:
    """`teacher`: as `models.load_frozen` gives it, on `device`."""

    teacher: Any
    settings: CacheSettings
    device: str = "cpu"

    @property
    def vocab_size(self) -> int:
        return len(head_weight(self.teacher))

    def row_type(self, corpus: Corpus) -> np.dtype[Any]:
        return row_type(self.vocab_size, corpus.length, self.settings)

    def records(self, corpus: Corpus, rows: NDArray[np.int64], part: Part) -> NDArray[Any]:
        """One record a row, of `row_type`. The draws of a row follow from the seed, the part and its number alone."""
        tokens, weights = corpus.batch(rows, part)
        records = np.zeros(len(rows), self.row_type(corpus))
        records["checksum"] = checksums(tokens)
        where, positions = np.nonzero(weights[:, 1:])
        uniforms = self._uniforms(rows, corpus.length, part)[where, positions]
        # Mixed-precision training multiplies with the head in bfloat16, too.
        product = torch.bfloat16 if mixed_precision(self.device) else torch.float32
        at_once = max(1, LOGITS_AT_ONCE // 4 // self.vocab_size)  # in float32, and their sums
        with torch.inference_mode():
            head = head_weight(self.teacher).to(product)
            hidden = hidden_states(self.teacher, torch.from_numpy(tokens).long().to(self.device))
            states = hidden[torch.from_numpy(where), torch.from_numpy(positions)].to(product)
            for first in range(0, len(states), at_once):
                some = slice(first, first + at_once)
                draws = torch.from_numpy(uniforms[some]).to(self.device)
                kept = keep((states[some] @ head.t()).float(), self.settings.top, draws)
                place = where[some], positions[some]
                records["top_ids"][place] = kept.top_ids.cpu().numpy()
                records["top_logs"][place] = kept.top_logs.cpu().numpy()
                records["tail_log"][place] = kept.tail_log.cpu().numpy()
                records["draw_ids"][place] = kept.draw_ids.cpu().numpy()
                records["draw_logs"][place] = coded(kept.draw_logs.cpu().numpy())
        return records

    def _uniforms(self, rows: NDArray[np.int64], length: int, part: Part) -> NDArray[np.float32]:
        """(rows, length - 1, draws)."""
        shape = (length - 1, self.settings.draws)
        streams = ((self.settings.seed, PARTS.index(part), int(row)) for row in rows)
        return np.stack([np.random.default_rng(stream).random(shape, np.float32) for stream in streams])
