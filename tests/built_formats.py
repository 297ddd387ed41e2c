"""Language models built by the package's own rooms, without the engine, in any format: for tests that run them."""

from __future__ import annotations

from pathlib import Path

from built_gguf import build_gguf

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.profiles import load_profiles
from edgeshrink.catalog.targets import load_target
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.events import silent
from edgeshrink.core.plan import Plan, Predictions
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.planning.layout import layout
from edgeshrink.planning.resolve import Situation

FLOAT = {"gguf": "F32", "onnx": "fp32", "executorch": "fp32"}
MAIN_FILE = {"gguf": "model.gguf", "onnx": "model.onnx", "executorch": "model.pte"}
"""The file in the folder of a built model that names it."""


def build_format(
    source: Path, folder: Path, format: str, *, scheme: str | None = None, delegate: str | None = None
) -> Path:
    """`source` as `format` into the new `folder`, unquantized unless `scheme` says otherwise; the main file's path."""
    scheme = scheme or FLOAT[format]
    folder.mkdir(parents=True)
    path = folder / MAIN_FILE[format]
    if format == "gguf":
        build_gguf(source, path, scheme)
        return path
    facts = inspect_model(str(source))
    vocabulary = read_vocabulary(facts)
    target = load_target("laptop-cpu")
    situation = Situation(
        request=Request(model=str(source), format=format, scheme=scheme, delegate=delegate),
        facts=facts,
        target=target,
        profile=load_profiles()[0],
        layout=layout(facts),
        header=model_metadata(facts, name="test", file_type=0),
        tokenizer_bytes=sum(file.stat().st_size for file in facts.tokenizer_files),
        calibration=None,
        on_this_host=False,
    )
    planner = situation.planner
    nothing = Unmeasured("not asked")
    plan = Plan(
        target=target.id,
        profile=situation.profile.id,
        format=format,
        runtime=situation.format.runtime,
        delegate=situation.delegate,
        scheme=scheme,
        context=situation.context,
        model_type=facts.model_type,
        tensors=planner.tensors(situation, scheme),
        uses_imatrix=False,
        steps=(),
        predictions=Predictions(nothing, nothing, nothing, nothing, nothing, nothing, nothing),
        settings=planner.settings(situation),
    )
    if format == "onnx":
        from edgeshrink.export.onnx.language import write_onnx

        write_onnx(folder, facts, plan, vocabulary=vocabulary, log=None, listener=silent)
    else:
        from edgeshrink.export.executorch.language import write_executorch

        write_executorch(folder, facts, plan, vocabulary=vocabulary, threads=1, log=None, listener=silent)
    return path
