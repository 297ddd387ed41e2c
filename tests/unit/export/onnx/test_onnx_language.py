"""A language model as ONNX: every architecture computes what transformers computes, and the folder is complete."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.events import Progress, silent
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import DataError, UnsupportedModel
from edgeshrink.export.onnx.language import write_onnx
from edgeshrink.runtimes.child import run_job

HERE = Path(__file__).parent
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime_genai")
pytest.importorskip("transformers")

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}
WINDOW = {"sliding_window": 64, "use_sliding_window": True, "max_window_layers": 1}

FLOAT: dict[str, dict[str, Any]] = {
    "llama-llama3-biases": {
        "model_type": "llama",
        "attention_bias": True,
        "mlp_bias": True,
        "rope_parameters": LLAMA3,
    },
    "llama-tied-yarn": {"model_type": "llama", "tie_word_embeddings": True, "rope_parameters": YARN},
    "llama-linear": {"model_type": "llama", "rope_parameters": LINEAR},
    "mistral-window-wide-heads": {"model_type": "mistral", "sliding_window": 64, "head_dim": 32},
    "qwen2-window-tied": {"model_type": "qwen2", "tie_word_embeddings": True, **WINDOW},
    "qwen3-tied-wide-heads": {"model_type": "qwen3", "tie_word_embeddings": True, "head_dim": 32},
}
# Rows that do not fill their last block: 80 columns in blocks of 32.
PADDED = {"model_type": "llama", "hidden_size": 80, "num_attention_heads": 5, "num_key_value_heads": 1}
# Three blocks a row: zero points of four bits do not fill whole bytes.
ODD = {"model_type": "llama", "hidden_size": 96, "num_attention_heads": 6, "num_key_value_heads": 2}
OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "fp16": ({"model_type": "llama"}, "fp16"),
    "int8-tied-padded": ({**PADDED, "tie_word_embeddings": True}, "int8"),
    "int8-untied-padded": (PADDED, "int8"),
    "int4-tied-padded": ({**PADDED, "tie_word_embeddings": True}, "int4"),
    "int4-untied-odd": (ODD, "int4"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, demo_model: Path, stories: Path) -> tuple[Path, dict[str, Any]]:
    """The folder with every case, and what comparing found."""
    folder = tmp_path_factory.mktemp("onnx")
    sentencepiece = tmp_path_factory.mktemp("sentencepiece")
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copy(stories / name, sentencepiece / name)
    cases: dict[str, object] = {name: {"config": config, "scheme": "fp32"} for name, config in FLOAT.items()}
    cases |= {name: {"config": config, "scheme": scheme} for name, (config, scheme) in OTHERS.items()}
    config = {"model_type": "llama", "bos_token_id": 1, "eos_token_id": 2}
    cases["sentencepiece"] = {"config": config, "scheme": "int8", "tokenizer": str(sentencepiece)}
    cases["cuda"] = {"config": PADDED, "scheme": "int4", "delegate": "cuda"}
    cases["too large for float16"] = {"config": {"model_type": "llama"}, "scheme": "fp16", "spoiled": "lm_head.weight"}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        parameters = {"folder": str(folder), "cases": cases, "tokenizer": str(demo_model)}
        return folder, run_job("onnx_models:compare", parameters)


@pytest.mark.parametrize("case", FLOAT)
def test_a_float_file_computes_what_transformers_computes(case: str, built: tuple[Path, dict[str, Any]]) -> None:
    found = built[1][case]
    assert found["largest"] > 1  # logits near zero would agree whatever the file says
    assert found["difference"] < 1e-4


def test_half_precision_storage_costs_only_its_rounding(built: tuple[Path, dict[str, Any]]) -> None:
    assert built[1]["fp16"]["difference"] < 0.02
    graph = onnx.load(str(built[0] / "fp16-built" / "model.onnx"), load_external_data=False).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer if len(tensor.dims) > 1}
    halves = {name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT16}
    assert set(kinds) - halves == {"cos_cache", "sin_cache"}


@pytest.mark.parametrize("case", [name for name in OTHERS if name.startswith("int")])
def test_quantized_files_stay_close(case: str, built: tuple[Path, dict[str, Any]]) -> None:
    assert built[1][case]["correlation"] > (0.995 if case.startswith("int8") else 0.9)


@pytest.mark.parametrize("case", [name for name in OTHERS if name.startswith("int")])
def test_tokens_are_looked_up_in_eight_bits(case: str, built: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Every number that is looked up stands within one step of 255 of the source's."""
    file = built[0] / f"{case}-built" / "model.onnx"
    weights = load_file(built[0] / case / "model.safetensors")["model.embed_tokens.weight"]
    model = onnx.load(str(file))
    lookup = next(node for node in model.graph.node if node.op_type == "GatherBlockQuantized")
    after = next(node for node in model.graph.node if lookup.output[0] in node.input)
    name = after.output[0] if after.op_type == "Slice" else lookup.output[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    onnx.save(model, str(tmp_path / "opened.onnx"))
    config = OTHERS[case][0]
    found = onnx_models.run(tmp_path / "opened.onnx", config["num_key_value_heads"], 16, output=name)
    expected = weights[onnx_models.IDS]
    assert found.shape == expected.shape
    largest = np.abs(expected).max(axis=1, keepdims=True)
    assert np.all(np.abs(found - expected) <= largest / 127)
    assert not any(tensor.name == "model.embed_tokens.weight" for tensor in model.graph.initializer)


@pytest.mark.parametrize("case", [*FLOAT, *OTHERS])
def test_the_folder_is_what_the_plan_says(case: str, built: tuple[Path, dict[str, Any]]) -> None:
    facts = inspect_model(str(built[0] / case))
    plan = onnx_models.plan(facts, OTHERS[case][1] if case in OTHERS else "fp32")
    folder = built[0] / f"{case}-built"
    assert (folder / "model.onnx.data").stat().st_size == plan.tensor_bytes
    expected = plan.predictions.artifact_bytes.value
    assert sum(file.stat().st_size for file in folder.iterdir()) == pytest.approx(expected, rel=0.01)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Any:
    folder = tmp_path_factory.mktemp("demo")
    facts = inspect_model(str(demo_model))
    vocabulary = replace(read_vocabulary(facts), stop_ids=(1, 2, 7))
    events: list[Progress] = []
    (folder / "out").mkdir()
    times = write_onnx(
        folder / "out",
        facts,
        onnx_models.plan(facts, "int4"),
        vocabulary=vocabulary,
        log=folder / "export.log",
        listener=events.append,
    )
    return folder, times, events


def test_the_folder_holds_these_files_and_nothing_else(demo: Any, demo_model: Path) -> None:
    names = {file.name for file in (demo[0] / "out").iterdir()}
    own = {file.name for file in inspect_model(str(demo_model)).tokenizer_files}
    assert names == {"model.onnx", "model.onnx.data", "genai_config.json", "chat_template.jinja", *own}
    for name in own:
        assert (demo[0] / "out" / name).read_bytes() == (demo_model / name).read_bytes()


def test_the_runtime_is_told_the_context_and_every_stop_id(demo: Any) -> None:
    config = json.loads((demo[0] / "out" / "genai_config.json").read_text(encoding="utf-8"))
    assert config["model"]["eos_token_id"] == [1, 2, 7]
    assert config["model"]["context_length"] == config["search"]["max_length"] == onnx_models.CONTEXT
    graph = onnx.load(str(demo[0] / "out" / "model.onnx"), load_external_data=False).graph
    tables = {tensor.name: list(tensor.dims) for tensor in graph.initializer if tensor.name.endswith("_cache")}
    assert tables == {"cos_cache": [onnx_models.CONTEXT, 32], "sin_cache": [onnx_models.CONTEXT, 32]}


def test_tied_embeddings_are_stored_once(demo: Any) -> None:
    graph = onnx.load(str(demo[0] / "out" / "model.onnx"), load_external_data=False).graph
    large = [tensor.name for tensor in graph.initializer if np.prod(tensor.dims) >= 4096 * 128]
    assert large == ["lm_head.MatMul.weight_Q8G32"]


def test_what_the_libraries_say_is_in_the_log_and_progress_is_ours(demo: Any) -> None:
    log = (demo[0] / "export.log").read_text(encoding="utf-8")
    assert "Reading layer 4" in log and "Saving ONNX model" in log
    tasks = list(dict.fromkeys(event.task for event in demo[2]))
    assert tasks == [f"onnx: {stage}" for stage, _ in demo[1].stages]
    for task in tasks[1:]:
        last = [event for event in demo[2] if event.task == task][-1]
        assert last.done == last.total > 0


def test_the_time_and_memory_of_the_export_are_told(demo: Any, demo_model: Path) -> None:
    stages = dict(demo[1].stages)
    assert list(stages) == ["import libraries", "read", "quantize and save", "finish and write"]
    assert all(seconds >= 0 for seconds in stages.values()) and demo[1].seconds > 0
    predicted = onnx_models.plan(inspect_model(str(demo_model)), "int4").predictions.host_ram_bytes
    assert demo[1].peak_rss_bytes == pytest.approx(predicted.value, rel=0.25)


def test_a_file_for_cuda_is_written_without_one(built: tuple[Path, dict[str, Any]]) -> None:
    plan = onnx_models.plan(inspect_model(str(built[0] / "cuda")), "int4", delegate="cuda")
    folder = built[0] / "cuda-built"
    assert (folder / "model.onnx.data").stat().st_size == plan.tensor_bytes
    config = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))
    assert list(config["model"]["decoder"]["session_options"]["provider_options"][0]) == ["cuda"]


