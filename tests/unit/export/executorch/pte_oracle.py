"""Jobs for a child process: random models by transformers, and a `.pte` beside the model it was made of."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Emit = Callable[[dict[str, object]], None]
_SEED = 11


def make_models(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`models`: folder -> configuration; random float32 weights, norms and biases too, written as safetensors."""
    warnings.simplefilter("ignore")
    import torch
    import transformers

    for folder, settings in parameters["models"].items():
        config = transformers.AutoConfig.for_model(**settings)
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        generator = torch.Generator().manual_seed(_SEED)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2 + ("norm" in name))
        model.save_pretrained(folder)
    return {}


def compare_all(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`pairs`: name -> what `compare` takes."""
    return {name: compare(pair, emit) for name, pair in parameters["pairs"].items()}


def compare(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Logits of `pte` and of transformers' model in `folder` over the same random ids, and 40 greedy tokens of each.

    `rounded`: the model's matrices are rounded first, to 4 bits in groups of 32 with a bfloat16 scale.
    "one_by_one" and "at_once": largest difference, of every position and of the last one; "cosine": of the first.
    """
    warnings.simplefilter("ignore")
    import executorch.kernels.quantized  # noqa: F401
    import torch
    import transformers
    from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401
    from executorch.runtime import Runtime

    model = transformers.AutoModelForCausalLM.from_pretrained(
        parameters["folder"], dtype=torch.float32, attn_implementation="eager"
    )
    if parameters.get("rounded"):
        _round_to_4_bits(model)
    program = Runtime.get().load_program(Path(parameters["pte"]))
    forward = program.load_method("forward")

    def run(ids: torch.Tensor, position: int) -> torch.Tensor:
        return forward.execute((ids, torch.tensor([position])))[0].clone()

    generator = torch.Generator().manual_seed(_SEED)
    ids = torch.randint(0, model.config.vocab_size, (1, 60), generator=generator)
    with torch.no_grad():
        expected = model(ids).logits[0]
        greedy = model.generate(ids[:, :5], max_new_tokens=40, min_new_tokens=40, do_sample=False)[0, 5:].tolist()
    found = torch.cat([run(ids[:, place : place + 1], place) for place in range(ids.shape[1])])
    at_once = run(ids, 0)
    own: list[int] = []
    logits = run(ids[:, :5], 0)
    while len(own) < len(greedy):
        own.append(int(logits.argmax()))
        logits = run(torch.tensor([own[-1:]]), 4 + len(own))
    constants = {name: program.load_method(name).execute(()) for name in program.method_names if name != "forward"}
    return {
        "one_by_one": float((found - expected).abs().max()),
        "at_once": float((at_once[0] - expected[-1]).abs().max()),
        "cosine": float(torch.nn.functional.cosine_similarity(found, expected).mean()),
        "greedy": greedy,
        "own": own,
        "constants": {name: list(value) for name, value in constants.items()},
    }


def _round_to_4_bits(model: Any) -> None:
    import torch

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                groups = module.weight.unflatten(1, (-1, 32))
                high, low = groups.amax(-1, keepdim=True), groups.amin(-1, keepdim=True)
                scale = torch.maximum(high / 7.5, -low / 7.5).bfloat16().float()
                module.weight.copy_(((groups / scale).round().clamp(-8, 7) * scale).flatten(1))
