"""Language models in a .pte through the ExecuTorch runtime, with the tokenizer files that lie beside it.

The file has one method, `forward(tokens (1, T) int64, input_pos (1,) int64) -> (1, vocab) logits of the last position`,
with the KV cache inside, and the metadata methods that ExecuTorch's own runner reads. Ids come from the tokenizer
library of that runner; it always reads special tokens in a text (see `tokenizer_files`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgeshrink.core.measurement import RuntimeFacts
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes import executorch_library as library
from edgeshrink.runtimes.checks import require_ids, require_prompt, require_room, require_unicode
from edgeshrink.runtimes.executorch_network import open_pte
from edgeshrink.runtimes.executorch_tokenizer import RunnerTokenizer
from edgeshrink.runtimes.interface import Logits, NetworkSession
from edgeshrink.runtimes.packages import build_of, versions_of
from edgeshrink.runtimes.tokenizer_files import TokenizerFiles

NAME = "executorch"
SUFFIXES = (".pte",)
MODEL = "model.pte"
_FORWARD = "forward"


def build_id() -> str:
    """Names and versions of the packages: their wheels are the builds."""
    return build_of(library.EXTRA, *library.DISTRIBUTIONS)


def preload(*, network: bool = False) -> None:
    """Load the runtime and its operators; for language models its tokenizers too."""
    build_id()
    library.library()
    if not network:
        RunnerTokenizer.library()


def open_network(path: Path, *, threads: int, delegate: str = "cpu") -> NetworkSession:
    """A .pte that generates no text. The delegate was fixed when the file was built; `facts().backend` says which."""
    return open_pte(path, threads=threads, name=NAME, version=_version(), build=build_id())


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
) -> PteSession:
    """Open a .pte, or the folder that holds one.

    The file fixes its cache (`context` is what it holds, whatever is asked), its arithmetic (`exact`) and its
    delegate. `batch` is the most tokens a call takes, the file's own limit the other. RuntimeFailed where the file is
    damaged, or lowered for a delegate that this build lacks (Core ML, Vulkan), or an `adapter` is given: a .pte is
    lowered whole, and has no place for one.
    """
    if adapter is not None:
        raise RuntimeFailed(
            f"{adapter}: ExecuTorch runs no adapters beside a .pte",
            hint="build the model with the adapter merged into it (distill --merge), or build --format gguf",
        )
    file = _find(path)
    program = library.open_program(file)
    names = library.method_names(program)
    if _FORWARD not in names:
        raise RuntimeFailed(f"{file} has no method {_FORWARD!r}, only {', '.join(sorted(names))}")
    # A file for a delegate of another system (Core ML, read on Linux) has its words all the same.
    backend = "" if vocab_only else library.require_backends(file)
    shape = _Shape.read(file, program)
    method = None
    if not vocab_only:
        library.set_threads(threads)
        method = library.load_method(file, program, _FORWARD)
    return PteSession(file, program, method, shape, backend, threads, batch, all_logits)


class _Shape:
    """What the file says of itself."""

    def __init__(self, context: int, longest_call: int, vocab_size: int, special: dict[str, list[int]]) -> None:
        self.context = context
        self.longest_call = longest_call
        self.vocab_size = vocab_size
        self.special = special
        """bos_token_id and eos_token_id, as the source's config.json would name them."""
        self.stop_ids = tuple(sorted(set(special["eos_token_id"])))

    @classmethod
    def read(cls, file: Path, program: Any) -> _Shape:
        meta = program.method_meta(_FORWARD)
        if meta.num_inputs() != 2 or meta.num_outputs() != 1:
            raise RuntimeFailed(
                f"{file} takes {meta.num_inputs()} inputs: it is no language model with a cache of its own",
                hint="a file that generates no text is a network, not a language model",
            )
        longest = int(meta.input_tensor_meta(0).sizes()[-1])
        held = library.constants(program, "get_max_context_len") or library.constants(program, "get_max_seq_len")
        if not held:
            raise RuntimeFailed(f"{file} does not say how long its cache is: get_max_context_len is missing")
        special = {
            key: [int(token) for token in library.constants(program, name)]
            for key, name in (("bos_token_id", "get_bos_id"), ("eos_token_id", "get_eos_ids"))
        }
        width = int(meta.output_tensor_meta(0).sizes()[-1])
        return cls(int(held[0]), longest, width, special)


