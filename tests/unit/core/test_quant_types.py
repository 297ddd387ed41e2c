"""The table of block types is ggml's."""

from __future__ import annotations

import gguf
import pytest

from edgeshrink.core.quant_types import QUANT_TYPES, QuantType, quant_type
from edgeshrink.errors import PlanError


@pytest.mark.parametrize("entry", QUANT_TYPES.values(), ids=lambda entry: entry.name)
def test_ids_and_block_sizes_are_those_of_gguf_py(entry: QuantType) -> None:
    theirs = gguf.GGMLQuantizationType[entry.name]
    assert (entry.ggml_id, entry.block_elements, entry.block_bytes) == (theirs.value, *gguf.GGML_QUANT_SIZES[theirs])


def test_a_row_takes_whole_blocks_only() -> None:
    assert quant_type("q4_k").row_bytes(512) == 288
    assert not quant_type("Q4_K").takes_row(384)
    assert quant_type("Q8_0").takes_row(384)
    assert quant_type("Q4_K").bits_per_weight == 4.5


def test_an_unknown_type_lists_the_known_ones() -> None:
    with pytest.raises(PlanError) as caught:
        quant_type("Q4")
    assert "Q4_K" in caught.value.hint
