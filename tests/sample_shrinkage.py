"""A smaller model as a build would make it: pruned, healed from the original, and a table of what each step bought."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from sample_behaviour import HOSTILE, sample_behaviour

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.shape import Shape
from edgeshrink.core.shrinking import (
    SHRINK_SCHEMA,
    ModelBrief,
    PruningTold,
    Shrinkage,
    ShrinkRung,
    ShrinkStep,
    SliceFailures,
)
from edgeshrink.core.training import (
    GateCheck,
    HeldOutPoint,
    ObjectiveSettings,
    Point,
    TextSource,
    TrainingRecord,
    TrainingSettings,
)

WHOLE = Shape(layers=5, hidden=256, ffn=768, heads=4, kv_heads=2, head_dim=64, vocab=4096)
CUT = replace(WHOLE, layers=4, ffn=512)
TEACHER = ModelBrief("acme/demo-5M", "ab" * 32, "llama", WHOLE, 4_983_552, 9_967_104, "cc0-1.0")
PRUNED = ModelBrief("pruned", "cd" * 32, "llama", CUT, 3_345_408, 6_690_816, "cc0-1.0")
STUDENT = replace(PRUNED, name="student", digest="ef" * 32)
BATCH = 4096

SOURCES = (
    TextSource("books/german.txt", "11" * 32, 1_204_331, 412, 301_877, "cc0-1.0"),
    TextSource("acme/answers", "22" * 32, 88_020, 1_210, 24_031, "cc-by-nd-4.0"),
    TextSource("notes.jsonl", "33" * 32, 9_120, 37, 2_310, None),
)

FAILURES = (
    SliceFailures("arithmetic", 200, 3, 31, 2),
    SliceFailures("tools/json", 100, 1, 0, 0),
    SliceFailures("long-context/recall", 120, 5, 9, 4),
    SliceFailures("format/stop", 150, 0, 0, 0),
)


def sample_record(*, steps: int = 240, planned: int = 240) -> TrainingRecord:
    """A run that fell from 2.1 to about 0.09 nats a token and was stopped by the gates; seeded."""
    random = Random("sample record")
    points = tuple(
        Point(
            step,
            step * BATCH,
            0.7 * step,
            0.085 + 2.0 * math.exp(-step / 45) + random.gauss(0, 0.006),
            1e-3 * min(1.0, step / 20, (planned - step + 1) / (0.8 * planned)),
            6000 + random.gauss(0, 120),
            (("forward KL", 0.08), ("cross-entropy", 0.005)),
        )
        for step in range(10, steps + 1, 10)
    )
    held_out = tuple(
        HeldOutPoint(step, 0.1 + 2.1 * math.exp(-step / 45), 2.61 + 1.8 * math.exp(-step / 45), None)
        for step in range(0, steps + 1, 60)
    )
    held_out = tuple(replace(point, bits_per_byte=point.cross_entropy / 2.9) for point in held_out)
    checks = (
        GateCheck(120, "FAIL", ("slice arithmetic", "slice text/de"), "slice arithmetic lost 31.0 points", 0.31),
        GateCheck(240, "PASS", (), "slice arithmetic lost 2.0 points", 0.094),
    )
    return TrainingRecord(
        objective=ObjectiveSettings(temperature=2.0, cross_entropy=0.1, cached=True),
        settings=TrainingSettings(steps=planned, batch_tokens=BATCH),
        planned_steps=planned,
        steps=steps,
        tokens=steps * BATCH,
        seconds=0.7 * steps,
        tokens_s=5851.0,
        workers=1,
        device="cpu, 2 threads, bfloat16",
        resumed=1,
        sources=SOURCES,
        points=points,
        held_out=held_out,
        checks=tuple(check for check in checks if check.step <= steps),
        stopped="the gates hold" if steps == planned else "",
        notes=("3 documents of notes.jsonl were longer than a row and were split.",),
        cache_bytes_per_token=98.0,
    )


def sample_prune_step() -> ShrinkStep:
    """From 5 layers to 4 and from 768 channels to 512, before any healing."""
    told = PruningTold(
        methods=("measured-kl", "ffn"),
        axes=(("layers", 5, 4), ("ffn", 768, 512)),
        kept_layers=(0, 1, 3, 4),
        calibration="edgeshrink/_demo/calibration.txt",
        calibration_sha256="44" * 32,
        calibration_tokens=16_384,
        why="least mean KL of 3 shapes with at most 67 % of the parameters",
        considered=(
            ("4 layers, ffn 512", 0.671, 0.412),
            ("3 layers", 0.668, 1.932),
            ("ffn 256", 0.665, 0.877),
        ),
    )
    return ShrinkStep(
        schema=SHRINK_SCHEMA,
        version="0.1.0",
        kind="prune",
        title="Prune to 67 %",
        before=TEACHER,
        after=PRUNED,
        teacher=TEACHER,
        pruning=told,
        training=None,
        behaviour=sample_behaviour(),
        failures=FAILURES,
        seconds=41.0,
        command=("edgeshrink", "prune", "acme/demo-5M", "--params", "0.67", "-o", "pruned"),
        notes=("measured before any healing",),
    )


def sample_sparse_step() -> ShrinkStep:
    """Half of the weights are zero: smaller to download, no faster."""
    step = sample_prune_step()
    assert step.pruning is not None
    told = replace(
        step.pruning,
        methods=("wanda",),
        axes=(),
        kept_layers=(0, 1, 2, 3, 4),
        runtime_faster=False,
        warning="zeros are not skipped by any runtime here: it will not be faster, only a compressed copy is smaller",
        considered=(),
    )
    return replace(step, title="Wanda, half zeros", after=replace(TEACHER, name="sparse", zeros=0.5), pruning=told)


def sample_step() -> ShrinkStep:
    """The pruned model, distilled from the whole one; kept."""
    return ShrinkStep(
        schema=SHRINK_SCHEMA,
        version="0.1.0",
        kind="distill",
        title="Distil from acme/demo-5M",
        before=PRUNED,
        after=STUDENT,
        teacher=TEACHER,
        pruning=None,
        training=sample_record(),
        behaviour=sample_behaviour(),
        failures=FAILURES,
        seconds=201.5,
        command=("edgeshrink", "distill", "--teacher", "acme/demo-5M", "--student", "pruned", "-o", "student"),
        kept=True,
        why="fails 4 gates, its start 21",
        notes=(),
    )


def sample_hostile_step() -> ShrinkStep:
    """Every free text of a step that comes from files and models, hostile."""
    step = sample_step()
    assert step.training is not None
    source = replace(SOURCES[0], name=HOSTILE, license=HOSTILE)
    record = replace(step.training, sources=(source,), notes=(HOSTILE,), stopped=HOSTILE)
    return replace(
        step,
        title=HOSTILE,
        before=replace(step.before, name=HOSTILE),
        teacher=replace(step.teacher, name=HOSTILE, license=HOSTILE),
        training=record,
        failures=(replace(FAILURES[0], slice=HOSTILE),),
        command=("edgeshrink", HOSTILE),
        why=HOSTILE,
        notes=(HOSTILE,),
    )


def sample_shrinkage() -> Shrinkage:
    """Quantization alone did not fit or lost too much; pruning and distilling paid."""
    kl = Measured(0.121, 8192, 0.113, 0.129)
    rungs = (
        ShrinkRung("Whole model", "Q4_K_M", 4_983_552, 3_098_000, 2.1, 0, Measured(0.012, 8192), 0, 0.21, False, False,
                   "3.0 MiB > 2.1 MiB"),
        ShrinkRung("Whole model", "Q2_K", 4_983_552, 2_050_000, 2.2, 0, Measured(0.842, 8192, 0.81, 0.88), 19, 6.4,
                   True, False, "fails 19 gates"),
        ShrinkRung("Prune to 67 %", "Q4_K_M", 3_345_408, 2_095_000, 41.0, 0, Measured(0.61, 8192, 0.58, 0.64), 21, 5.1,
                   True, False, "fails 21 gates, plain quantization 19"),
        ShrinkRung("Distil from acme/demo-5M", "Q4_K_M", 3_345_408, 2_095_000, 201.5, 983_040, kl, 4, 0.7, True, True,
                   "fails 4 gates, its start 21, plain quantization 19"),
    )  # fmt: skip
    return Shrinkage((sample_prune_step(), sample_step()), rungs)


def sample_refused_shrinkage() -> Shrinkage:
    """Nothing smaller could be made that holds its floor."""
    found = sample_shrinkage()
    refused = replace(
        found.rungs[-1],
        mean_kl=Unmeasured("the suite ended before the text was read"),
        gates_failed=None,
        score=None,
        fits=None,
        kept=False,
        why="nothing was measured",
    )
    return Shrinkage(
        (found.steps[0], replace(found.steps[1], kept=False, why="fails 4 gates, its start 4: no better")),
        (*found.rungs[:-1], refused),
        refusal="no shape below 2.1 MiB holds the floor",
        nearest="2.6 MiB with Q4_K_M of 4.2 M parameters, or this budget with a mean KL of at most 0.14",
    )