class PteSession:
    """One loaded .pte. Made by `load`; see `interface.Session`."""

    def __init__(
        self,
        file: Path,
        program: Any,
        method: Any,
        shape: _Shape,
        backend: str,
        threads: int,
        batch: int,
        all_logits: bool,
    ) -> None:
        self._program = program  # its memory is the method's
        self._method = method
        self._shape = shape
        self._backend = backend
        self._threads = threads if method is None else library.threads()
        self._batch = max(1, min(batch, shape.longest_call, shape.context))
        self._all_logits = all_logits
        self._open_now = True
        self._position = 0
        self._files = TokenizerFiles(file.parent, shape.special, shape.vocab_size)
        self._tokenizer = RunnerTokenizer(self._files)
        # One token and its place: tensors over numpy memory, so that a step writes two numbers and calls.
        self._token = np.zeros((1, 1), np.int64)
        self._place = np.zeros(1, np.int64)
        self._place_tensor = library.tensor(self._place)
        self._step = (library.tensor(self._token), self._place_tensor)
        if method is not None:
            library.hold_threads(self)

    @property
    def vocab_size(self) -> int:
        return self._shape.vocab_size

    @property
    def context(self) -> int:
        return self._shape.context

    @property
    def position(self) -> int:
        return self._position

    @property
    def chat_template(self) -> str | None:
        return self._files.framing.chat_template

    @cached_property
    def bos_id(self) -> int | None:
        """What the tokenizer's settings name, or else the file: the runner is told by its app whether and which."""
        return self._files.framing.bos_id

    @cached_property
    def eos_id(self) -> int | None:
        named = self._files.framing.eos_id
        return named if named is not None or not self.stop_ids else self.stop_ids[0]

    @cached_property
    def adds_bos(self) -> bool:
        return self.bos_id is not None and self.tokenize("a", add_special=True, parse_special=True)[:1] == [self.bos_id]

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """The file's own list; where it has none, the runner stops at the tokenizer's EOS alone."""
        if self._shape.stop_ids:
            return self._shape.stop_ids
        eos = self._tokenizer.eos_id
        return () if eos is None else (eos,)

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        self._require_open()
        require_unicode(text)
        return self._tokenizer.encode(text, add_special=add_special, parse_special=parse_special)

    def detokenize(self, ids: Sequence[int], *, special: bool = True) -> bytes:
        self._require_open()
        require_ids(ids, self.vocab_size)
        return self._files.text(ids, special=special)

    def piece(self, token: int, *, special: bool = False) -> bytes:
        self._require_open()
        require_ids((token,), self.vocab_size)
        return self._files.piece(token, special=special)

    def reset(self) -> None:
        self._require_method()
        self._position = 0  # the cache is read up to the position alone

    def prefill(self, ids: Sequence[int]) -> Logits:
        require_prompt(ids)
        self._require_room(ids)
        tokens = np.asarray(ids, np.int64)[None]
        for start in range(0, len(ids), self._batch):
            part = library.tensor(tokens[:, start : start + self._batch])
            row = self._call((part, self._place_tensor), part.shape[1])
        return row.copy()

    def decode(self, token: int) -> Logits:
        self._require_room((token,))
        return self._one(token).copy()

    def logits(self, ids: Sequence[int]) -> Logits:
        found = np.empty((len(ids), self.vocab_size), np.float32)
        for number, row in enumerate(self._rows(ids)):
            found[number] = row
        return found

    def iter_logits(self, ids: Sequence[int]) -> Iterator[Logits]:
        rows = self._rows(ids)
        for start in range(0, len(ids), self._batch):
            found = np.empty((min(self._batch, len(ids) - start), self.vocab_size), np.float32)
            for number in range(len(found)):
                found[number] = next(rows)
            yield found

    def facts(self) -> RuntimeFacts:
        return RuntimeFacts(
            name=NAME,
            version=_version(),
            build_id=build_id(),
            backend=self._backend,
            cpu_features=(),
            threads=self._threads,
            gpu_layers=0,
            context=0 if self._method is None else self.context,
        )

    def close(self) -> None:
        self._method = None
        self._program = None
        self._open_now = False
        self._tokenizer.close()
        library.release_threads(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        library.release_threads(self)

    def _require_open(self) -> None:
        if not self._open_now:
            raise RuntimeFailed("this session is closed")

    def _require_method(self) -> None:
        if self._method is None:
            raise RuntimeFailed("this session has no context: it is closed, or was loaded for its vocabulary only")

    def _require_room(self, ids: Sequence[int]) -> None:
        self._require_method()
        require_room(self._position, len(ids), self.context)
        require_ids(ids, self.vocab_size)

    def _rows(self, ids: Sequence[int]) -> Iterator[Logits]:
        """Each position's row, a view that the next call overwrites: the file gives the last position's alone."""
        if not self._all_logits:
            raise RuntimeFailed("this session was loaded for the last position's logits only")
        self.reset()
        self._require_room(ids)
        return (self._one(token) for token in ids)

    def _one(self, token: int) -> Logits:
        self._token[0, 0] = token
        return self._call(self._step, 1)

    def _call(self, inputs: tuple[Any, Any], count: int) -> Logits:
        """(vocab,): a view of the method's own output."""
        self._require_method()
        self._place[0] = self._position
        try:
            (found,) = self._method(inputs, clone_outputs=False)
        except RuntimeError as error:
            raise RuntimeFailed(f"ExecuTorch could not compute {count} tokens: {library.words(error)}") from error
        self._position += count
        row: Logits = found.numpy().reshape(-1)
        return row


def _find(path: Path) -> Path:
    """The .pte itself; DataError where a folder holds several and none is named model.pte."""
    if not path.is_dir():
        return path
    if (path / MODEL).is_file():
        return path / MODEL
    found = sorted(path.glob("*.pte"))
    if not found:
        raise RuntimeFailed(f"{path}: there is no such file as a .pte in it")
    if len(found) > 1:
        raise DataError(f"{path} holds {len(found)} .pte files", hint="name one of them")
    return found[0]


def _version() -> str:
    return " ".join(versions_of(library.EXTRA, *library.DISTRIBUTIONS)[0])
