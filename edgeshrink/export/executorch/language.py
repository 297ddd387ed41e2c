"""A causal language model as a folder for ExecuTorch: `model.pte` and the tokenizer's files beside it.

`forward(tokens int64 (1, T), input_pos int64 (1,)) -> logits float32 (1, vocabulary)` of the last token, T from 1 to
the planned context (for Core ML, T is 1): prefill and decode are the same method. The other methods return one value
each, under the names that ExecuTorch's language model runner reads (extension/llm/runner).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter

from edgeshrink.core.events import Listener
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.grid import Grid
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Plan
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import StepFailed, UnsupportedModel
from edgeshrink.export.executorch.tokenizer import write_tokenizer
from edgeshrink.planning.executorch import pte_bytes
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.job_stages import export_times
from edgeshrink.runtimes.progress import forward

FILE = "model.pte"
_OVER = 0.02
# Its partitioner cuts a graph where lengths vary into pieces that its converter then refuses (coremltools 9).
_FIXED_LENGTHS = ("coreml",)


def write_executorch(
    folder: Path,
    facts: ModelFacts,
    plan: Plan,
    *,
    vocabulary: Vocabulary,
    threads: int,
    log: Path | None,
    listener: Listener,
    trained: Grid | None = None,
) -> ExportTimes:
    """Fill the existing empty `folder`. All that the libraries say goes to `log`. `trained`: the codes that are written
    as they are.

    UnsupportedModel for a GGUF source, DataError for weights that do not fit their configuration, StepFailed where
    the file is more than 2 % larger than planned, RuntimeFailed where the libraries fail.
    """
    if facts.source.kind == "gguf":
        raise UnsupportedModel(
            f"{facts.source.path}: ExecuTorch files are exported from a Hugging Face folder, not from a GGUF",
            hint="give the folder (config.json and *.safetensors) that the GGUF was made from",
        )
    unfinished = folder / f"{FILE}.part"
    parameters: dict[str, object] = {
        "facts": TypeAdapter(ModelFacts).dump_python(facts, mode="json"),
        "types": {tensor.name: tensor.type for tensor in plan.tensors},
        "delegate": plan.delegate,
        "context": plan.context,
        "longest": longest_call(plan),
        "file": str(unfinished),
        "constants": runner_constants(facts, plan, vocabulary),
        "threads": threads,
        "trained": None if trained is None else str(trained.file.parent),
    }
    told = forward(listener, f"export {plan.scheme}")
    try:
        result = run_job("edgeshrink.export.executorch.job:export_job", parameters, on_event=told, log=log)
        contents = cast(dict[str, Any], result["contents"])
        check_size(unfinished, plan, facts.n_layers, contents["parts"])
        unfinished.replace(folder / FILE)
    finally:
        unfinished.unlink(missing_ok=True)
    return replace(export_times(result), notes=write_tokenizer(facts, folder))


def longest_call(plan: Plan) -> int:
    """Tokens that one call may take: the whole context, or one where the delegate wants every length fixed."""
    return 1 if plan.delegate in _FIXED_LENGTHS else plan.context


def runner_constants(facts: ModelFacts, plan: Plan, vocabulary: Vocabulary) -> dict[str, object]:
    """Methods without inputs and what they return, as ExecuTorch's runner asks for them."""
    stops = list(vocabulary.stop_ids) or ([] if vocabulary.eos_id is None else [vocabulary.eos_id])
    constants: dict[str, object] = {
        "get_max_seq_len": longest_call(plan),
        "get_max_context_len": plan.context,
        "get_vocab_size": facts.vocab_size,
        "get_n_layers": facts.n_layers,
        "use_kv_cache": True,
        "use_sdpa_with_kv_cache": True,
        "enable_dynamic_shape": longest_call(plan) > 1,
    }
    if vocabulary.bos_id is not None:
        constants["get_bos_id"] = vocabulary.bos_id
    if stops:
        constants["get_eos_ids"] = stops
    return constants


def check_size(file: Path, plan: Plan, layers: int, parts: dict[str, int]) -> None:
    """StepFailed, with where the bytes are, for a file that is more than 2 % larger than planned."""
    expected, found = pte_bytes(plan.tensors, layers, delegate=plan.delegate), file.stat().st_size
    if found <= expected * (1 + _OVER):
        return
    weights = sum(tensor.nbytes for tensor in plan.tensors)
    lie = ", ".join(f"{name} {size:,}" for name, size in parts.items())
    raise StepFailed(
        f"model.pte has {found:,} bytes, {found / expected - 1:.1%} more than the plan's {expected:,}: {lie}; "
        f"planned for weights: {weights:,}",
        hint="a tensor stands in the file more than once, or the delegate stored it in a wider type: see `duplicates`",
    )
