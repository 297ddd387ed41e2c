"""The grids of GGUF's block types: one family a file, each with the way from bytes to codes and back. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeshrink.compress.grid.blocks import iq4, k_high, k_low, k_middle, legacy
from edgeshrink.compress.grid.blocks.interface import BlockGrid

BLOCK_GRIDS: Final[Mapping[str, BlockGrid]] = {
    grid.type: grid for family in (legacy, k_low, k_middle, k_high, iq4) for grid in family.GRIDS
}