def test_a_sentencepiece_model_becomes_the_tokenizer_that_genai_reads(
    built: tuple[Path, dict[str, Any]], stories: Path
) -> None:
    """The published tokenizer.json of the same model is the judge."""
    expected = Tokenizer.from_file(str(stories / "tokenizer.json"))
    found = Tokenizer.from_file(str(built[0] / "sentencepiece-built" / "tokenizer.json"))
    for text in ("Once upon a time, there was a girl.", "  two  spaces\n\nand é, 世界, \U0001f600", ""):
        assert found.encode(text).ids == expected.encode(text).ids


def test_nothing_is_left_of_an_export_that_failed(built: tuple[Path, dict[str, Any]]) -> None:
    """A weight beyond float16 is found while the file is written."""
    found = built[1]["too large for float16"]
    assert "lm_head" in found["error"] and "1e+06 is beyond what float16 can hold" in found["error"]
    assert found["left"] == []


def write(folder: Path, facts: ModelFacts, scheme: str) -> None:
    """`facts` without a log; planned as the Hugging Face folder that it is."""
    planned = onnx_models.plan(inspect_model(str(facts.source.path)), scheme)
    write_onnx(folder, facts, planned, vocabulary=read_vocabulary(facts), log=None, listener=silent)


def test_a_gguf_source_is_refused_with_the_way_out(tmp_path: Path, demo_model: Path) -> None:
    facts = inspect_model(str(demo_model))
    gguf = replace(facts, source=replace(facts.source, kind="gguf"))
    with pytest.raises(UnsupportedModel, match="not of a GGUF") as caught:
        write_onnx(
            tmp_path,
            gguf,
            onnx_models.plan(facts, "int4"),
            vocabulary=read_vocabulary(facts),
            log=None,
            listener=silent,
        )
    assert "--format gguf" in caught.value.hint


def test_a_pickle_is_never_read(tmp_path: Path, demo_model: Path) -> None:
    facts = inspect_model(str(demo_model))
    pickled = replace(
        facts, tensors=tuple(replace(t, file=t.file.with_name("pytorch_model.bin")) for t in facts.tensors)
    )
    with pytest.raises(DataError, match=r"pytorch_model\.bin: only safetensors"):
        write_onnx(
            tmp_path,
            pickled,
            onnx_models.plan(facts, "int4"),
            vocabulary=read_vocabulary(facts),
            log=None,
            listener=silent,
        )
    assert not list(tmp_path.iterdir())
