"""Tiny models on the grid of ONNX and of ExecuTorch, exported and run: a job of one child process, which imports torch.

Nothing is trained: weights and scales are moved at random, as if they had been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

LENGTH = 48


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """`models`: case -> [folder, format, scheme]; each is written to `work`/case. For each: how the file agrees with
    its codes and its probe, and how one does that was rounded anew or has the probe of other tokens."""
    import torch

    torch.set_num_threads(1)
    cases = {
        case: _case(Path(parameters["work"]) / case, Path(model), format, scheme)
        for case, (model, format, scheme) in parameters["models"].items()
    }
    return {**cases, "layouts": _layouts()}


def _layouts() -> dict[str, bool]:
    """Are 4-bit codes laid out as XNNPACK's serializer does it, and as the operator that looks rows up reads them?"""
    import torch
    from executorch.backends.xnnpack.operators.node_visitor import NodeVisitor
    from executorch.exir.passes import _quant_patterns_and_replacements  # noqa: F401  (defines embedding_4bit)

    from edgeshrink.export.executorch.codes import Trained

    random = np.random.default_rng(3)
    codes = random.integers(-8, 8, (6, 64)).astype(np.int8)
    scales = random.uniform(0.5, 2, (6, 2)).astype(np.float32)
    matrix = Trained("head", "lm_head.weight", "i4g32", codes, scales)
    table = Trained("embedding", "model.embed_tokens.weight", "i4g32f", codes, scales)
    read = torch.ops.quantized_decomposed.embedding_4bit(
        torch.frombuffer(bytearray(table.code_bytes()), dtype=torch.uint8).reshape(6, 32),
        torch.from_numpy(scales),
        None,
        -8,
        7,
        torch.arange(6),
    )
    spelt = (codes.reshape(6, 2, 32) * scales[..., None]).reshape(6, 64)
    return {
        "linear": matrix.code_bytes() == NodeVisitor.convert_to_qc4w(torch.from_numpy(codes)).numpy().tobytes(),
        "table": bool(np.allclose(read.numpy(), spelt)),
        "scales": matrix.scale_bytes() == torch.from_numpy(scales).bfloat16().view(torch.uint8).numpy().tobytes(),
    }


def _case(work: Path, model: Path, format: str, scheme: str) -> dict[str, Any]:
    from edgeshrink.catalog.grid import read_grid, read_probe
    from edgeshrink.compress.grid.grid_file import write_probe
    from edgeshrink.evaluate.checks.agreement import agreement, check_agreement
    from edgeshrink.export.executorch import trained as executorch
    from edgeshrink.export.onnx import trained as onnx
    from edgeshrink.runtimes import registry

    work.mkdir(parents=True)
    facts, plan = _planned(model, format, scheme)
    folder = _moved(work, facts, plan)
    facts, plan = _planned(folder, format, scheme)
    grid = read_grid(folder)
    assert grid is not None
    differ = onnx.onnx_codes_differ if format == "onnx" else executorch.executorch_codes_differ
    module = onnx if format == "onnx" else executorch
    _export(work / "as-trained", facts, plan, grid)
    with _here(module):
        found: dict[str, Any] = {"tensors": len(grid.tensors), "wrong": differ(work / "as-trained", grid, facts)}
        if format == "onnx":
            _export(work / "anew", facts, plan, None)
            found["wrong anew"] = differ(work / "anew", grid, facts)
    runtime = registry.runtime(plan.runtime)
    probe = read_probe(folder)
    assert probe is not None
    with runtime.load(work / "as-trained", context=LENGTH, threads=1, delegate=plan.delegate, exact=True) as session:
        found["agreement"] = agreement(session, *probe)
        found["check"] = check_agreement(session, folder, format).outcome
        write_probe(folder, probe[0], np.roll(probe[1], 1, axis=0))
        found["check of other tokens"] = check_agreement(session, folder, format).outcome
    return found


def _planned(model: Path, format: str, scheme: str) -> tuple[Any, Any]:
    from edgeshrink.core.request import Request
    from edgeshrink.engine.opened import open_model
    from edgeshrink.engine.situation import find_situation
    from edgeshrink.planning.resolve import plan_for

    request = Request(model=str(model), format=format, scheme=scheme, context=128, target="laptop-cpu", offline=True)
    opened = open_model(request)
    return opened.facts, plan_for(find_situation(request, opened, None), scheme)


def _moved(work: Path, facts: Any, plan: Any) -> Path:
    """The folder of a model whose latent weights and scales stand elsewhere than where they began."""
    import torch

    from edgeshrink.compress.corpus.writing import CorpusWriter
    from edgeshrink.compress.distill.models import load_model
    from edgeshrink.compress.grid.form import GridForm
    from edgeshrink.compress.training.distributed import World
    from edgeshrink.compress.training.torchrun import Place
    from edgeshrink.engine.trained_codes import rounded_tensors

    ids = np.random.default_rng(1).integers(3, 4096, LENGTH).tolist()
    with CorpusWriter(work / "corpus", length=LENGTH, vocab_size=4096, bos_id=None) as writer:
        for part in ("train", "held_out"):
            writer.add(part, ids, [1] * LENGTH)
        writer.finish()
    planned = rounded_tensors(plan)
    form = GridForm(
        {
            "format": plan.format,
            "scheme": plan.scheme,
            "settings": dict(plan.settings),
            "tensors": {name: tensor.type for name, tensor in planned.items()},
            "gguf_names": {name: tensor.name for name, tensor in planned.items()},
            "importance": None,
            "probe_rows": str(work / "corpus"),
        }
    )
    student = load_model(facts.source.path)
    form.prepare(student)
    with torch.no_grad():
        for number, value in enumerate(student.parameters()):
            noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(number))
            value += 0.02 * noise * (value.std() if value.dim() > 1 else 1)
    form.write(facts, student, work / "model", World(Place(), torch.device("cpu")))
    return work / "model"


def _export(out: Path, facts: Any, plan: Any, grid: Any) -> None:
    from edgeshrink.catalog.tokenizers import read_vocabulary
    from edgeshrink.core.events import silent
    from edgeshrink.export.executorch import language as executorch
    from edgeshrink.export.onnx import language as onnx

    out.mkdir()
    module = onnx if plan.format == "onnx" else executorch
    write = onnx.write_onnx if plan.format == "onnx" else executorch.write_executorch
    with _here(module):
        write(out, facts, plan, vocabulary=read_vocabulary(facts), threads=1, log=None, listener=silent, trained=grid)


@contextmanager
def _here(module: ModuleType) -> Iterator[None]:
    """Its jobs run in this process, which is a child already."""
    import importlib

    def run(job: str, parameters: dict[str, Any], **_: Any) -> dict[str, object]:
        name, _, function = job.partition(":")
        return getattr(importlib.import_module(name), function)(parameters, lambda _: None)

    through = module.run_job
    module.run_job = run  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.run_job = through  # type: ignore[attr-defined]
