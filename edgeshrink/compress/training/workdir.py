"""What stands in the folder of a run, and how far a run got that was killed there. No torch."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

MODEL, STATE = "model", "state"
CHECKPOINTS = "checkpoints"
PARTIAL = ".partial"
_STEP = re.compile(r"step-(\d{9})")


def step_name(step: int) -> str:
    """The folder of the state after `step`."""
    return f"step-{step:09d}"


def finished(workdir: Path) -> bool:
    """Is everything there? The state takes its name last of all."""
    return (workdir / STATE).is_dir() and (workdir / MODEL).is_dir()


def newest_checkpoint(workdir: Path) -> Path | None:
    """The last state that a run left in `workdir` before it ended; halves are not looked at."""
    folder = workdir / CHECKPOINTS
    whole = [path for path in folder.iterdir() if _STEP.fullmatch(path.name)] if folder.is_dir() else []
    return max(whole, key=lambda path: path.name, default=None)


def finish(workdir: Path, checkpoint: Path, model: Path) -> None:
    """The run is over: its model and its last state get their names, and nothing else stays."""
    shutil.rmtree(workdir / MODEL, ignore_errors=True)
    model.replace(workdir / MODEL)
    shutil.rmtree(workdir / STATE, ignore_errors=True)
    checkpoint.replace(workdir / STATE)
    shutil.rmtree(workdir / CHECKPOINTS, ignore_errors=True)
