"""The child's side of `score_experts`: text runs through the mixture, and its loss back. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.compress.distill.models import head_weight, hidden_states, load_frozen
from edgeshrink.compress.prune.calibration_rows import calibration_rows
from edgeshrink.compress.prune.experts.activation_norm import ActivationNorm
from edgeshrink.compress.prune.experts.attribution import Attribution
from edgeshrink.compress.prune.experts.channels import ChannelImportance
from edgeshrink.compress.prune.experts.names import experts_of
from edgeshrink.compress.prune.experts.output_distances import OutputDistances
from edgeshrink.compress.prune.experts.routed import RoutedExperts, Watcher
from edgeshrink.compress.prune.experts.router_rows import router_norms
from edgeshrink.compress.prune.experts.routing import Routing
from edgeshrink.compress.prune.experts.scores import ExpertScores, write_expert_scores
from edgeshrink.compress.prune.predictions import MOST_LOGITS, batches
from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.job_stages import Stages


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """Write the scores into `folder`. Parameters: see `score_experts`."""
    torch.set_num_threads(int(parameters["threads"]))
    stages = Stages(emit)
    folder, model_folder = Path(parameters["folder"]), Path(parameters["model"])
    facts = inspect_folder(model_folder, str(model_folder))
    experts, _ = experts_of(facts)
    text = Path(parameters["text"]).read_bytes().decode("utf-8")
    rows = calibration_rows(
        facts, text, tokens=int(parameters["tokens"]), length=int(parameters["length"]), seed=parameters["seed"]
    )
    stages.begin("load")
    model = load_frozen(model_folder, mixed=False)
    stages.begin("experts")
    arrays = observed(model, torch.from_numpy(rows), stages.step)
    arrays["router"] = router_norms(facts)
    wrong = sorted(name for name, value in arrays.items() if not np.isfinite(value).all())
    if wrong:
        raise RuntimeFailed(f"the scores of {wrong[0]} are not finite: the model computes nonsense on this text")
    write_expert_scores(folder, ExpertScores(experts.used, rows.size, str(parameters["text_sha256"]), **arrays))
    return stages.result([])


def observed(model: Any, rows: Tensor, tell: Callable[[int, int, str], None]) -> dict[str, Any]:
    """What all watchers saw of `model`, frozen, over `rows` (n, length): arrays by the names of `ExpertScores`."""
    watchers: tuple[Watcher, ...] = (
        Routing(model),
        ActivationNorm(model),
        Attribution(model),
        ChannelImportance(model),
        OutputDistances(model),
    )
    # Nothing of a frozen model asks for a gradient, so the first states have to.
    wanting = model.get_input_embeddings().register_forward_hook(lambda _module, _given, out: out.requires_grad_())
    done = 0
    try:
        with RoutedExperts(model, watchers):
            for batch in batches(rows):
                _backward(model, batch)
                done += batch.numel()
                tell(done, rows.numel(), "tokens")
    finally:
        wanting.remove()
    return {name: value for watcher in watchers for name, value in watcher.arrays().items()}


def _backward(model: Any, tokens: Tensor) -> None:
    """The gradient of the summed cross-entropy of `tokens` (rows, length), MOST_LOGITS logits at a time."""
    states, head = hidden_states(model, tokens), head_weight(model).detach()
    flat = states.detach()[:, :-1].flatten(0, 1).requires_grad_()
    expected = tokens[:, 1:].flatten()
    step = max(1, MOST_LOGITS // head.shape[0])
    for first in range(0, len(flat), step):
        logits = flat[first : first + step] @ head.T
        torch.nn.functional.cross_entropy(logits, expected[first : first + step], reduction="sum").backward()
    gradients = torch.zeros_like(states)
    assert flat.grad is not None
    gradients[:, :-1] = flat.grad.unflatten(0, (tokens.shape[0], -1))
    states.backward(gradients)
