"""Memory that a training run takes, before it starts: from sizes alone, no torch.

The bytes that a layer keeps for the way back were counted with torch's saved-tensor hooks on transformers' llama, qwen2
and qwen3 of many sizes: they are linear in hidden size, width of the feed-forward, and rows of q and of k; attention by
tiles keeps no square of the length. qwen3's norms of queries and keys are the largest case, and taken for all.
"""

from __future__ import annotations

from edgeshrink.core.model import ModelFacts
from edgeshrink.core.reading import Estimate
from edgeshrink.core.training import TrainingSettings
from edgeshrink.errors import PlanError
from edgeshrink.planning.layout import parameter_count

METHOD = "parameters, gradients, moments, what layers keep for the way back, the loss's chunk, the teacher"
LOGITS_AT_ONCE = 1 << 22
SHARD_BYTES = 1 << 30
"""Of a checkpoint: one such piece is copied while it is written."""

_FLOAT = 4
_LIBRARIES = 600 << 20  # torch and transformers, imported
_CHUNK_COPIES = 5  # logits, the teacher's, their softmaxes, and the gradient
_MARGIN = 1.25
_MIXED = (26, 8, 11, 11)  # bytes a token and layer for each of hidden, ffn, query rows, key rows
_FLOAT32 = (24, 16, 17, 17)
_FREE_SHARE = 0.9


def training_bytes(
    facts: ModelFacts,
    teacher: ModelFacts | None,
    settings: TrainingSettings,
    workers: int,
    *,
    mixed: bool = True,
    trained: int | None = None,
) -> Estimate:
    """Bytes that one of `workers` takes at its peak, with settings.micro_rows rows at once (None: one row). `trained`:
    how many numbers are, where those of the model itself are frozen (low-rank updates beside them); None: all."""
    rows = settings.micro_rows or 1
    each = row_bytes(facts, teacher, settings.length, mixed=mixed)
    fixed = fixed_bytes(facts, teacher, settings, workers, mixed=mixed, trained=trained)
    return Estimate(fixed + rows * each, METHOD)


def fixed_bytes(
    facts: ModelFacts,
    teacher: ModelFacts | None,
    settings: TrainingSettings,
    workers: int,
    *,
    mixed: bool,
    trained: int | None = None,
) -> int:
    """What does not grow with the rows at once."""
    count = parameter_count(facts)
    head = facts.vocab_size * facts.hidden_size
    moments = 2 if settings.optimizer == "adamw" else 1
    kept = _FLOAT * (2 + moments) * count if trained is None else _FLOAT * (count + (2 + moments) * trained)
    if settings.optimizer == "muon" and trained is None:
        kept += _FLOAT * head * (1 if facts.tied_embeddings else 2)  # AdamW for what is no inner matrix
    if settings.parallel == "fsdp" and workers > 1:
        kept = kept // workers + 2 * _FLOAT * (count // max(1, facts.n_layers) + head)
    casts = 2 * count if mixed else 0
    loss = LOGITS_AT_ONCE * _FLOAT * _CHUNK_COPIES + _FLOAT * head
    saving = min(SHARD_BYTES, 3 * _FLOAT * (count if trained is None else trained))
    return _LIBRARIES + kept + casts + max(loss, saving) + _teacher_bytes(teacher, mixed)


def row_bytes(facts: ModelFacts, teacher: ModelFacts | None, length: int, *, mixed: bool) -> int:
    """What one more row at once takes."""
    layer = _layer_bytes(facts, mixed)
    ends = 8 * _FLOAT * facts.hidden_size
    # The teacher keeps nothing for the way back: one layer's values live at a time, and the outputs that are compared.
    beside = 0 if teacher is None else _layer_bytes(teacher, mixed) + _FLOAT * teacher.hidden_size * teacher.n_layers
    return int(_MARGIN * length * (facts.n_layers * layer + ends + beside))


def planned_micro_rows(
    name: str,
    facts: ModelFacts,
    teacher: ModelFacts | None,
    settings: TrainingSettings,
    workers: int,
    *,
    rows: int,
    free: int,
    mixed: bool,
    where: str = "RAM",
    trained: int | None = None,
) -> int:
    """Rows at once of the `rows` that fall to one worker in a step, so that they fit in its `free` bytes.

    PlanError where not even one does, or not as many as were asked for.
    """
    fixed = fixed_bytes(facts, teacher, settings, workers, mixed=mixed, trained=trained)
    each = row_bytes(facts, teacher, settings.length, mixed=mixed)
    fits = (int(_FREE_SHARE * free) - fixed) // each
    wanted = settings.micro_rows or 1
    if fits < wanted:
        raise PlanError(
            f"training {name} needs about {(fixed + wanted * each) / 2**30:.1f} GiB of {where} for each worker and "
            f"{free / 2**30:.1f} GiB is free ({METHOD})",
            hint="lower --length, close other programs, share it among more workers "
            "(torchrun ... --parallel fsdp), or use a larger machine",
        )
    return settings.micro_rows or min(rows, fits)


def _layer_bytes(facts: ModelFacts, mixed: bool) -> int:
    hidden, ffn, queries, keys = _MIXED if mixed else _FLOAT32
    rows = queries * facts.n_heads + keys * facts.n_kv_heads
    attention = hidden * facts.hidden_size + rows * facts.head_dim
    experts = facts.experts
    if experts is None:
        return attention + ffn * facts.ffn_size
    # Every used expert has a copy of the token's state of its own, on the way in and on the way out.
    width = experts.used * experts.ffn + experts.shared_ffn
    return attention + ffn * width + 2 * _FLOAT * experts.used * facts.hidden_size


def _teacher_bytes(teacher: ModelFacts | None, mixed: bool) -> int:
    """Loaded as float32; in mixed precision its layers are halved afterwards, one by one."""
    return 0 if teacher is None else _FLOAT * parameter_count(teacher)
