"""A causal language model as ONNX: onnxruntime-genai's model builder in a child process, and what is put right after.

The builder sees a folder of links to the model's configuration, safetensors and tokenizer, and nothing else: no pickle
and no code of the source can be opened. Its own hundreds of lines go to the log.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from edgeshrink.catalog.tokenizer_vocab_merges import vocab_merges_json
from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.events import Listener
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.grid import Grid
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Plan
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError, UnsupportedModel
from edgeshrink.export.onnx.adapter import adapted_layers
from edgeshrink.planning.onnx import EMBEDDING
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.job_stages import export_times
from edgeshrink.runtimes.progress import forward

JOB = "edgeshrink.export.onnx.language_job:job"
_CONFIGS = ("generation_config.json", "model.safetensors.index.json")


def write_onnx(
    folder: Path,
    facts: ModelFacts,
    plan: Plan,
    *,
    vocabulary: Vocabulary,
    threads: int | None = None,
    log: Path | None,
    listener: Listener,
    adapter_weights: Collection[str] = (),
    trained: Grid | None = None,
) -> ExportTimes:
    """Fill the empty `folder`: model.onnx, model.onnx.data, genai_config.json, the tokenizer's files.

    `adapter_weights` names the weights, as transformers has them, that adapters will update while the model runs.
    `trained`: the codes that are written as they are.
    `threads` of torch in the exporting process; None: as many as it likes.
    Until everything is written it stands in a hidden folder inside, which is removed when anything fails.
    UnsupportedModel for a GGUF source; DataError where weights are no safetensors; RuntimeFailed, with the log's name,
    where the builder gives up.
    """
    check_source(facts)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder, ignore_cleanup_errors=True) as scratch:
        source, done = Path(scratch) / "source", Path(scratch) / "done"
        _link_source(source, facts, plan, vocabulary)
        done.mkdir()
        parameters = {
            "source": str(source),
            "config": str(facts.source.path / "config.json"),
            "work": str(Path(scratch) / "work"),
            "out": str(done),
            "model_type": facts.model_type,
            "layers": facts.n_layers,
            "scheme": plan.scheme,
            "delegate": plan.delegate,
            "context": plan.context,
            "tied": facts.tied_embeddings,
            "weights": _matrix_weights(facts, plan),
            "settings": dict(plan.settings),
            "threads": threads,
            "special": _special_ids(vocabulary),
            "adds_bos": vocabulary.add_bos,
            "adapted": adapted_layers(facts, adapter_weights),
            "trained": None if trained is None else str(trained.file.parent),
        }
        result = run_job(JOB, parameters, on_event=forward(listener, "onnx"), log=log)
        _copy_tokenizer(done, facts, vocabulary)
        for file in sorted(done.iterdir()):
            file.replace(folder / file.name)
    return export_times(result)


def check_source(facts: ModelFacts) -> None:
    """Whether the builder can take it at all."""
    if facts.source.kind != "huggingface":
        raise UnsupportedModel(
            f"{facts.source.path}: an ONNX is made of a Hugging Face folder, not of a GGUF",
            hint="give the folder or the hub id that the GGUF was made of, or build --format gguf",
        )
    if not facts.has_weights:
        raise DataError(f"{facts.source.path} holds no weights", hint="fetch the *.safetensors files too")
    other = next((tensor.file for tensor in facts.tensors if tensor.file.suffix != ".safetensors"), None)
    if other is not None:
        raise DataError(f"{other}: only safetensors are read", hint="a pickle runs code when it is opened")


def _link_source(source: Path, facts: ModelFacts, plan: Plan, vocabulary: Vocabulary) -> None:
    """A folder with what the builder may read, and a config.json that says what the plan says."""
    source.mkdir()
    origin = facts.source.path
    names = {tensor.file for tensor in facts.tensors} | set(facts.tokenizer_files)
    for file in sorted(names | {origin / name for name in _CONFIGS if (origin / name).is_file()}):
        _link(file, source / file.name)
    (source / "config.json").write_text(json.dumps(_builder_config(facts, plan, vocabulary)), encoding="utf-8")


def _builder_config(facts: ModelFacts, plan: Plan, vocabulary: Vocabulary) -> dict[str, Any]:
    """The source's config.json at the planned context, with plain rotary positions.

    The builder ignores or refuses most rotary scalings; the tables are computed by transformers itself afterwards.
    """
    config = {key: value for key, value in facts.config.items() if key not in ("rope_scaling", "auto_map")}
    config["architectures"] = [ARCHITECTURES[facts.model_type].hf_classes[0]]
    config["max_position_embeddings"] = plan.context
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": facts.rope_theta}
    config["tie_word_embeddings"] = facts.tied_embeddings
    return {**config, **_special_ids(vocabulary)}


def _matrix_weights(facts: ModelFacts, plan: Plan) -> int:
    """How many weights are multiplied with; a table that is only looked up is none of them."""
    return sum(
        tensor.elements
        for tensor in plan.tensors
        if tensor.source and len(tensor.shape) > 1 and (facts.tied_embeddings or tensor.name != EMBEDDING)
    )


def _special_ids(vocabulary: Vocabulary) -> dict[str, Any]:
    """Ids as config.json names them; of those that end a text, the tokenizer's own EOS first."""
    eos = vocabulary.eos_id
    stop = list(dict.fromkeys([*([] if eos is None else [eos]), *vocabulary.stop_ids])) or [0]
    found = {"bos_token_id": vocabulary.bos_id, "pad_token_id": vocabulary.pad_id}
    return {"eos_token_id": stop, **{key: value for key, value in found.items() if value is not None}}


def _link(file: Path, place: Path) -> None:
    try:
        place.symlink_to(file.resolve())
    except OSError:  # Windows without the right to make links
        shutil.copyfile(file, place)


def _copy_tokenizer(done: Path, facts: ModelFacts, vocabulary: Vocabulary) -> None:
    """The source's own files, byte for byte; the builder's copies only where the source has none of that name."""
    for file in facts.tokenizer_files:
        shutil.copyfile(file, done / file.name)
    names = {file.name for file in facts.tokenizer_files}
    if "vocab.json" in names and "tokenizer.json" not in names:
        (done / "tokenizer.json").write_text(vocab_merges_json(facts.source.path), encoding="utf-8")
    config = done / "tokenizer_config.json"
    if config.name not in names and config.is_file():
        config.write_text(json.dumps(_with_special(config, vocabulary), ensure_ascii=False), encoding="utf-8")
    template = vocabulary.chat_template
    if template is None:
        return
    inside = json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.is_file() else None
    if inside != template:
        (done / "chat_template.jinja").write_text(template, encoding="utf-8", newline="")


def _with_special(config: Path, vocabulary: Vocabulary) -> dict[str, Any]:
    """The builder's settings, which genai does not do without, with the source's special tokens.

    The builder's are the defaults of the tokenizer's class: an EOS and a frame that the source may not have.
    """
    made = json.loads(config.read_text(encoding="utf-8"))
    ids = {"bos": vocabulary.bos_id, "eos": vocabulary.eos_id, "unk": vocabulary.unk_id, "pad": vocabulary.pad_id}
    named = {
        f"{name}_token": None if number is None else vocabulary.tokens[number].decode("utf-8", "replace")
        for name, number in ids.items()
    }
    return {**made, **named, "add_bos_token": vocabulary.add_bos, "add_eos_token": vocabulary.add_eos}
