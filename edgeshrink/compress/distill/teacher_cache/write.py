"""Write a teacher's cache for a corpus, in a child process; a run that was ended goes on where it was."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from edgeshrink.compress.distill.teacher_cache.cache import CacheFacts, TeacherCache
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings
from edgeshrink.core.events import Listener, silent

JOB = "edgeshrink.compress.distill.teacher_cache.job:job"


def write_cache(
    teacher: Path,
    corpus: Path,
    folder: Path,
    settings: CacheSettings,
    *,
    threads: int,
    listener: Listener = silent,
) -> CacheFacts:
    """What the model in `teacher` says of every token of `corpus`, in `folder`, which may hold what an earlier call
    with the same arguments left; finished, it holds a `TeacherCache` alone. DataError where the teacher lacks tokens.
    """
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.progress import forward

    run_job(
        JOB,
        {
            "teacher": str(teacher),
            "corpus": str(corpus),
            "folder": str(folder),
            "settings": asdict(settings),
            "threads": threads,
        },
        on_event=forward(listener, "teacher cache", unit="tokens"),
    )
    return TeacherCache.open(folder).facts
