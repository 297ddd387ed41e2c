"""The child's side of writing a language model: the model builder, then the edits of `language_graph`.

Only a child process imports this. Steps are counted in layers while it reads, in weights while it quantizes, in
tensors while it writes.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from edgeshrink.runtimes.job_stages import Stages

Emit = Callable[[dict[str, object]], None]

MODEL = "model.onnx"
DATA = "model.onnx.data"
CONFIG = "genai_config.json"
# What the builder leaves beside the model that belongs to the artifact.
_KEPT = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_READING = re.compile(r"Reading layer (\d+)")
# Rows of blocks that k-quants are searched for at once: its temporary arrays then stay in the cache, and small.
_GROUPS_AT_ONCE = 1 << 14


def job(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Write the model and genai_config.json to `out`."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")
    logging.basicConfig(level=logging.INFO)
    work, out = Path(parameters["work"]), Path(parameters["out"])
    work.mkdir(parents=True)
    stages = Stages(emit)
    _build(parameters, work, stages)
    _finish(parameters, work, out, stages)
    _write_config(parameters, work, out)
    for name in _KEPT:
        if (work / name).is_file():
            shutil.copyfile(work / name, out / name)
    _write_tokenizer(parameters, work, out)
    shutil.rmtree(work)
    return stages.result([])


def builder_options(parameters: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The builder's precision and its extra options for this scheme.

    fp16 on a CPU is built in float32: ONNX Runtime's CPU kernels compute in float32, and the builder's own float16
    graph does not run there. Its matrices are stored in half precision afterwards.
    """
    scheme, cpu = parameters["scheme"], parameters["delegate"] == "cpu"
    options = {
        "hf_remote": "false",
        "hf_token": "false",
        "shared_embeddings": str(parameters["tied"]).lower(),
        "windowed_kv_cache": "false",
    }
    if scheme in ("int4", "int8"):
        options["block_size"] = str(parameters["settings"]["block_size"])
    if scheme == "int4":
        options["algo_config"] = str(parameters["settings"].get("algorithm", "k_quant"))
        options["matmul_mixed_precision"] = "last_matmul:int8"
    return ("fp32" if scheme == "fp16" and cpu else scheme), options


def _build(parameters: dict[str, Any], work: Path, stages: Stages) -> None:
    stages.begin("import libraries")
    import torch
    from onnxruntime_genai.models import builder

    if parameters["threads"]:
        torch.set_num_threads(parameters["threads"])

    precision, options = builder_options(parameters)
    if parameters["trained"] is None:
        _search_in_slices(parameters["weights"], stages)
    else:
        _search_nothing()
    work_on = "quantize and save" if precision in ("int4", "int8") else "save"

    def said(line: str) -> None:
        layer = _READING.search(line)
        if layer:
            stages.step(int(layer[1]) + 1, parameters["layers"], "layers")
        elif line.startswith("Saving ONNX model"):
            stages.begin(work_on)
        elif line.startswith("Saving GenAI config"):
            stages.begin("finish and write")

    stages.begin("read")
    sys.stdout = _Watched(sys.stdout, said)
    try:
        source, cache = parameters["source"], str(work / "cache")
        given = [f"{key}={value}" for key, value in options.items()]
        prepared = builder.parse_extra_options(None, source, str(work), precision, parameters["delegate"], cache, given)
        builder.create_model(None, source, str(work), precision, parameters["delegate"], cache, **prepared)
    finally:
        sys.stdout = sys.__stdout__


def _finish(parameters: dict[str, Any], work: Path, out: Path, stages: Stages) -> None:
    import onnx_ir

    from edgeshrink.export.onnx import language_graph

    model = onnx_ir.load(work / MODEL)
    cos, sin = language_graph.rotary_tables(parameters["model_type"], Path(parameters["config"]), parameters["context"])
    language_graph.set_rotary(model, cos, sin)
    language_graph.set_windows(model, Path(parameters["config"]), parameters["context"])
    if parameters["scheme"] in ("int4", "int8"):
        language_graph.eight_bit_embedding(model, int(parameters["settings"]["block_size"]), tied=parameters["tied"])
    if parameters["trained"] is not None:
        from edgeshrink.catalog.grid_codes import trained_for
        from edgeshrink.export.onnx.language_codes import set_codes

        set_codes(model, trained_for(Path(parameters["trained"])))
    if parameters["scheme"] == "fp16" and parameters["delegate"] == "cpu":
        language_graph.store_in_half(model)
    if parameters["adapted"]:
        from edgeshrink.export.onnx.adapter_graph import add_adapter_inputs

        add_adapter_inputs(model, {layer: (rows, columns) for layer, (rows, columns) in parameters["adapted"].items()})
    done = 0

    def written(tensor: Any, info: Any) -> None:
        nonlocal done
        done += 1
        stages.step(done, info.total, "tensors")

    onnx_ir.save(model, out / MODEL, external_data=DATA, size_threshold_bytes=0, callback=written)


