"""Adapters for tests: random updates in a folder as peft writes one, and peft's own word on what they do."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from edgeshrink.catalog.huggingface import inspect_folder

PREFIX = "base_model.model."
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_FULL: Mapping[str, Any] = {  # what peft 0.21 writes, but for the fields that no test changes
    "alora_invocation_tokens": None,
    "alpha_pattern": {},
    "base_model_name_or_path": "some/base",
    "bias": "none",
    "fan_in_fan_out": False,
    "inference_mode": True,
    "init_lora_weights": True,
    "layer_replication": None,
    "layers_to_transform": None,
    "loftq_config": {},
    "lora_bias": False,
    "lora_dropout": 0.0,
    "megatron_core": "megatron.core",
    "modules_to_save": None,
    "peft_type": "LORA",
    "peft_version": "0.21.2",
    "qalora_group_size": 16,
    "rank_pattern": {},
    "task_type": "CAUSAL_LM",
    "trainable_token_indices": None,
    "use_dora": False,
    "use_qalora": False,
    "use_rslora": False,
}


def write_random_adapter(
    folder: Path,
    base: Path,
    *,
    rank: int = 4,
    alpha: float = 8.0,
    targets: Sequence[str] = ALL,
    seed: int = 5,
    size: float = 0.15,
    config: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Updates of every layer `targets` of the model folder `base`, in the new `folder`; `config` changes fields."""
    random = np.random.default_rng(seed)
    tensors: dict[str, NDArray[Any]] = {}
    for tensor in inspect_folder(base, str(base)).tensors:
        name = tensor.name.removesuffix(".weight")
        if name.rpartition(".")[2] in targets:
            rows, columns = tensor.shape
            for half, shape in (("A", (rank, columns)), ("B", (rows, rank))):
                values = size * random.standard_normal(shape, np.float32)
                tensors[f"{PREFIX}{name}.lora_{half}.weight"] = values
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt", **(metadata or {})})
    told = {**_FULL, "r": rank, "lora_alpha": alpha, "target_modules": list(targets), **(config or {})}
    (folder / "adapter_config.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


@contextmanager
def quiet_peft() -> Iterator[Any]:
    """peft, without the warnings that its versions have for each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            import peft

            yield peft
        finally:
            logging.disable(logging.NOTSET)


def peft_logits(base: Path, adapter: Path | None, ids: Sequence[int]) -> NDArray[np.float32]:
    """(n, vocabulary) of the model with the adapter beside it, in float32, by transformers and peft."""
    import torch
    import transformers

    with quiet_peft() as peft, torch.no_grad():
        model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        if adapter is not None:
            model = peft.PeftModel.from_pretrained(model, adapter)
        logits: NDArray[np.float32] = model.eval()(torch.tensor([list(ids)])).logits[0].numpy()
    return logits
