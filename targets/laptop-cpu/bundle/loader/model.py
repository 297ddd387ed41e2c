"""A bundle that is open: ask it, or run it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .about import About, Fallback, read_about
from .digests import Checked, check_files
from .engine import (
    LanguageSession,
    NetworkSession,
    is_network,
    open_language_model,
    open_network,
    require_engine,
)
from .errors import QuestionRefused, WrongBase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .generating import Confidence

HERE = Path(__file__).resolve().parent / "bundle"
"""Where a wheel puts the bundle."""
_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def load(
    folder: str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
    context: int | None = None,
    adapter: str | os.PathLike[str] | None = None,
) -> Model:
    """Check the bundle in `folder` (None: the one in this package) and open its model.

    `context` in tokens and `threads` are the bundle's own when left out; `adapter` is the folder of an adapter's
    bundle. Raises a BundleError: BundleMissing, BundleInvalid, FileMissing, DigestMismatch, EngineMismatch,
    ModelUnopenable, WrongBase.
    """
    path = HERE if folder is None else Path(folder)
    about = read_about(path)
    if about.base_sha256 is not None:
        raise WrongBase(f"{about.name} is an adapter: load its base with adapter={str(path)!r}")
    checked = check_files(path, about)
    require_engine(about)
    count = max(1, threads if threads is not None else min(about.threads or _cores(), _cpus()))
    main = path / about.main
    if is_network(about):
        return Model(path, about, checked, None, open_network(main, about, threads=count))
    wanted = context if context is not None else about.context
    language = open_language_model(main, about, context=max(16, wanted), threads=count)
    model = Model(path, about, checked, language, None)
    if adapter is not None:
        try:
            model.with_adapter(adapter)
        except BaseException:
            model.close()
            raise
    return model


class Model:
    """Made by `load`. One answer at a time: beginning another ends a stream that is not read to its end."""

    def __init__(
        self,
        path: Path,
        about: About,
        checked: Checked,
        language: LanguageSession | None,
        network: NetworkSession | None,
    ) -> None:
        self._path = path
        self._about = about
        self._checked = checked
        self._language = language
        self._network = network
        self._turn = 0
        self._confidence: Confidence | None = None

    @property
    def about(self) -> About:
        return self._about

    @property
    def path(self) -> Path:
        """The bundle's folder."""
        return self._path

    @property
    def fallback(self) -> Fallback | None:
        """When to hand over to a larger model; None where no threshold was fitted."""
        return self._about.fallback

    @property
    def confidence(self) -> float | None:
        """Of the last answer, as far as it was read, at the fallback's temperature: `fallback.hand_over` judges it.

        None before the first answer, and where no threshold was fitted.
        """
        return None if self._confidence is None else self._confidence.value

    @property
    def checked(self) -> Checked:
        """How the files were found to be what was measured."""
        return self._checked

    @property
    def context(self) -> int:
        return self._talking().context

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of a network's inputs."""
        return self._running().inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._running().outputs

    def prompt(self, question: str) -> str:
        """The text that the model reads for `question`."""
        chat = self._about.chat
        return question if chat is None else f"{chat.before}{question}{chat.after}"

    def tokens(self, question: str) -> list[int]:
        """The ids of `prompt(question)`; special tokens inside the question are text like any other."""
        session, chat = self._talking(), self._about.chat
        try:
            question.encode("utf-8")
        except UnicodeEncodeError as error:
            raise QuestionRefused(f"the question is no Unicode text: {error}") from error
        if chat is None:
            return session.tokenize(question, special=False, frame=True)
        return [
            *session.tokenize(chat.before, special=True, frame=False),
            *(session.tokenize(question, special=False, frame=False) if question else []),
            *session.tokenize(chat.after, special=True, frame=False),
        ]

    def stream(self, question: str, *, max_tokens: int = 256, temperature: float = 0.0, seed: int = 0) -> Iterator[str]:
        """The answer in pieces of text, as they are decoded. QuestionRefused where the question does not fit."""
        from .generating import Confidence, generate

        session = self._talking()
        ids = self.tokens(question)
        if not question or not ids:
            raise QuestionRefused("the question is empty")
        if len(ids) >= session.context:
            raise QuestionRefused(f"the question has {len(ids)} tokens, the context {session.context}")
        self._turn += 1
        turn = self._turn

        def still() -> None:
            self._talking()
            if turn != self._turn:
                raise RuntimeError("another answer was begun before this one was read to its end")

        chat = self._about.chat
        stops = session.stop_ids | frozenset(() if chat is None else chat.stop_ids)
        self._confidence = None if self.fallback is None else Confidence(self.fallback.temperature)
        return generate(
            session,
            ids,
            stop_ids=stops,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            still=still,
            confidence=self._confidence,
        )

    def answer(self, question: str, max_tokens: int = 256, temperature: float = 0.0, seed: int = 0) -> str:
        """The whole answer. `temperature` 0 is greedy."""
        return "".join(self.stream(question, max_tokens=max_tokens, temperature=temperature, seed=seed))

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """A network's outputs by name."""
        return self._running().run(inputs)

    def with_adapter(self, folder: str | os.PathLike[str]) -> Model:
        """This model, the LoRA adapter of the bundle in `folder` applied in place of any other.

        WrongBase where the adapter was made for another model's bytes.
        """
        session = self._talking()
        path = Path(folder)
        about = read_about(path)
        if about.base_sha256 is None:
            raise WrongBase(f"{about.name} is a model of its own, no adapter")
        if about.base_sha256 != self._about.artifact_sha256 or about.engine != self._about.engine:
            raise WrongBase(
                f"the adapter {about.name} belongs to {about.base_sha256[:16]}… with {about.engine.package} "
                f"{about.engine.version}; {self._about.name} is {self._about.artifact_sha256[:16]}… with "
                f"{self._about.engine.package} {self._about.engine.version}"
            )
        check_files(path, about)
        self._turn += 1
        session.adapt(path / about.main)
        return self

    def without_adapter(self) -> Model:
        """This model as it was measured."""
        self._turn += 1
        self._talking().adapt(None)
        return self

    def close(self) -> None:
        """Give the memory back; a second time is no mistake."""
        for session in (self._language, self._network):
            if session is not None:
                session.close()
        self._language = self._network = None

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _talking(self) -> LanguageSession:
        if self._language is None:
            raise TypeError(f"{self._about.name} generates no text, or is closed: a network has run()")
        return self._language

    def _running(self) -> NetworkSession:
        if self._network is None:
            raise TypeError(f"{self._about.name} is no network, or is closed: a language model has answer()")
        return self._network


def _cores() -> int:
    """Cores, where the system says which CPUs share one: two threads on one core slow each other down."""
    try:
        return len({Path(_SIBLINGS.format(cpu)).read_text(encoding="ascii") for cpu in os.sched_getaffinity(0)})
    except (OSError, AttributeError):
        return _cpus()


def _cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
