"""The child's side of `decide`: the next token after each held-out case. Imports torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgeshrink.compress.corpus.decision_files import Decision, Openings, count_decisions, read_decisions
from edgeshrink.compress.distill.deciding import Decided
from edgeshrink.compress.distill.models import head_weight, hidden_states, load_frozen
from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.job_stages import Stages

_AT_ONCE = 32


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """`Decided.json`. Parameters: see `decide`."""
    torch.set_num_threads(int(parameters["threads"]))
    stages = Stages(emit)
    stages.begin("load")
    model = load_frozen(Path(parameters["model"]), mixed=False)
    stages.begin("cases")
    return decisions_of(model, Path(parameters["corpus"]), stages).json


def decisions_of(model: Any, corpus: Path, stages: Stages) -> Decided:
    """Of a loaded model."""
    openings, total = Openings.read(corpus), count_decisions(corpus)
    asked, wrong = Counter[Any](), Counter[Any]()
    pairs: defaultdict[tuple[Any, str], dict[str, bool]] = defaultdict(dict)
    waiting = read_decisions(corpus)
    while some := list(islice(waiting, _AT_ONCE)):
        for case, share in zip(some, opening_shares(model, some, openings), strict=True):
            right = (share > 0.5) == case.is_first
            asked[case.side] += 1
            wrong[case.side] += not right
            if case.pair is not None:
                pairs[case.family, case.pair][case.side] = right
        stages.step(asked.total(), total, "cases")
    whole = [(family, all(sides.values())) for (family, _), sides in pairs.items() if len(sides) == 2]
    both = {family: [right for name, right in whole if name == family] for family in dict(whole)}
    return Decided(
        cases={side: (asked[side], wrong[side]) for side in sorted(asked)},
        pairs={family: (len(rights), sum(rights)) for family, rights in both.items()},
    )


def opening_shares(model: Any, cases: Sequence[Decision], openings: Openings) -> list[float]:
    """The probability that each case goes on with a token that opens the first side of its family."""
    with torch.inference_mode():
        logs = torch.log_softmax(_next_logits(model, [case.ids for case in cases]), -1)
        shares = [float(logs[row, openings.of(case)].exp().sum()) for row, case in enumerate(cases)]
    if not all(share == share for share in shares):
        raise RuntimeFailed("the model computes no numbers on these cases")
    return shares


def _next_logits(model: Any, rows: Sequence[Sequence[int]]) -> Tensor:
    """(rows, vocabulary) float32, after the last token of each; rows may be of any length."""
    last = torch.tensor([len(row) - 1 for row in rows])
    tokens = torch.zeros(len(rows), int(last.max()) + 1, dtype=torch.int64)
    for place, row in enumerate(rows):
        tokens[place, : len(row)] = torch.tensor(row)
    # What stands behind a row's end is never seen from it: attention looks back alone.
    hidden = hidden_states(model, tokens)[torch.arange(len(rows)), last]
    return hidden.float() @ head_weight(model).float().t()
