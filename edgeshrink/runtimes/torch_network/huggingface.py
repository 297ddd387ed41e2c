"""A network from a Hugging Face folder: transformers' own class, safetensors only, no code from the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from edgeshrink.catalog.image_preprocessing import ImagePreprocess, read_image_preprocess
from edgeshrink.catalog.json_files import read_json
from edgeshrink.catalog.network_families import Family, Task
from edgeshrink.catalog.networks import class_name, folder_family
from edgeshrink.catalog.safetensors_headers import weight_files
from edgeshrink.core.network import NetworkSource, TorchNetwork
from edgeshrink.errors import DataError, UnsupportedModel

EXAMPLE_TOKENS = 32
_DATA_FILES = ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors.index.json", "README.md")


def read_network(source: NetworkSource) -> tuple[TorchNetwork, Family, tuple[str, ...], tuple[str, ...]]:
    """The network, its family, its labels (empty where it is no classifier) and notes for the reader.

    `inputs` and `dynamic` come from the family's row: one text of any length up to its position table, or one image
    of the configured size. DataError: the folder's weights are broken, or not those of its configuration.
    """
    folder = source.path
    found = folder_family(folder)
    if found is None:
        raise UnsupportedModel(f"{folder} is no encoder and no image model")
    family, task = found
    model, notes = _model(folder, family, task)
    if family.kind == "image":
        preprocess = read_image_preprocess(folder)
        inputs = {"pixel_values": _pixels(model.config, folder, preprocess)}
        network = TorchNetwork(model, inputs, outputs=task.outputs, preprocess=preprocess)
    else:
        names, longest = family.inputs, _longest(model.config, family)
        inputs = {name: _tokens(name, min(EXAMPLE_TOKENS, longest), model.config) for name in names}
        network = TorchNetwork(
            model,
            inputs,
            dynamic={name: {1: "sequence"} for name in names},
            outputs=task.outputs,
            limits={"sequence": (1, longest)},
        )
    labels = _labels(model.config) if task.outputs == ("logits",) and "Token" not in task.suffix else ()
    return network, family, labels, notes


def data_files(folder: Path) -> tuple[Path, ...]:
    """The files whose content decides what is built."""
    files = {folder / name for name in _DATA_FILES if (folder / name).is_file()} | set(weight_files(folder))
    return tuple(sorted(files))


def _model(folder: Path, family: Family, task: Task) -> tuple[Any, tuple[str, ...]]:
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    auto = getattr(transformers, task.auto_class)

    def read(**arguments: Any) -> tuple[Any, dict[str, Any]]:
        try:
            model, report = auto.from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                attn_implementation="eager",
                dtype=torch.float32,
                output_loading_info=True,
                **arguments,
            )
        except Exception as problem:
            first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            raise DataError(
                f"transformers cannot load {folder}: {first}", hint="the download may be incomplete: fetch it again"
            ) from problem
        return model, report

    model, report = read()
    notes = []
    missing = sorted(report["missing_keys"])
    if missing and all("pooler" in name for name in missing):
        model, report = read(add_pooling_layer=False)
        missing = sorted(report["missing_keys"])
        notes.append("the checkpoint holds no pooler, so pooler_output is left out")
    wrong = missing or [str(name) for name in report["mismatched_keys"]]
    if wrong:
        raise DataError(
            f"{folder}: the weights lack {wrong[0]}{' and more' * (len(wrong) > 1)}, or have another shape than "
            "config.json says",
            hint="the folder's config.json and *.safetensors are not of one model: fetch it again",
        )
    named = class_name(read_json(folder / "config.json"))
    if task.auto_class == "AutoModel" and not named.endswith("Model") and named:
        notes.append(f"{named}: the encoder is built, its training head is left out")
    return model.eval(), tuple(notes)


def _longest(config: Any, family: Family) -> int:
    return int(config.max_position_embeddings) - family.unused_positions


def _tokens(name: str, length: int, config: Any) -> torch.Tensor:
    """Ids that are spread over the vocabulary; all positions attended, one segment."""
    if name == "input_ids":
        return ((torch.arange(length) * 7919 + 11) % (config.vocab_size - 4) + 3).clamp(max=config.vocab_size - 1)[None]
    return torch.full((1, length), int(name == "attention_mask"), dtype=torch.int64)


def _pixels(config: Any, folder: Path, preprocess: ImagePreprocess | None) -> torch.Tensor:
    """(1, channels, height, width) of the size that the preprocessor makes, else the configured one."""
    channels = int(getattr(config, "num_channels", 3))
    size = preprocess.output_size if preprocess is not None else None
    configured = getattr(config, "image_size", None)
    if size is None and isinstance(configured, int):
        size = (configured, configured)
    if size is None and isinstance(configured, (list, tuple)) and len(configured) == 2:
        size = (int(configured[0]), int(configured[1]))
    if size is None:
        raise DataError(
            f"{folder} does not say how large its images are",
            hint="add the model's preprocessor_config.json, or an image_size to config.json",
        )
    generator = torch.Generator().manual_seed(0)
    return torch.rand((1, channels, *size), generator=generator) * 2 - 1


def _labels(config: Any) -> tuple[str, ...]:
    labels = getattr(config, "id2label", None) or {}
    return tuple(str(labels[index]) for index in sorted(labels))
