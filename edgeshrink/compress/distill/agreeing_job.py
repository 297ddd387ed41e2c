"""The child's side of `agreeing`. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.distill.models import head_weight, hidden_states, load_frozen
from edgeshrink.compress.distill.objectives.preference import Halves, ratios_of
from edgeshrink.compress.distill.token_log_probs import token_log_probs
from edgeshrink.compress.training.objective import Batch

_AT_ONCE = 8


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """Parameters: see `agreeing`."""
    torch.set_num_threads(int(parameters["threads"]))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    corpus = Corpus.open(Path(parameters["corpus"]))
    folders = [Path(model) for model in parameters["models"]]
    found: list[Any] = []
    for place, folder in enumerate(folders):

        def tell(done: int, before: int = place * corpus.held_out_rows) -> None:
            emit({"done": before + done, "total": len(folders) * corpus.held_out_rows})

        found.append(margins(load_frozen(folder, mixed=False, device=device), corpus, device, tell))
    return {
        "pairs": len(found[0]) if found else 0,
        "agreeing": [int((one > 0).sum()) for one in found],
        "margins": [float(one.mean()) if len(one) else 0.0 for one in found],
    }


def margins(model: Any, corpus: Corpus, device: str, tell: Callable[[int], None]) -> Any:
    """(P,) of the held-out pairs: the mean log-probability of a token of the chosen answer less that of the rejected
    one, nats."""
    found: list[Any] = [np.zeros(0)]
    for first in range(0, corpus.held_out_rows, _AT_ONCE):
        rows = np.arange(first, min(first + _AT_ONCE, corpus.held_out_rows))
        tokens, weights = corpus.batch(rows, "held_out")
        halves = Halves.of(
            Batch(
                torch.from_numpy(tokens).long().to(device),
                torch.from_numpy(weights).to(device),
                torch.from_numpy(rows),
                0,
            )
        )
        with torch.no_grad():
            states = halves.tokens.states(hidden_states(model, halves.batch.tokens))
            logs = token_log_probs(states[halves.paired], head_weight(model), halves.tokens.targets[halves.paired])
        sums = ratios_of(logs, halves)
        means = sums.chosen / sums.chosen_tokens - sums.rejected / sums.rejected_tokens
        found.append(means.cpu().numpy())
        tell(first + len(rows))
    return np.concatenate(found)
