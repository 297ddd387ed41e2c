"""Language models in ONNX through onnxruntime-genai: a folder with genai_config.json, the model and its tokenizer.

Networks (a lone .onnx) are opened by `onnx_network`. Nothing here needs torch. The library's own tokenizer gives the
ids, since it is what an app has; it always reads special tokens in a text (see `tokenizer_files`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgeshrink.catalog.json_files import read_json
from edgeshrink.core.measurement import RuntimeFacts
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes.checks import require_ids, require_prompt, require_room, require_unicode
from edgeshrink.runtimes.interface import Logits, NetworkSession
from edgeshrink.runtimes.onnx_network import open_onnx, preload_onnx
from edgeshrink.runtimes.onnx_providers import genai_provider
from edgeshrink.runtimes.packages import build_of, missing, versions_of
from edgeshrink.runtimes.quiet import keep_quiet
from edgeshrink.runtimes.tokenizer_files import TokenizerFiles

NAME = "onnx"
SUFFIXES = (".onnx",)
EXTRA = "onnx"
CONFIG = "genai_config.json"
_GENAI = ("onnxruntime-genai", "onnxruntime-genai-cuda", "onnxruntime-genai-directml")
_ORT = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-silicon")
_ERRORS_ONLY = 3
_ADAPTER = "adapter"


def build_id() -> str:
    """Names and versions of both libraries: their wheels are the builds."""
    return build_of(EXTRA, _GENAI, _ORT)


def preload(*, network: bool = False) -> None:
    """Import what `load` (`network`: `open_network`) stands on."""
    build_id()
    if network:
        preload_onnx()
    else:
        _library()


def open_network(path: Path, *, threads: int, delegate: str = "cpu") -> NetworkSession:
    """A lone .onnx in onnxruntime; it falls back to the CPU in silence, so look at `facts().backend`."""
    version = versions_of(EXTRA, _GENAI, _ORT)[1]
    return open_onnx(path, threads=threads, delegate=delegate, name=NAME, version=" ".join(version), build=build_id())


def load(
    path: Path,
    *,
    context: int,
    threads: int,
    delegate: str = "cpu",
    gpu_layers: int = 0,
    exact: bool = False,
    batch: int = 512,
    vocab_only: bool = False,
    all_logits: bool = True,
    adapter: Path | None = None,
) -> GenaiSession:
    """Open a folder with genai_config.json, or a file in one, with KV buffers of `context` positions.

    What the model computes in, KV cache included, was fixed when it was exported: `exact` changes nothing here, and
    `gpu_layers` either. `adapter`: an .onnx_adapter, for a model that was exported with places for its updates.
    RuntimeFailed where a provider is asked for that this build lacks: genai does not fall back.
    """
    folder = path if path.is_dir() else path.parent
    for file in (path, adapter):
        if file is not None and not file.exists():
            raise RuntimeFailed(f"{file}: there is no such file")
    if not (folder / CONFIG).is_file():
        raise RuntimeFailed(
            f"{path}: no {CONFIG} is there, so onnxruntime-genai has no language model to open",
            hint="an ONNX file that generates no text is a network, not a language model",
        )
    settings = read_json(folder / CONFIG)
    model = settings.get("model")
    length = model.get("context_length") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(length, int) or not isinstance(model.get("vocab_size"), int):
        raise RuntimeFailed(f"{folder / CONFIG}: model.context_length or model.vocab_size is missing")
    genai = _library()
    context = min(context, length)
    try:
        config = genai.Config(str(folder))
        config.overlay(json.dumps({"model": {"decoder": {"session_options": _session_options(threads)}}}))
        config.clear_providers()
        if provider := genai_provider(delegate):
            config.append_provider(provider)
        tokenizer = genai.Tokenizer(config)
        opened = None if vocab_only else genai.Model(config)
        generator = None if opened is None else _generator(genai, opened, context)
    except Exception as error:  # pybind raises RuntimeError, and others where a file is damaged
        raise RuntimeFailed(f"{path}: onnxruntime-genai cannot load it: {error}") from error
    adapters = None if generator is None or adapter is None else _adapt(genai, opened, generator, adapter)
    files = TokenizerFiles(folder, model, model["vocab_size"])
    return GenaiSession(
        tokenizer, opened, generator, adapters, files, model["vocab_size"], context, threads, batch, all_logits
    )


def _library() -> Any:
    try:
        keep_quiet()
        import onnxruntime_genai
    except (ImportError, OSError) as error:
        raise missing(EXTRA, f"onnxruntime-genai cannot be loaded: {error}") from error
    return onnxruntime_genai


def _session_options(threads: int) -> dict[str, object]:
    options: dict[str, object] = {
        "intra_op_num_threads": threads,
        "inter_op_num_threads": 1,
        "log_severity_level": _ERRORS_ONLY,
    }
    if os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive":  # see child.run_job
        options["session.intra_op.allow_spinning"] = "0"
    return options


def _generator(genai: Any, model: Any, context: int) -> Any:
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(max_length=context, do_sample=False, batch_size=1, num_beams=1)
    return genai.Generator(model, parameters)


def _adapt(genai: Any, model: Any, generator: Any, file: Path) -> Any:
    """Let the generator run with the updates of `file`; what must live as long as it does."""
    try:
        adapters = genai.Adapters(model)
        adapters.load(str(file), _ADAPTER)
        generator.set_active_adapter(adapters, _ADAPTER)
    except Exception as error:
        raise RuntimeFailed(
            f"{file}: onnxruntime-genai cannot load this adapter: {error}",
            hint="the model must have been built with this adapter (build --adapter), since its graph needs the places",
        ) from error
    return adapters


class GenaiSession:
    """One loaded folder. Made by `load`; see `interface.Session`."""

    def __init__(
        self,
        tokenizer: Any,
        model: Any,
        generator: Any,
        adapters: Any,
        files: TokenizerFiles,
        vocab_size: int,
        context: int,
        threads: int,
        batch: int,
        all_logits: bool,
    ) -> None:
        self._tokenizer = tokenizer
        self._literal: Any = None
        self._model = model
        self._generator = generator
        self._adapters = adapters
        self._files = files
        self._vocab_size = vocab_size
        self._context = context
        self._threads = threads
        self._batch = max(1, min(batch, context))
        self._all_logits = all_logits
        self._one = np.zeros(1, np.int32)
        self._backend = "cpu" if model is None else str(model.device_type).lower()

    @property
    def vocab_size(self) -> int:
        return self._vocab_size

    @property
    def context(self) -> int:
        return self._context

    @property
    def position(self) -> int:
        return 0 if self._generator is None else int(self._generator.token_count())

    @property
    def chat_template(self) -> str | None:
        return self._files.framing.chat_template

    @cached_property
    def bos_id(self) -> int | None:
        token = int(self._words.bos_token_id)
        return token if 0 <= token < self._vocab_size else None

    @cached_property
    def eos_id(self) -> int | None:
        """The first of those at which genai stops, or another of them that the tokenizer's settings name."""
        stops = [int(token) for token in self._words.eos_token_ids]
        named = self._files.framing.eos_id
        return named if named in stops or not stops else stops[0]

    @cached_property
    def adds_bos(self) -> bool:
        return self.bos_id is not None and self.tokenize("a", add_special=True, parse_special=True)[:1] == [self.bos_id]

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        return tuple(sorted({int(token) for token in self._words.eos_token_ids}))

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        tokenizer = self._words
        require_unicode(text)
        if "\0" in text:
            raise DataError(
                "the text holds a NUL character, where onnxruntime-genai takes a text to end",
                hint="leave the character out",
            )
        if not parse_special and self._files.holds_special(text):
            if self._literal is None:
                self._literal = _library().Tokenizer(str(self._files.without_special()))
            tokenizer = self._literal
        try:
            tokenizer.update_options(add_special_tokens="true" if add_special else "false")
            ids: list[int] = tokenizer.encode(text).tolist()
        except Exception as error:
            raise RuntimeFailed(f"onnxruntime-genai cannot tokenize this text: {error}") from error
        return ids

    def detokenize(self, ids: Sequence[int], *, special: bool = True) -> bytes:
        self._require_open()
        require_ids(ids, self._vocab_size)
        return self._files.text(ids, special=special)

    def piece(self, token: int, *, special: bool = False) -> bytes:
        self._require_open()
        require_ids((token,), self._vocab_size)
        return self._files.piece(token, special=special)

    def reset(self) -> None:
        self._open().rewind_to(0)

    def prefill(self, ids: Sequence[int]) -> Logits:
        require_prompt(ids)
        self._require_room(ids)
        array = np.asarray(ids, np.int32)
        for start in range(0, len(array), self._batch):
            self._append(array[start : start + self._batch])
        return self._last()

    def decode(self, token: int) -> Logits:
        self._require_room((token,))
        self._one[0] = token
        self._append(self._one)
        return self._last()

    def logits(self, ids: Sequence[int]) -> Logits:
        found = np.empty((len(ids), self._vocab_size), np.float32)
        start = 0
        for rows in self.iter_logits(ids):
            found[start : start + len(rows)] = rows
            start += len(rows)
        return found

    def iter_logits(self, ids: Sequence[int]) -> Iterator[Logits]:
        if not self._all_logits:
            raise RuntimeFailed("this session was loaded for the last position's logits only")
        self.reset()
        self._require_room(ids)
        array = np.asarray(ids, np.int32)
        batch, start = self._batch, 0
        while start < len(array):
            part = array[start : start + batch]
            self._append(part)
            rows = self._open().get_output("logits")[0]
            if len(rows) < len(part):  # the file computes the last position's logits only: one token at a time then
                self._open().rewind_to(start)
                batch = 1
                continue
            yield rows.astype(np.float32)
            start += len(part)

    def facts(self) -> RuntimeFacts:
        version = versions_of(EXTRA, _GENAI, _ORT)
        return RuntimeFacts(
            name=NAME,
            version=", ".join(f"{name} {number}" for name, number in version),
            build_id=build_id(),
            backend=self._backend,
            cpu_features=(),
            threads=self._threads,
            gpu_layers=0,
            context=0 if self._generator is None else self._context,
        )

    def close(self) -> None:
        # In this order: a generator reads its model's memory when it goes.
        self._generator = None
        self._adapters = None
        self._model = None
        self._tokenizer = self._literal = None
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _words(self) -> Any:
        self._require_open()
        return self._tokenizer

    def _require_open(self) -> None:
        if self._tokenizer is None:
            raise RuntimeFailed("this session is closed")

    def _open(self) -> Any:
        if self._generator is None:
            raise RuntimeFailed("this session has no context: it is closed, or was loaded for its vocabulary only")
        return self._generator

    def _require_room(self, ids: Sequence[int]) -> None:
        require_room(int(self._open().token_count()), len(ids), self._context)
        require_ids(ids, self._vocab_size)

    def _append(self, ids: np.ndarray[Any, Any]) -> None:
        try:
            self._open().append_tokens(ids)
        except RuntimeFailed:
            raise
        except Exception as error:
            raise RuntimeFailed(f"onnxruntime-genai could not compute {len(ids)} tokens: {error}") from error

    def _last(self) -> Logits:
        """(vocab,): the library's array is a copy already."""
        rows: Logits = np.asarray(self._open().get_logits(), np.float32).reshape(-1)
        return rows
