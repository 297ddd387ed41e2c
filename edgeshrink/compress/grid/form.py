"""A student whose weights are rounded, on their way into its layers, as the file that it becomes will hold them.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018
(arXiv:1712.05877): training simulates the rounding of inference. Here the codes that were trained are kept, and the
exporter writes them as they are. Imports torch: for jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.compress.grid.error_feedback import feed_back
from edgeshrink.compress.grid.formats import build_grids
from edgeshrink.compress.grid.grid_file import write_grid, write_probe
from edgeshrink.compress.grid.probe import probe_logits, probe_tokens
from edgeshrink.compress.grid.tensor_grid import TensorGrid, attach, detach, latents
from edgeshrink.compress.prune.folder import Blocks, NewTensor, float32_config, row_blocks, write_folder
from edgeshrink.compress.training.distributed import World
from edgeshrink.core.events import silent
from edgeshrink.core.model import ModelFacts
from edgeshrink.planning.layout import parameter_count

_SHARE_OF_STEP = 2.0
_ENDS = ("model.embed_tokens.weight", "lm_head.weight")


class GridForm:
    """Fits `training.forms.Form`. Parameters: `format`, `scheme`, `settings` (of the format, as Plan.settings);
    `tensors`: transformers' name -> type of what the file rounds; `importance`: path of an imatrix or None, which
    calls them by `gguf_names`; `probe_rows`: folder of the corpus whose first held-out rows the probe is.

    `write` makes a folder of float32 weights that are exactly what the codes spell, GRID_FILE and PROBE_FILE.
    """

    rate_share = 0.1
    """Of the grid's steps, once the student is prepared: a weight goes to its next code in about as many training
    steps, whatever their size. Measured on the demo at 3 bits, whose steps are 0.05: 1e-4 is better than 2e-4 and
    3e-4, and at 2 bits twice that learns well."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._grids: dict[str, TensorGrid] = {}

    def trained(self, facts: ModelFacts) -> int | None:
        # All of them, and the rounded ones stand beside.
        return parameter_count(facts)

    def prepare(self, student: Any) -> None:
        self._grids = build_grids(student, self._parameters)
        steps = [step for name, grid in self._grids.items() if name not in _ENDS and (step := grid.step()) is not None]
        if steps:
            self.rate_share = _SHARE_OF_STEP * sum(steps) / len(steps)
        attach(student, self._grids)
        feed_back(student, self._grids, Corpus.open(Path(self._parameters["probe_rows"])))

    def write(self, facts: ModelFacts, student: Any, out: Path, world: World) -> None:
        if not world.writes:
            return
        told = self._parameters
        held = latents(student, self._grids)
        pieces = {name: grid.pieces(held[name]) for name, grid in self._grids.items()}
        values = {name: grid.values(held[name]) for name, grid in self._grids.items()}
        detach(student, self._grids, values)
        _write_weights(facts, student, out)
        write_grid(
            out,
            {name: (grid.type, tuple(held[name].shape), pieces[name]) for name, grid in self._grids.items()},
            format=told["format"],
            scheme=told["scheme"],
            settings=told["settings"],
        )
        tokens = probe_tokens(Path(told["probe_rows"]), facts.vocab_size, facts.context_length)
        write_probe(out, tokens, probe_logits(student, tokens))


def _write_weights(facts: ModelFacts, student: Any, out: Path) -> None:
    """All of them float32, under the source's names."""
    weights = dict(student.named_parameters(remove_duplicate=False))
    tensors = [NewTensor(held.name, held.shape, "F32") for held in facts.tensors if held.name in weights]

    def values(index: int) -> Blocks:
        array: NDArray[np.float32] = weights[tensors[index].name].detach().to("cpu", torch.float32).numpy()
        for first, last in row_blocks(len(array), array[0].size):
            yield array[first:last]

    write_folder(out, float32_config(facts.config), tensors, values, like=facts, listener=silent)
