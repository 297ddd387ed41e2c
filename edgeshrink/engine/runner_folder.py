"""Where built runners are kept, what of them is used, and the rest taken away."""

from __future__ import annotations

import os
from pathlib import Path

from edgeshrink.errors import ToolMissing
from edgeshrink.store import store_root
from edgeshrink.toolchain.runner import housekeeping
from edgeshrink.toolchain.runner.housekeeping import Held
from edgeshrink.toolchain.runner.program import llama_identity, runner_source


def runner_folder() -> Path:
    """EDGESHRINK_RUNNERS, else `runners` in the store."""
    given = os.environ.get("EDGESHRINK_RUNNERS")
    return Path(given).expanduser().absolute() if given else store_root() / "runners"


def held_runners() -> tuple[Held, ...]:
    """Runners, objects and sources that are kept; where no llama.cpp is installed, none is in use."""
    return housekeeping.everything(runner_folder(), llama=_installed(), program=runner_source().digest)


def remove_unused_runners(*, dry_run: bool = False) -> tuple[Held, ...]:
    """Remove what the installed version does not use; what was (or would be) removed."""
    return housekeeping.remove_unused(
        runner_folder(), llama=_installed(), program=runner_source().digest, dry_run=dry_run
    )


def _installed() -> str:
    try:
        return llama_identity()
    except ToolMissing:
        return ""
