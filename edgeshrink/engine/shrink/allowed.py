"""Whether a build may go on to a smaller model."""

from __future__ import annotations

import os
from typing import cast, get_args

from edgeshrink.core.quality import Quality
from edgeshrink.core.request import Request, Shrink
from edgeshrink.engine.climb import Built
from edgeshrink.engine.shrink.learning_text import check_data
from edgeshrink.engine.shrink.source import require_torch
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import ToolMissing, UsageError

ENVIRONMENT = "EDGESHRINK_SHRINK"


def check_shrinking(request: Request) -> None:
    """UsageError, before any work, where what is said of another model means nothing; ToolMissing where one is asked
    for and the extra is not installed."""
    _mode(request)
    if request.train_for_grid:
        require_torch()
    check_data(request.data)


def may_shrink(workshop: Workshop, built: Built) -> bool:
    """Whether a build that ended in `built` may go on to a smaller model: its verdict failed, nobody insisted on one
    scheme or forbade it, and there is a Hugging Face folder to begin with. Where only the extra is missing, a note
    says so."""
    quality, request = built.quality, workshop.request
    if _mode(request) == "never" or request.scheme is not None or built.verdict.outcome != "FAIL":
        return False
    if not isinstance(quality, Quality) or quality.failed_checks:
        return False
    if workshop.model.facts.source.kind != "huggingface":
        return False
    if workshop.model.facts.experts is not None:
        workshop.notes.append("no smaller model was tried: `edgeshrink prune --experts N` makes one of fewer experts")
        return False
    try:
        require_torch()
    except ToolMissing as error:
        workshop.notes.append(f"no smaller model was tried: {error.message}; {error.hint}")
        return False
    return True


def _mode(request: Request) -> Shrink:
    mode = request.shrink or os.environ.get(ENVIRONMENT) or "auto"
    if mode not in get_args(Shrink):
        raise UsageError(f"{ENVIRONMENT} is {mode!r}", hint=f"one of {', '.join(get_args(Shrink))}")
    return cast(Shrink, mode)
