"""The baseline that looks at no text: how long an expert's row of the router is. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.compress.prune.experts.names import router_name
from edgeshrink.core.model import ModelFacts


def router_norms(facts: ModelFacts) -> NDArray[np.float64]:
    """(layers, experts): Euclidean norms of the rows of each layer's router."""
    there = {tensor.name: tensor for tensor in facts.tensors}
    rows = [read_rows(there[router_name(facts, layer)]) for layer in range(facts.n_layers)]
    return np.stack([np.linalg.norm(row.astype(np.float64), axis=1) for row in rows])
