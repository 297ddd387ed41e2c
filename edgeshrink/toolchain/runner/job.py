"""One build of a runner: of what, for what, by what; and the names that follow from it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.core.events import Listener
from edgeshrink.toolchain.runner.cache import RunnerRecord
from edgeshrink.toolchain.runner.compilers.interface import Compiler
from edgeshrink.toolchain.runner.platform import RunnerPlatform
from edgeshrink.toolchain.runner.program import RunnerSource

RULES = 1
"""Raised when flags here change that change what is built."""


@dataclass(frozen=True, slots=True)
class RunnerJob:
    """`folder` keeps runners and objects; `llama` is the identity of llama.cpp; `jobs` compilers at once, None: as many
    as this machine can take."""

    platform: RunnerPlatform
    compiler: Compiler
    llama: str
    source: RunnerSource
    folder: Path
    listener: Listener
    jobs: int | None = None

    @property
    def task(self) -> str:
        return f"build the runner for {self.platform.key}"

    @property
    def libraries_key(self) -> str:
        """What llama.cpp's objects depend on: all but our own files."""
        parts = (str(RULES), self.llama, self.compiler.id, self.compiler.target, self.platform.level)
        return self._named(_digest(parts))

    @property
    def build_id(self) -> str:
        """What the runner will call itself: "0.3.36+91e2f1f0a3c5"."""
        digest = _digest((self.libraries_key, self.source.digest, *self.compiler.inputs))
        return f"{self.llama}+{digest}"

    @property
    def name(self) -> str:
        """ "linux-arm64-dotprod-gnu-91e2f1f0a3c5" """
        return self._named(self.build_id.rpartition("+")[2])

    @property
    def work(self) -> Path:
        """Where the objects lie."""
        return self.folder / "work" / self.libraries_key

    def _named(self, digest: str) -> str:
        words = (self.compiler.target, self.platform.level, self.compiler.name, digest)
        return "-".join(dict.fromkeys(words))

    def record(self, seconds: float) -> RunnerRecord:
        return RunnerRecord(
            build_id=self.build_id,
            compiler=self.compiler.id,
            target=self.compiler.target,
            level=self.platform.level,
            llama=self.llama,
            program=self.source.digest,
            seconds=round(seconds, 1),
        )


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
