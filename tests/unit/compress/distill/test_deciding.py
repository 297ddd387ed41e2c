"""How a model decides, against transformers' own probabilities one case at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from edgeshrink.compress.corpus.cases import Family, Side  # noqa: E402
from edgeshrink.compress.corpus.decision_files import Decision, Openings, decision_line  # noqa: E402
from edgeshrink.compress.distill.deciding import decided_of  # noqa: E402
from edgeshrink.compress.distill.deciding_job import decisions_of, job, opening_shares  # noqa: E402
from edgeshrink.compress.distill.models import load_frozen  # noqa: E402
from edgeshrink.errors import DataError, RuntimeFailed  # noqa: E402
from edgeshrink.runtimes.job_stages import Stages  # noqa: E402


@pytest.fixture(scope="module")
def model(tiny_teacher: Path) -> Any:
    """Sure of itself: a model with random weights never gives a token more than half."""
    model = load_frozen(tiny_teacher, mixed=False)
    with torch.no_grad():
        model.model.norm.weight.mul_(40)
    return model


_SIDES: tuple[tuple[Family, Side], ...] = (
    ("tools", "call"), ("tools", "text"), ("passages", "refusal"), ("passages", "answer"),
)  # fmt: skip


def _cases(model: Any) -> list[Decision]:
    """Of either side and of any length; what opens the first side is now likely and now not."""
    random = np.random.default_rng(5)
    cases = []
    for number in range(40):
        ids = random.integers(3, 4096, int(random.integers(2, 30))).tolist()
        best = int(_chances(model, ids).argmax())
        family, side = (("tools", "call"), ("tools", "text"), ("passages", "refusal"), ("passages", "answer"))[
            number % 4
        ]
        opens = best if number % 3 else 17
        cases.append(Decision(family, side, None if number > 35 else str(number // 2), ids, 0, opens, 18))  # type: ignore[arg-type]
    return cases


def _chances(model: Any, ids: list[int]) -> Any:
    with torch.no_grad():
        return torch.softmax(model(input_ids=torch.tensor([ids])).logits[0, -1].double(), -1)


@pytest.fixture(scope="module")
def corpus(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Openings of each case alone: what others open with would decide for it, too."""
    folder = tmp_path_factory.mktemp("decisions")
    (folder / "decisions.jsonl").write_text("".join(map(decision_line, _cases(model))), encoding="utf-8")
    Openings().write(folder)
    return folder


def test_shares_are_the_probabilities_that_transformers_gives_each_case_alone(model: Any) -> None:
    cases, openings = _cases(model), Openings()
    for case in cases:
        openings.see(case)
    wanted = [float(_chances(model, case.ids)[openings.of(case)].sum()) for case in cases]
    assert max(len(openings.of(case)) for case in cases) > 2
    np.testing.assert_allclose(opening_shares(model, cases, openings), wanted, rtol=1e-4, atol=1e-7)


def test_wrong_decisions_are_counted_by_side_and_pairs_as_wholes(model: Any, corpus: Path) -> None:
    asked, wrong, pairs = dict[str, int](), dict[str, int](), dict[tuple[str, str], list[bool]]()
    for case in _cases(model):
        right = (float(_chances(model, case.ids)[case.opens]) > 0.5) == (case.side in ("call", "refusal"))
        asked[case.side] = asked.get(case.side, 0) + 1
        wrong[case.side] = wrong.get(case.side, 0) + (not right)
        if case.pair is not None:
            pairs.setdefault((case.family, case.pair), []).append(right)
    assert all(0 < wrong[side] < asked[side] for side in asked)
    found = decisions_of(model, corpus, Stages(lambda _: None))
    assert {side: tuple(counts) for side, counts in found.cases.items()} == {
        side: (asked[side], wrong[side]) for side in asked
    }
    for family in ("tools", "passages"):
        whole = [all(rights) for (name, _), rights in pairs.items() if name == family and len(rights) == 2]
        assert found.pairs[family] == (len(whole), sum(whole))


def test_the_job_tells_what_crosses_as_json(tiny_teacher: Path, corpus: Path) -> None:
    told: list[dict[str, object]] = []
    result = job({"model": str(tiny_teacher), "corpus": str(corpus), "threads": 1}, told.append)
    assert decided_of(json.loads(json.dumps(result))) == decisions_of(
        load_frozen(tiny_teacher, mixed=False), corpus, Stages(lambda _: None)
    )
    assert told[-1] == {"done": 40, "total": 40, "unit": "cases"}


def test_a_model_that_computes_no_numbers_is_refused(tiny_teacher: Path, model: Any) -> None:
    broken = load_frozen(tiny_teacher, mixed=False)
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    with pytest.raises(RuntimeFailed, match="no numbers"):
        opening_shares(broken, _cases(model)[:2], Openings())


def test_a_folder_without_decisions_is_refused(model: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        decisions_of(model, tmp_path, Stages(lambda _: None))
