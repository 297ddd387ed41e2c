"""What licences allow, what stops a bundle, and which texts it carries."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from unit.report.sample import sample_profile_report, sample_report

from edgeshrink.bundle import licences
from edgeshrink.bundle.licences import licence_texts, licences_of, refuse_forbidden, sentences
from edgeshrink.bundle.licences.expressions import judge_licence
from edgeshrink.bundle.licences.table import known, known_licences
from edgeshrink.bundle.licences.texts import RUNTIME_TEXTS, software_of
from edgeshrink.core.bundle import Engine, LicenceNote
from edgeshrink.errors import UsageError

FOLDER = Path(licences.__file__).parent
LLAMA = Engine("llama_cpp", "llama.cpp", "llama-cpp-python", "0.3.36")
ENGINES = (
    LLAMA,
    Engine("onnx", "onnxruntime-genai", "onnxruntime-genai", "0.18.0"),
    Engine("onnx", "onnxruntime", "onnxruntime", "1.31.1"),
    Engine("executorch", "executorch", "executorch", "1.5.1"),
)


def notes(license: str | None, texts: dict[str, bytes] | None = None) -> tuple[LicenceNote, ...]:
    report = sample_report()
    assert report.source is not None
    return licences_of(replace(report, source=replace(report.source, license=license)), LLAMA, texts or {})


def test_the_table_reads_and_names_no_licence_twice() -> None:
    rows = tomllib.loads((FOLDER / "known.toml").read_text(encoding="utf-8"))["licence"]
    ids = [id for row in rows for id in row["ids"]]
    assert len(ids) == len(set(ids)) == len(known_licences())
    assert all(id == id.lower() for id in ids)
    for row in known_licences().values():
        assert row.note.endswith(".")
        assert row.url.startswith("https://")


@pytest.mark.parametrize(
    ("stated", "redistribution"),
    [
        ("apache-2.0", "allowed"),
        ("MIT", "allowed"),
        ("llama3.2", "conditions"),
        ("gemma", "conditions"),
        ("cc-by-nc-4.0", "conditions"),
        ("cc-by-nc-nd-4.0", "forbidden"),
        ("CC-BY-ND-4.0", "forbidden"),
        ("proprietary", "forbidden"),
        ("other", "unknown"),
        ("", "unknown"),
        ("GPL-3.0-or-later", "conditions"),
        ("Apache-2.0 OR MIT", "allowed"),
        ("CC-BY-ND-4.0 OR MIT", "allowed"),
        ("CC-BY-ND-4.0 AND MIT", "forbidden"),
        ("(MIT OR gemma) AND cc-by-4.0", "conditions"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "conditions"),
        ("[mit, cc-by-nc-nd-4.0]", "forbidden"),
        ("['mit', \"apache-2.0\"]", "allowed"),
        ("[]", "unknown"),
        ("my-own-terms-1.0", "unknown"),
        ("MIT OR", "unknown"),
        ("(" * 200, "unknown"),
        ("mit AND " * 5000, "unknown"),
    ],
)
def test_what_a_licence_allows(stated: str, redistribution: str) -> None:
    judged = judge_licence(stated)
    assert judged.redistribution == redistribution
    assert judged.note
    assert len(judged.note) < 1000


def test_of_alternatives_the_one_that_is_taken_is_named() -> None:
    assert "Taken of the alternatives: MIT" in judge_licence("cc-by-nc-4.0 OR MIT").note


@pytest.mark.parametrize("id", ["cc-by-nd-4.0", "proprietary", "other", "my-own-terms-1.0", "cc", "intel-research"])
def test_what_forbids_or_only_a_person_can_judge_stops_the_bundle(id: str) -> None:
    licences = notes(id, {"LICENSE": b"terms"})
    with pytest.raises(UsageError) as refused:
        refuse_forbidden(licences, accepted=False)
    assert id in refused.value.message
    assert "licenses/model/LICENSE" in refused.value.message
    assert "--accept-license" in refused.value.hint
    refuse_forbidden(licences, accepted=True)
    (said,) = sentences(licences, accepted=True)
    assert "--accept-license" in said


@pytest.mark.parametrize("id", ["apache-2.0", "llama3.1", "cc-by-nc-4.0", None, "unknown", "none"])
def test_what_allows_and_what_is_not_stated_does_not_stop_it(id: str | None) -> None:
    refuse_forbidden(notes(id), accepted=False)


def test_a_source_without_a_licence_is_told_loudly() -> None:
    licences = notes(None)
    assert (licences[0].id, licences[0].redistribution) == ("", "unknown")
    (said,) = sentences(licences, accepted=False)
    assert "no licence stated" in said
    assert "must hold the rights" in said


def test_an_artifact_without_a_source_states_none() -> None:
    (model, *_) = licences_of(sample_profile_report(), LLAMA, {})
    assert (model.id, model.redistribution) == ("", "unknown")


def test_conditions_are_told_and_what_anybody_may_do_is_not() -> None:
    assert sentences(notes("apache-2.0"), accepted=False) == ()
    (said,) = sentences(notes("llama3.1"), accepted=False)
    assert "Built with Llama" in said
    assert "no licence text" in said
    (said,) = sentences(notes("llama3.1", {"LICENSE": b"terms"}), accepted=False)
    assert "no licence text" not in said


def test_a_licence_id_cannot_steer_the_terminal() -> None:
    licences = notes("evil\x1b[2J\nterms")
    assert "\x1b" not in licences[0].id + licences[0].note
    with pytest.raises(UsageError) as refused:
        refuse_forbidden(licences, accepted=False)
    assert refused.value.message.isprintable()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_part_that_opens_the_model_brings_its_text(engine: Engine) -> None:
    texts = licence_texts(engine, {"NOTICE": b"notice", "LICENSE": b"terms"})
    assert list(texts)[:2] == ["licenses/model/LICENSE", "licenses/model/NOTICE"]
    for note in licences_of(sample_report(), engine, {})[1:]:
        assert note.part == "runtime"
        assert note.redistribution == "allowed"
        assert note.files[0].startswith(RUNTIME_TEXTS)
        assert b"opyright" in texts[note.files[0]]
    assert {part.name for part in software_of(engine)} >= {"edgeshrink", engine.project}
    assert b"Apache License" in texts[f"{RUNTIME_TEXTS}/edgeshrink-LICENSE.txt"]


@pytest.mark.parametrize("package", ["llama-cpp-python", "executorch", "pytorch-tokenizers"])
def test_the_shipped_texts_are_those_of_the_installed_packages(package: str) -> None:
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    (text,) = (file for file in files if "dist-info/licenses/LICENSE" in file.as_posix())
    shipped = FOLDER / "texts" / f"{package}-LICENSE.txt"
    assert Path(str(text.locate())).read_bytes() == shipped.read_bytes()


@pytest.mark.parametrize("package", ["onnxruntime", "onnxruntime-genai"])
def test_so_are_those_that_stand_in_the_package_itself(package: str) -> None:
    try:
        found = distribution(package).locate_file(package.replace("-", "_"))
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    shipped = FOLDER / "texts" / f"{package}-LICENSE.txt"
    assert Path(str(found), "LICENSE").read_bytes() == shipped.read_bytes()


def test_ids_are_found_whatever_their_case_and_suffix() -> None:
    row = known("lgpl-3.0")
    assert row is not None
    assert known("LGPL-3.0-only") == known(" lgpl-3.0+ ") == row
    assert known("openrail++") is not None


@pytest.mark.parametrize("stated", ["()", "MIT AND ()", "Apache-2.0 WITH Commons-Clause", "MIT WITH x", "(", "OR OR"])
def test_what_is_no_expression_or_takes_rights_away_is_for_a_person_to_judge(stated: str) -> None:
    assert judge_licence(stated).redistribution == "unknown"


def test_an_exception_of_spdx_leaves_the_licence_as_it_is() -> None:
    assert judge_licence("Apache-2.0 WITH LLVM-exception").redistribution == "allowed"
