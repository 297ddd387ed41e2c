"""Tiny random models, written as ONNX and compared with transformers: jobs of a child process, which imports torch."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeshrink.errors import StepFailed

Emit = Callable[[dict[str, object]], None]

VOCAB = 4096  # the demo tokenizer's
CONTEXT = 200
SHAPE = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "bos_token_id": 0,
    "eos_token_id": 1,
}
IDS = [int(number) for number in np.random.default_rng(5).integers(3, VOCAB, 120)]


def compare(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`cases`: name -> {"config", "scheme", "delegate", "spoiled", "tokenizer"}; each is built in `folder` from a
    random model.

    Returns for each the largest difference of any logit to transformers (float32, eager), the largest logit, and the
    correlation of both; nothing of what cannot run here; of one whose weight `spoiled` is beyond float16, the error
    and the files that are left. `tokenizer` is a folder to take the tokenizer from where a case names none.
    """
    import torch
    import transformers

    root, found = Path(parameters["folder"]), {}
    for name, case in parameters["cases"].items():
        source, built = root / name, root / f"{name}-built"
        config = transformers.AutoConfig.for_model(**{**SHAPE, **case["config"]})
        model = _random(transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager"))
        if case.get("spoiled"):
            with torch.no_grad():
                model.get_parameter(case["spoiled"])[7, 7] = 1e6
        model.save_pretrained(source)
        for file in Path(case.get("tokenizer", parameters["tokenizer"])).glob("tokenizer*"):
            shutil.copy(file, source / file.name)
        try:
            build(source, built, case["scheme"], delegate=case.get("delegate", "cpu"))
        except StepFailed as error:
            found[name] = {"error": error.message, "left": [file.name for file in built.iterdir()]}
            continue
        if case.get("delegate", "cpu") != "cpu":
            continue
        with torch.no_grad():
            expected = model(torch.tensor([IDS])).logits[0].numpy()
        logits = run(built / "model.onnx", model.config.num_key_value_heads, model.config.head_dim)
        found[name] = {
            "difference": float(np.abs(logits - expected).max()),
            "largest": float(np.abs(expected).max()),
            "correlation": float(np.corrcoef(logits.ravel(), expected.ravel())[0, 1]),
        }
    return found


def build(
    source: Path,
    folder: Path,
    scheme: str,
    *,
    delegate: str = "cpu",
    context: int = CONTEXT,
    adapter_weights: Sequence[str] = (),
) -> None:
    """`source` as ONNX into the new `folder`, in this process."""
    from edgeshrink.catalog.models import inspect_model
    from edgeshrink.catalog.tokenizers import read_vocabulary
    from edgeshrink.core.events import silent
    from edgeshrink.export.onnx import language, language_job

    def here(job: str, parameters: dict[str, Any], **_: Any) -> dict[str, object]:
        return language_job.job(parameters, lambda event: None)

    facts = inspect_model(str(source))
    folder.mkdir()
    through = language.run_job
    language.run_job = here  # type: ignore[assignment]
    try:
        planned = plan(facts, scheme, delegate=delegate, context=context)
        language.write_onnx(
            folder,
            facts,
            planned,
            vocabulary=read_vocabulary(facts),
            log=None,
            listener=silent,
            adapter_weights=adapter_weights,
        )
    finally:
        language.run_job = through


def situation(facts: Any, scheme: str, *, delegate: str = "cpu", context: int = CONTEXT, **request: Any) -> Any:
    """What planning is asked with; the jetson target has both delegates."""
    from edgeshrink.catalog.profiles import load_profile
    from edgeshrink.catalog.targets import load_target
    from edgeshrink.core.request import Request
    from edgeshrink.planning.layout import layout
    from edgeshrink.planning.resolve import Situation

    return Situation(
        request=Request(format="onnx", scheme=scheme, delegate=delegate, context=context, **request),
        facts=facts,
        target=load_target("jetson"),
        profile=load_profile("jetson-orin-nano-8gb"),
        layout=layout(facts),
        header=(),
        tokenizer_bytes=sum(file.stat().st_size for file in facts.tokenizer_files),
        calibration=None,
        on_this_host=False,
    )


def plan(facts: Any, scheme: str, *, delegate: str = "cpu", context: int = CONTEXT) -> Any:
    from edgeshrink.planning.resolve import plan_for

    return plan_for(situation(facts, scheme, delegate=delegate, context=context), scheme)


def run(file: Path, kv_heads: int, head_dim: int, *, output: str = "logits") -> Any:
    """`output` (120, columns) for IDS from an empty cache, in onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    feed = {"input_ids": np.array([IDS]), "attention_mask": np.ones((1, len(IDS)), np.int64)}
    empty = np.zeros((1, kv_heads, 0, head_dim), np.float32)
    feed |= {entry.name: empty for entry in session.get_inputs() if entry.name.startswith("past")}
    return session.run([output], feed)[0][0]


def _random(model: Any) -> Any:
    import torch

    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            values = torch.randn(weights.shape, generator=generator)
            weights.copy_(1 + 0.3 * values if name.endswith("norm.weight") else 0.12 * values)
    return model.eval()
