"""An importance matrix of another model is refused; one that is not complete is said to be."""

from __future__ import annotations

import numpy as np
import pytest

from edgeshrink.compress.imatrix import check_importance
from edgeshrink.core.importance import Importance
from edgeshrink.core.plan import TensorPlan
from edgeshrink.errors import DataError


def tensor(name: str, *shape: int) -> TensorPlan:
    return TensorPlan(name, name, shape, "Q4_K", "")


PLAN = (
    tensor("token_embd.weight", 100, 64),
    tensor("blk.0.attn_norm.weight", 64),
    tensor("blk.0.attn_q.weight", 64, 64),
    tensor("blk.0.ffn_down.weight", 64, 96),
    tensor("output.weight", 100, 64),
)


def matrix(**widths: int) -> Importance:
    names = {name.replace("__", "."): width for name, width in widths.items()}
    return Importance(
        sums={name: np.ones((1, width), dtype=np.float32) for name, width in names.items()},
        counts={name: np.array([10]) for name in names},
        datasets=(),
        chunk_count=1,
        chunk_size=10,
    )


def test_a_complete_matrix_needs_no_words() -> None:
    assert check_importance(matrix(blk__0__attn_q__weight=64, blk__0__ffn_down__weight=96), PLAN) == ()


def test_what_is_missing_is_named() -> None:
    (note,) = check_importance(matrix(blk__0__attn_q__weight=64), PLAN)
    assert "blk.0.ffn_down.weight" in note
    assert "1 of 4" in note


def test_another_width_is_another_model() -> None:
    with pytest.raises(DataError, match=r"blk\.0\.attn_q\.weight has 32 columns there and 64 here"):
        check_importance(matrix(blk__0__attn_q__weight=32, blk__0__ffn_down__weight=96), PLAN)


def test_a_layer_too_many_is_another_model() -> None:
    with pytest.raises(DataError, match=r"blk\.1\.attn_q\.weight"):
        check_importance(
            matrix(blk__0__attn_q__weight=64, blk__0__ffn_down__weight=96, blk__1__attn_q__weight=64), PLAN
        )


def test_other_names_are_another_model() -> None:
    with pytest.raises(DataError, match="none is here"):
        check_importance(matrix(v__blk__0__attn_q__weight=64), PLAN)