def _write_config(parameters: dict[str, Any], work: Path, out: Path) -> None:
    """genai_config.json with the planned context and every id that ends a generation."""
    config = json.loads((work / CONFIG).read_text(encoding="utf-8"))
    config["model"].update(context_length=parameters["context"], **parameters["special"])
    config["search"]["max_length"] = parameters["context"]
    (out / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _write_tokenizer(parameters: dict[str, Any], work: Path, out: Path) -> None:
    """A tokenizer.json where the source has tokenizer.model alone: genai cannot read that one.

    The builder saves what AutoTokenizer makes of it, which follows tokenizer_config.json even where that names a class
    that knows nothing of SentencePiece.
    """
    source = Path(parameters["source"])
    if not (source / "tokenizer.model").is_file() or (source / "tokenizer.json").is_file():
        return
    from transformers import LlamaTokenizer

    from edgeshrink.catalog.metaspace import as_sentencepiece

    made = work / "tokenizer"
    LlamaTokenizer.from_pretrained(source, add_bos_token=parameters["adds_bos"]).save_pretrained(made)
    data = json.loads((made / "tokenizer.json").read_text(encoding="utf-8"))
    (out / "tokenizer.json").write_text(json.dumps(as_sentencepiece(data), ensure_ascii=False), encoding="utf-8")


def _search_in_slices(weights: int, stages: Stages) -> None:
    """Let the builder's k-quant search see a slice of blocks at a time.

    Every block stands for itself, so the result is the same; at once, its arrays take forty bytes per weight of the
    largest matrix. `weights` is how many there are to search for.
    """
    import numpy
    from onnxruntime.quantization.neural_compressor import weight_only

    search = weight_only.quant_tensor_k_quant_cpu
    seen = 0

    def sliced(data: Any, num_bits: int = 4, group_size: int = 32) -> tuple[Any, Any, Any]:
        nonlocal seen
        blocks = numpy.reshape(data, (-1, group_size))
        found = []
        for start in range(0, len(blocks), _GROUPS_AT_ONCE):
            part = blocks[start : start + _GROUPS_AT_ONCE]
            codes, scale, zero = search(part, num_bits, group_size)
            found.append((codes.astype(numpy.uint8), scale, zero))
            seen += part.size
            stages.step(min(seen, weights), weights, "weights")  # padding counts as weights
        codes, scale, zero = (numpy.concatenate(parts) for parts in zip(*found, strict=True))
        return codes, scale, zero

    weight_only.quant_tensor_k_quant_cpu = sliced
    weight_only.quant_tensor_k_quant_cuda = sliced


def _search_nothing() -> None:
    """Let the builder's k-quant search answer at once: its codes are replaced by those that were trained."""
    import numpy
    from onnxruntime.quantization.neural_compressor import weight_only

    def answered(data: Any, num_bits: int = 4, group_size: int = 32) -> tuple[Any, Any, Any]:
        blocks = numpy.reshape(data, (-1, group_size))
        ones = numpy.ones((len(blocks), 1), numpy.float64)
        return numpy.zeros(blocks.shape, numpy.uint8), ones, numpy.zeros(ones.shape, numpy.uint8)

    weight_only.quant_tensor_k_quant_cpu = answered
    weight_only.quant_tensor_k_quant_cuda = answered


class _Watched:
    """A text stream that goes on to another one, and hands on every text that the builder prints."""

    def __init__(self, stream: TextIO, said: Callable[[str], None]) -> None:
        self._stream = stream
        self._said = said

    def write(self, text: str) -> int:
        self._said(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
