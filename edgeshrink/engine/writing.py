"""Write a report's folder: the artifact, the report as JSON and HTML, the model card, the manifest last."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgeshrink.catalog.licence_files import find_licence_files
from edgeshrink.core.lock import LOCK_NAME, Lock
from edgeshrink.core.report import Comparison, Report
from edgeshrink.engine.adapters import Shipped
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.installed import versions
from edgeshrink.engine.lock import lock_text
from edgeshrink.engine.output import place, staged
from edgeshrink.report.card import model_card
from edgeshrink.report.comparison_html import comparison_to_html
from edgeshrink.report.html import report_to_html
from edgeshrink.report.json import comparison_to_json, report_to_json
from edgeshrink.report.manifest import write_comparison_manifest, write_manifest
from edgeshrink.store.notes import Notes

STUDENT = "student"
"""Where a build that had to make a smaller model leaves it, as a Hugging Face folder."""
LICENCES = "licenses"
"""Where the licence texts of the source model stand in a build's folder."""


def write_build_folder(
    report: Report,
    artifact: Finished,
    lock: Lock,
    source: Path,
    folder: Path,
    notes: Notes,
    *,
    student: Path | None = None,
    adapters: Sequence[Shipped] = (),
) -> Report:
    """All that a build leaves behind, in `folder`; the report that knows where it stands.

    `source` is the model's folder or file: the licence texts in it go along. `student`: the smaller model that the
    artifact was made from, where there is one. `adapters` go into a folder of their own.
    """
    name = report.artifact.file
    with staged(folder) as staging:
        known = {}
        for inside, file, sha256 in artifact.files:
            placed = f"{name}/{inside}" if report.artifact.files else name
            place(file, placed, staging, folder, sha256, notes)
            known[placed] = sha256
        for one in adapters:
            place(one.file, one.told.file, staging, folder, one.told.sha256, notes)
            known[one.told.file] = one.told.sha256
        if student is not None:
            shutil.copytree(student, staging / STUDENT)
        _write_reports(report, staging)
        (staging / "MODEL_CARD.md").write_text(model_card(report), encoding="utf-8")
        (staging / LOCK_NAME).write_text(lock_text(lock), encoding="utf-8")
        for text in find_licence_files(source):
            (staging / LICENCES).mkdir(exist_ok=True)
            (staging / LICENCES / text.name).write_bytes(text.read_bytes())
        write_manifest(staging, report, versions(), known_sha256=known)
    return replace(report, folder=folder)


def write_report_folder(report: Report, folder: Path) -> Report:
    """The reports of a measuring session; the artifact stays where it is."""
    with staged(folder) as staging:
        _write_reports(report, staging)
        write_manifest(staging, report, versions())
    return replace(report, folder=folder)


def write_comparison_folder(comparison: Comparison, folder: Path) -> Comparison:
    """What stands above the folders of the single formats."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("report.html", comparison_to_html(comparison)),
        ("comparison.json", comparison_to_json(comparison)),
    ):
        half = folder / f".{name}.part"
        half.write_text(text, encoding="utf-8")
        half.replace(folder / name)
    write_comparison_manifest(folder, comparison, versions())
    return replace(comparison, folder=folder)


def _write_reports(report: Report, staging: Path) -> None:
    (staging / "report.json").write_text(report_to_json(report), encoding="utf-8")
    (staging / "report.html").write_text(report_to_html(report), encoding="utf-8")
