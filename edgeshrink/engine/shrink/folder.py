"""The folder of a finished student: a Hugging Face model, its card, the step's record and its page; whole or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from edgeshrink.bundle.licences.expressions import judge_licence
from edgeshrink.catalog.licence_files import find_licence_files
from edgeshrink.core.shrinking import STEP_FILE, ShrinkStep
from edgeshrink.core.verdict import Verdict
from edgeshrink.engine.whole_folder import whole_folder
from edgeshrink.errors import UsageError
from edgeshrink.report.json import step_to_json
from edgeshrink.report.step_page import step_to_html
from edgeshrink.report.student_card import student_card
from edgeshrink.report.training_page import training_html

PAGE, CURVE = "report.html", "training.html"
CARD = "README.md"


def check_student_folder(folder: Path, *models: str | None) -> None:
    """UsageError, before any work, where something that edgeshrink did not write would be replaced, or one of the
    `models` that the result is made from, and where nothing can be written."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder with -o")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / STEP_FILE).is_file():
        raise UsageError(
            f"{folder} exists and edgeshrink did not write it (it has no {STEP_FILE})",
            hint="name another folder with -o, or empty this one",
        )
    if folder.is_dir() and any(model is not None and folder.resolve() == Path(model).resolve() for model in models):
        raise UsageError(f"{folder} is a model that the result is made from", hint="name another folder with -o")
    parent = next(place for place in folder.absolute().parents if place.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write to {parent}", hint="name another place with -o")


def write_student_folder(
    step: ShrinkStep,
    verdict: Verdict | None,
    model: Path,
    teacher: Path,
    folder: Path,
    *,
    beside: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Copy `model`, the licence texts of `teacher`, and write what tells of `step` beside them, and the texts of
    `beside` by the names of their files."""
    with whole_folder(folder) as new:
        # copyfile: what safetensors writes only its owner could read.
        shutil.copytree(model, new, dirs_exist_ok=True, copy_function=shutil.copyfile)
        for licence in find_licence_files(teacher):
            shutil.copyfile(licence, new / licence.name)
        for name, text in beside.items():
            (new / name).write_text(text, encoding="utf-8")
        (new / CARD).write_text(student_card(step, judge_licence, verdict), encoding="utf-8")
        (new / PAGE).write_text(step_to_html(step, verdict), encoding="utf-8")
        if step.training is not None:
            (new / CURVE).write_text(training_html(step.training, running=False), encoding="utf-8")
        (new / STEP_FILE).write_text(step_to_json(step), encoding="utf-8")
    live_page(folder).unlink(missing_ok=True)


def live_page(folder: Path) -> Path:
    """Where a run draws its curve while it goes on: beside the folder, which is not there yet."""
    return folder.parent / f"{folder.name}.training.html"
