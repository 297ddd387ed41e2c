"""Step: what a teacher says of every token of a corpus, compact; students that learn from it share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.compress.distill.teacher_cache.cache import TeacherCache
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings
from edgeshrink.compress.distill.teacher_cache.write import write_cache
from edgeshrink.core.events import Listener


@dataclass(frozen=True)
class WriteTeacherCache:
    """Result: a folder that `TeacherCache.open` reads."""

    teacher: Path
    teacher_sha256: str
    corpus: Path
    corpus_sha256: str
    settings: CacheSettings
    threads: int
    tools: Mapping[str, str] = field(hash=False)
    id: ClassVar[str] = "teacher-cache"
    version: ClassVar[int] = 1
    resumes: ClassVar[bool] = True

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {"teacher": self.teacher_sha256, "corpus": self.corpus_sha256},
            "parameters": asdict(self.settings),
            "tools": dict(self.tools),
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        write_cache(self.teacher, self.corpus, workdir, self.settings, threads=self.threads, listener=listener)

    def ensures(self, workdir: Path) -> None:
        TeacherCache.open(workdir)
