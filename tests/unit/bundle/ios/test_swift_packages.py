"""What stands in a bundle for iOS and macOS, without Swift: tests/contract/test_swift_builds.py builds it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sample_cargo import DEMO_CHAT, LLAMA, sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.ios.bundler import BUNDLER
from edgeshrink.bundle.ios.engines import llama_pin
from edgeshrink.core.bundle import BUNDLE_NAME, BundleOptions, Engine
from edgeshrink.core.events import silent
from edgeshrink.core.fallback import Fallback
from edgeshrink.errors import UnsupportedModel, UsageError

EXECUTORCH = Engine("executorch", "executorch", "executorch", "1.5.1")
URL, CHECKSUM, REVISION = "https://example.org/llama/b1/llama.xcframework.zip", "ab" * 32, "12" * 20
OPTIONS = BundleOptions(kind="ios", name="two-words")
PINNED = replace(OPTIONS, xcframework_url=URL, xcframework_checksum=CHECKSUM)
REVISED = replace(OPTIONS, executorch_revision=REVISION)


def gguf(folder: Path, engine: Engine = LLAMA) -> Cargo:
    return sample_cargo(folder, b"GGUF" * 1000, kind="ios", name="two-words", chat=DEMO_CHAT, engine=engine)


def pte(folder: Path) -> Cargo:
    model = folder.parent / "model"
    model.mkdir(parents=True)
    for name in ("model.pte", "tokenizer.json"):
        (model / name).write_bytes(name.encode())
    return sample_cargo(
        folder, model, kind="ios", name="two-words", format="executorch", engine=EXECUTORCH, main="model/two-words"
    )


def write(cargo: Cargo, options: BundleOptions = OPTIONS) -> tuple[str, ...]:
    BUNDLER.check(cargo.manifest, options)
    return BUNDLER.write(cargo, options, silent)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_carried_files_lie_in_the_package_as_links_and_not_as_copies(tmp_path: Path) -> None:
    cargo = gguf(tmp_path / "bundle")
    write(cargo)
    resources = cargo.folder / "swift/TwoWordsModel/Sources/TwoWordsModel/Model"
    assert names(resources) == list(cargo.files)
    for name in cargo.files:
        assert (resources / name).samefile(cargo.folder / name)
    assert BUNDLER.copies(cargo.manifest, OPTIONS) == 0
    assert not [name for name in names(cargo.folder / "swift") if "Resources" in name]


def test_the_core_package_depends_on_nothing_and_copies_its_resources(tmp_path: Path) -> None:
    cargo = gguf(tmp_path / "bundle")
    write(cargo)
    text = (cargo.folder / "swift/TwoWordsModel/Package.swift").read_text()
    assert text.startswith("// swift-tools-version:5.9\n")
    assert '.target(name: "TwoWordsModel", resources: [.copy("Model")])' in text
    assert ".package(" not in text
    for source in (cargo.folder / "swift/TwoWordsModel/Sources").rglob("*.swift"):
        imports = set(re.findall(r"^import (\w+)", source.read_text(), re.M))
        assert imports <= {"Foundation", "CryptoKit"}, source


def test_no_placeholder_is_left_anywhere(tmp_path: Path) -> None:
    for cargo, options in ((gguf(tmp_path / "one" / "b"), PINNED), (pte(tmp_path / "two" / "b"), REVISED)):
        write(cargo, options)
        for name in names(cargo.folder):
            assert "BundledModel" not in name
            text = (cargo.folder / name).read_text()
            assert "BundledModel" not in text and "bundled-model" not in text, name
        assert not re.search(r"\$\w|\$\{", (cargo.folder / "README.md").read_text())


def test_the_code_is_the_same_in_every_bundle_but_for_the_name(tmp_path: Path) -> None:
    one = gguf(tmp_path / "one" / "b")
    other = sample_cargo(tmp_path / "two" / "b", b"other" * 99, kind="ios", name="other", main="model/o.gguf")
    write(one)
    write(other, replace(OPTIONS, name="other"))
    swift = [name for name in names(one.folder / "swift") if name.endswith(".swift")]
    assert len(swift) > 15
    for name in swift:
        text = (one.folder / "swift" / name).read_text()
        twin = (other.folder / "swift" / name.replace("TwoWordsModel", "OtherModel")).read_text()
        assert text.replace("TwoWordsModel", "OtherModel").replace("two-words", "other") == twin, name


def test_llama_comes_from_beside_the_package_where_no_url_was_given(tmp_path: Path) -> None:
    cargo = gguf(tmp_path / "bundle")
    (note,) = write(cargo)
    glue = cargo.folder / "swift/TwoWordsModelLlama"
    assert '.binaryTarget(name: "llama", path: "llama.xcframework")' in (glue / "Package.swift").read_text()
    engine = json.loads((glue / "Sources/TwoWordsModelLlama/engine.json").read_text())
    assert (engine["project"], engine["version"], engine["by_checksum"]) == ("llama.cpp", "0.3.36", False)
    assert engine["commit"] in note and "swift/TwoWordsModelLlama" in note
    assert "build-xcframework.sh" in (cargo.folder / "README.md").read_text()


def test_llama_comes_by_url_and_checksum_where_they_were_given(tmp_path: Path) -> None:
    cargo = gguf(tmp_path / "bundle")
    assert write(cargo, PINNED) == ()
    glue = cargo.folder / "swift/TwoWordsModelLlama"
    text = (glue / "Package.swift").read_text()
    assert f'url: "{URL}"' in text and f'checksum: "{CHECKSUM}"' in text and 'path: "llama.xcframework' not in text
    assert json.loads((glue / "Sources/TwoWordsModelLlama/engine.json").read_text())["by_checksum"] is True
    assert URL in (cargo.folder / "README.md").read_text()


def test_the_measuring_session_is_of_this_artifact_and_fits_its_context(tmp_path: Path) -> None:
    cargo = gguf(tmp_path / "bundle")
    write(cargo)
    tests = cargo.folder / "swift/TwoWordsModelLlama/Tests/TwoWordsModelLlamaMeasure"
    session = json.loads((tests / "Session/session.json").read_text())
    assert session["artifact_sha256"] == cargo.manifest.artifact_sha256
    assert session["prompt_tokens"][0] + session["decode_tokens"] <= cargo.manifest.context == session["context"]
    shared = ("Engine.swift", "Lines.swift", "LlamaEngine.swift", "Machine.swift", "Memory.swift", "Session.swift")
    assert {*shared, "MeasuringTests.swift"} <= set(names(tests))


def test_the_pinned_commit_is_that_of_the_installed_llama() -> None:
    """Whoever raises the pin of llama-cpp-python has to write down which llama.cpp the new one holds."""
    from edgeshrink.runtimes.llama_library import version

    pin = llama_pin(Engine("llama_cpp", "llama.cpp", "llama-cpp-python", version().split()[0]))
    assert pin is not None
    if told := re.search(r"\(llama\.cpp ([0-9a-f]{7,})", version()):
        assert pin.commit.startswith(told[1])


def test_an_engine_that_nobody_wrote_down_gets_no_glue_and_a_sentence(tmp_path: Path) -> None:
    cargo = gguf(tmp_path / "bundle", Engine("llama_cpp", "llama.cpp", "llama-cpp-python", "9.9.9"))
    (note,) = write(cargo)
    assert "llama-cpp-python 9.9.9" in note
    assert sorted(path.name for path in (cargo.folder / "swift").iterdir()) == ["TwoWordsModel", "sample"]
    assert "ModelApp" not in (cargo.folder / "README.md").read_text()


def test_executorch_is_pinned_by_the_commit_that_was_given(tmp_path: Path) -> None:
    cargo = pte(tmp_path / "bundle")
    assert write(cargo, REVISED) == ()
    glue = cargo.folder / "swift/TwoWordsModelExecuTorch"
    assert f'revision: "{REVISION}"' in (glue / "Package.swift").read_text()
    engine = json.loads((glue / "Sources/TwoWordsModelExecuTorch/engine.json").read_text())
    assert engine == {"project": "executorch", "version": "1.5.1", "revision": REVISION}
    assert "import TwoWordsModelExecuTorch" in (cargo.folder / "swift/sample/App/ModelApp.swift").read_text()
    assert REVISION in (cargo.folder / "README.md").read_text()


def test_without_a_commit_a_pte_gets_the_core_package_and_a_sentence(tmp_path: Path) -> None:
    cargo = pte(tmp_path / "bundle")
    (note,) = write(cargo)
    assert "--executorch-revision" in note and "swiftpm-1.5.1" in note
    assert sorted(path.name for path in (cargo.folder / "swift").iterdir()) == ["TwoWordsModel", "sample"]
    assert 'EngineIdentity(project: "executorch", version: "1.5.1")' in (cargo.folder / "README.md").read_text()


def test_no_folder_is_left_empty_as_no_signature_would_cover_it(tmp_path: Path) -> None:
    write(pte(tmp_path / "b"))
    assert all(any(folder.iterdir()) for folder in tmp_path.rglob("*") if folder.is_dir())


def test_the_commit_of_another_version_is_refused(tmp_path: Path) -> None:
    known = replace(OPTIONS, executorch_revision="56cc93a96d5fb8d21554ec5f00fbad5a5b228bc4")
    cargo = pte(tmp_path / "bundle")
    with pytest.raises(UsageError, match=r"Swift package of executorch 1\.5\.0, .* measured with 1\.5\.1"):
        BUNDLER.check(cargo.manifest, known)
    BUNDLER.check(replace(cargo.manifest, engine=replace(EXECUTORCH, version="1.5.0")), known)


def test_the_known_commit_of_a_version_is_taken_by_itself(tmp_path: Path) -> None:
    cargo = pte(tmp_path / "bundle")
    older = Cargo(cargo.folder, replace(cargo.manifest, engine=replace(EXECUTORCH, version="1.5.0")))
    assert write(older) == ()
    text = (cargo.folder / "swift/TwoWordsModelExecuTorch/Package.swift").read_text()
    assert 'revision: "56cc93a96d5fb8d21554ec5f00fbad5a5b228bc4"' in text


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_other_formats_are_refused_with_the_ones_that_are_taken(tmp_path: Path, format: str) -> None:
    cargo = sample_cargo(tmp_path / "bundle", b"x", kind="ios", format=format, main=f"model/tiny.{format}")
    with pytest.raises(UnsupportedModel, match=format) as caught:
        BUNDLER.check(cargo.manifest, OPTIONS)
    assert "gguf" in caught.value.hint and "executorch" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"xcframework_checksum": CHECKSUM}, "one of them is missing"),
        ({"xcframework_url": URL}, "one of them is missing"),
        ({"xcframework_url": "http://example.org/a.zip", "xcframework_checksum": CHECKSUM}, "takes no XCFramework"),
        ({"xcframework_url": 'https://e.org/a"),x.zip', "xcframework_checksum": CHECKSUM}, "takes no XCFramework"),
        ({"xcframework_url": "https://e.org/a.zip\n", "xcframework_checksum": CHECKSUM}, "takes no XCFramework"),
        ({"xcframework_url": URL, "xcframework_checksum": "AB" * 32}, "is no checksum"),
        ({"xcframework_url": URL, "xcframework_checksum": "ab" * 31}, "is no checksum"),
        ({"executorch_revision": REVISION}, "belongs to a .pte"),
    ],
)
def test_a_pin_that_is_none_is_refused(tmp_path: Path, change: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        BUNDLER.check(gguf(tmp_path / "bundle").manifest, replace(OPTIONS, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"executorch_revision": "swiftpm-1.5.1"}, "is no commit"),
        ({"executorch_revision": "0" * 40}, "is no commit"),
        ({"executorch_revision": f"{REVISION}\n"}, "is no commit"),
        ({"xcframework_url": URL, "xcframework_checksum": CHECKSUM}, "belongs to a GGUF"),
    ],
)
def test_a_revision_that_is_none_is_refused(tmp_path: Path, change: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        BUNDLER.check(pte(tmp_path / "bundle").manifest, replace(OPTIONS, **change))  # type: ignore[arg-type]


def test_an_adapter_is_carried_and_opened_by_its_bases_package(tmp_path: Path) -> None:
    cargo = gguf(tmp_path / "bundle")
    adapter = Cargo(cargo.folder, replace(cargo.manifest, base_sha256="c" * 64))
    (note,) = write(adapter)
    assert "its base" in note
    assert not (cargo.folder / "swift/TwoWordsModelLlama").exists()


def test_more_than_the_store_takes_is_said(tmp_path: Path) -> None:
    cargo = gguf(tmp_path / "bundle")
    large = Cargo(cargo.folder, replace(cargo.manifest, artifact_bytes=5 * 10**9))
    assert any("4 GB" in note for note in write(large, PINNED))


def test_the_readme_names_the_threshold_and_unknown_memory(tmp_path: Path) -> None:
    cargo = gguf(tmp_path / "bundle")
    fallback = Fallback(threshold=0.62, temperature=1.0, risk=0.05, coverage=0.8)
    write(Cargo(cargo.folder, replace(cargo.manifest, fallback=fallback, memory_bytes=None)), PINNED)
    text = (cargo.folder / "README.md").read_text()
    assert "(0.62)" in text and "(not known)" in text


def test_two_writings_are_equal(tmp_path: Path) -> None:
    one, other = gguf(tmp_path / "one" / "b"), gguf(tmp_path / "two" / "b")
    write(one, PINNED)
    write(other, PINNED)
    assert names(one.folder) == names(other.folder)
    for name in names(one.folder):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
    assert BUNDLE_NAME in names(one.folder)
