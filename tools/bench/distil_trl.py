"""TRL's GKDTrainer on rows of tokens, off-policy, forward KL: run by distil_speed.py with the Python that has TRL.

    python distil_trl.py ORDER.json     writes ORDER's "out" (JSON): seconds of each step; and the model, if told where

Everything is as in the other loops of the benchmark: the rows in their order, AdamW, linear fall after warm-up,
bfloat16 autocast, no gradient checkpointing (TRL's default would make it slower).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from datasets import Dataset
from tokenizers import Tokenizer, models
from torch.utils.data import SequentialSampler
from trl.experimental.gkd import GKDConfig, GKDTrainer


class InOrder(GKDTrainer):
    """Rows as they are given."""

    def _get_train_sampler(self, dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(dataset or self.train_dataset)


class Clock(transformers.TrainerCallback):
    """When each step ended."""

    def __init__(self) -> None:
        self.times = [time.perf_counter()]

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.perf_counter())


def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    tokens = torch.tensor([row["input_ids"] for row in rows])
    return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), "labels": tokens.clone()}


def words(vocabulary: int) -> transformers.PreTrainedTokenizerFast:
    """A tokenizer, since the trainer wants one; it reads no text."""
    tokenizer = Tokenizer(models.WordLevel({f"t{number}": number for number in range(vocabulary)}, unk_token="t0"))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="t2", eos_token="t1", bos_token="t0"
    )


def load(folder: str) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def main(order: dict[str, Any]) -> None:
    torch.set_num_threads(order["threads"])
    rows = np.load(order["rows"])
    steps = len(rows) // order["batch"]
    config = GKDConfig(
        output_dir=order["scratch"],
        lmbda=0.0,
        beta=0.0,
        seq_kd=False,
        temperature=1.0,
        per_device_train_batch_size=order["micro"],
        gradient_accumulation_steps=order["batch"] // order["micro"],
        max_steps=steps,
        learning_rate=order["rate"],
        lr_scheduler_type="linear",
        warmup_steps=order["warmup"],
        weight_decay=order["decay"],
        adam_beta2=0.95,
        max_grad_norm=1.0,
        bf16=order["mixed"],
        use_cpu=True,
        gradient_checkpointing=False,
        max_length=None,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=0,
        dataloader_num_workers=0,
    )
    student, clock = load(order["student"]), Clock()
    trainer = InOrder(
        model=student,
        teacher_model=load(order["teacher"]),
        args=config,
        data_collator=collate,
        train_dataset=Dataset.from_dict({"input_ids": rows.tolist()}),
        processing_class=words(student.config.vocab_size),
        callbacks=[clock],
    )
    trainer.train()
    if order["model"]:
        trainer.model.save_pretrained(order["model"])
    seconds = [later - earlier for earlier, later in zip(clock.times, clock.times[1:], strict=False)]
    Path(order["out"]).write_text(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
