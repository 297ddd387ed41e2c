"""Families of Hugging Face encoders and image models that are built from their folder, one row each.

A new family whose inputs are the same is a new row here. Facts from transformers' configuration and modeling files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """`inputs` are the forward arguments in their order. `unused_positions`: rows of the position table before the
    first that a text uses (RoBERTa begins at the padding id plus one)."""

    model_type: str
    kind: Literal["text", "image"]
    inputs: tuple[str, ...]
    unused_positions: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """What a class name ends with, transformers' auto class for it, and its outputs; none named: those it returns."""

    suffix: str
    auto_class: str
    outputs: tuple[str, ...] = ()


_PAIR = ("input_ids", "attention_mask")
_WITH_TYPES = (*_PAIR, "token_type_ids")
_PIXELS = ("pixel_values",)
_TABLE = (
    Family("albert", "text", _WITH_TYPES),
    Family("bert", "text", _WITH_TYPES),
    Family("distilbert", "text", _PAIR),
    Family("electra", "text", _WITH_TYPES),
    Family("mpnet", "text", _PAIR, unused_positions=2),
    Family("roberta", "text", _PAIR, unused_positions=2),
    Family("xlm-roberta", "text", _PAIR, unused_positions=2),
    Family("convnext", "image", _PIXELS),
    Family("convnextv2", "image", _PIXELS),
    Family("deit", "image", _PIXELS),
    Family("dinov2", "image", _PIXELS),
    Family("mobilenet_v1", "image", _PIXELS),
    Family("mobilenet_v2", "image", _PIXELS),
    Family("regnet", "image", _PIXELS),
    Family("resnet", "image", _PIXELS),
    Family("vit", "image", _PIXELS),
)
FAMILIES: dict[str, Family] = {row.model_type: row for row in _TABLE}

# Heads that only train an encoder (masked words) are left out: what an app runs is the encoder.
TASKS = (
    Task("ForImageClassification", "AutoModelForImageClassification", ("logits",)),
    Task("ForSequenceClassification", "AutoModelForSequenceClassification", ("logits",)),
    Task("ForTokenClassification", "AutoModelForTokenClassification", ("logits",)),
    Task("ForQuestionAnswering", "AutoModelForQuestionAnswering", ("start_logits", "end_logits")),
    Task("ForMaskedLM", "AutoModel"),
    Task("ForMaskedImageModeling", "AutoModel"),
    Task("ForPreTraining", "AutoModel"),
    Task("Model", "AutoModel"),
)


def task_of(class_name: str) -> Task | None:
    """The task of a class of transformers ("BertForSequenceClassification"); no class named means the bare model."""
    if not class_name:
        return TASKS[-1]
    if class_name.endswith(("LMHeadModel", "DoubleHeadsModel")):
        return None
    return next((task for task in TASKS if class_name.endswith(task.suffix)), None)
