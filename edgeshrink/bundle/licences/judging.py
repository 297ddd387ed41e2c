"""What the licences of a bundle's parts allow, and the refusal to make a bundle that nobody may pass on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgeshrink.bundle.licences.expressions import NOT_STATED, judge_licence
from edgeshrink.bundle.licences.texts import MODEL_TEXTS, Part, software_of
from edgeshrink.core.bundle import Engine, LicenceNote
from edgeshrink.core.plain import plain
from edgeshrink.core.report import Report
from edgeshrink.errors import UsageError


def licences_of(report: Report, engine: Engine, source_texts: Mapping[str, bytes]) -> tuple[LicenceNote, ...]:
    """The model's note first, then those of what opens it. `source_texts`: the model's licence texts, by file name."""
    source = report.source
    stated = plain(source.license or "").strip() if source else ""
    judged = judge_licence(stated)
    model = LicenceNote(
        part="model",
        name=plain(source.hub_id or source.given if source else report.artifact.file),
        id=stated,
        redistribution=judged.redistribution,
        note=judged.note,
        files=tuple(f"{MODEL_TEXTS}/{name}" for name in sorted(source_texts)),
    )
    return (
        model,
        *(_software(part) for part in software_of(engine)),
    )


def refuse_forbidden(licences: Iterable[LicenceNote], *, accepted: bool) -> None:
    """UsageError where a licence forbids to pass a part on, or has terms that only a person can judge.

    A source that states no licence does not stop a bundle; `sentences` says it. `accepted`: --accept-license.
    """
    for note in licences:
        stops = note.redistribution == "forbidden" or (
            note.redistribution == "unknown" and note.id.lower() not in NOT_STATED
        )
        if stops and not accepted:
            does = "forbids to pass on" if note.redistribution == "forbidden" else "may forbid to pass on"
            texts = f" Its text: {', '.join(note.files)}." if note.files else ""
            raise UsageError(
                f"the licence {note.id!r} of {note.name} {does} what this bundle holds. {note.note}{texts}",
                hint="with a permission of the owner, or where you have read the licence and it allows this: "
                "--accept-license",
            )


def sentences(licences: Iterable[LicenceNote], *, accepted: bool) -> tuple[str, ...]:
    """What whoever passes the bundle on must do, or must know: nothing for a part that anybody may pass on."""
    said = []
    for note in licences:
        if note.redistribution == "allowed":
            continue
        stated = f"licence {note.id}" if note.id else "no licence stated"
        by = " Accepted by --accept-license." if accepted and note.id.lower() not in NOT_STATED else ""
        missing = "" if note.files or not note.id else " The source brought no licence text: add it to the app."
        said.append(f"{note.name}, {stated}: {note.note}{missing}{by}")
    return tuple(said)


def _software(part: Part) -> LicenceNote:
    judged = judge_licence(part.id)
    return LicenceNote("runtime", part.name, part.id, judged.redistribution, judged.note, (part.file,))
