"""A child job: what lm-evaluation-harness's own HFLM says, and what our session says, to the same requests."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edgeshrink.evaluate.subject import Subject


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    from edgeshrink.evaluate.harness.model import SessionModel

    context = int(parameters["context"])
    subject = Subject(Path(parameters["gguf"]), "llama_cpp", "cpu")
    with subject.open(context=context, threads=1) as session:
        ours = _answers(SessionModel(session, context, lambda: None), parameters)
    return {"ours": ours, "theirs": _answers(_hflm(parameters["source"], context), parameters)}


def _answers(model: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "pairs": model.loglikelihood([_request(*pair) for pair in parameters["pairs"]], disable_tqdm=True),
        "texts": model.loglikelihood_rolling([_request(text) for text in parameters["texts"]], disable_tqdm=True),
        "prompts": model.generate_until([_request(*prompt) for prompt in parameters["prompts"]], disable_tqdm=True),
    }


def _request(*arguments: Any) -> SimpleNamespace:
    return SimpleNamespace(args=arguments, task_name="")


def _hflm(source: str, context: int) -> Any:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(source, dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(source)
    # HFLM imports accelerate for models on several devices; one that is handed a loaded model needs none of it.
    for name in ("accelerate", "accelerate.utils"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__spec__ = ModuleSpec(name, None)
    for name in ("Accelerator", "InitProcessGroupKwargs", "find_executable_batch_size"):
        setattr(sys.modules["accelerate"], name, None)
    sys.modules["accelerate.utils"].get_max_memory = None  # type: ignore[attr-defined]
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=1, max_length=context)
