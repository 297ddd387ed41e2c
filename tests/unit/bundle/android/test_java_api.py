"""The Java API in a real JVM: it opens what is right, and says by type what is wrong."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from built_gguf import build_gguf
from built_runners import ready_runner
from java_programs import ask, compile_asker
from sample_cargo import DEMO_CHAT, FALLBACK, sample_cargo

from edgeshrink.bundle.android import aar
from edgeshrink.bundle.android.naming import names_of
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import BundleOptions, Engine
from edgeshrink.core.events import silent

MODEL = os.urandom(300_000)
ENGINE = "engine=llama.cpp/0.3.36"
MODEL_SHA256 = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_asker(tmp_path_factory.mktemp("classes"))


@pytest.fixture(autouse=True)
def without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API is in `classes`; what an AAR has of it is another file's matter."""
    monkeypatch.setattr(aar, "classes_jar", lambda: b"not asked here")


@pytest.fixture
def cargo(tmp_path: Path) -> Cargo:
    return sample_cargo(tmp_path / "bundle", MODEL, kind="android", chat=DEMO_CHAT)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def test_a_bundle_in_a_folder_is_opened(classes: Path, cargo: Cargo, cache: Path) -> None:
    facts = ask(classes, "folder", cargo.folder, cache, ENGINE, "path", "map", "text=chat_template.jinja")
    assert facts["engine"] == "llama.cpp 0.3.36 (llama-cpp-python)"
    assert (facts["name"], facts["context"], facts["memory"]) == ("tiny", "512", str(64 << 20))
    assert facts["prompt"] == "<|begin|><|user|>hi<|end|><|assistant|>"
    assert facts["stop"] == "[<|end|>] [2]"
    assert facts["path"] == str(cargo.folder / "model" / "tiny.gguf")
    assert facts["path_sha256"] == facts["map_sha256"] == MODEL_SHA256
    assert facts["text"] == "{{ messages }}"
    assert "refused" not in facts


def test_what_was_found_right_is_read_once(classes: Path, cargo: Cargo, cache: Path) -> None:
    listed = sum(file.bytes for file in cargo.manifest.files)
    assert ask(classes, "folder", cargo.folder, cache)["read"] == str(listed)
    assert ask(classes, "folder", cargo.folder, cache)["read"] == "0"


def test_a_change_after_the_check_is_found(classes: Path, cargo: Cargo, cache: Path) -> None:
    ask(classes, "folder", cargo.folder, cache)
    model = cargo.folder / "model" / "tiny.gguf"
    model.write_bytes(MODEL[:-1] + bytes([MODEL[-1] ^ 1]))
    assert ask(classes, "folder", cargo.folder, cache)["refused"].startswith("DigestMismatch: model/tiny.gguf")


def test_the_same_files_elsewhere_are_checked_again(classes: Path, cargo: Cargo, cache: Path, tmp_path: Path) -> None:
    ask(classes, "folder", cargo.folder, cache)
    model = cargo.folder / "model" / "tiny.gguf"
    changed = model.stat()
    other = tmp_path / "other"
    cargo.folder.rename(other)
    model = other / "model" / "tiny.gguf"
    model.write_bytes(bytes(len(MODEL)))
    os.utime(model, ns=(changed.st_atime_ns, changed.st_mtime_ns))
    assert ask(classes, "folder", other, cache)["refused"].startswith("DigestMismatch")


def test_garbage_in_the_memory_of_checks_means_checking(classes: Path, cargo: Cargo, cache: Path) -> None:
    ask(classes, "folder", cargo.folder, cache)
    (remembered,) = (cache / "edgeshrink").glob("*.checked")
    remembered.write_bytes(b"\xff\xfe\n\t\n")
    assert int(ask(classes, "folder", cargo.folder, cache)["read"]) > len(MODEL)


Change = Callable[[Path], object]


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda f: (f / "bundle.json").unlink(), "BundleMissing: there is no bundle.json"),
        (lambda f: (f / "model" / "tiny.gguf").unlink(), "FileMissing: model/tiny.gguf"),
        (lambda f: (f / "model" / "tiny.gguf").write_bytes(MODEL[:-1]), "DigestMismatch: model/tiny.gguf"),
        (lambda f: (f / "model" / "tiny.gguf").write_bytes(MODEL + b"x"), "DigestMismatch: model/tiny.gguf"),
        (lambda f: (f / "MODEL_CARD.md").write_bytes(b"# tinY\n"), "DigestMismatch: MODEL_CARD.md"),
        (lambda f: (f / "bundle.json").write_bytes(b'{"schema": '), "BundleInvalid: the JSON has an early end"),
        (lambda f: (f / "bundle.json").write_bytes(b" " * (17 << 20)), "BundleInvalid: bundle.json is larger"),
    ],
)
def test_what_is_wrong_is_said_by_type(classes: Path, cargo: Cargo, cache: Path, change: Change, refused: str) -> None:
    change(cargo.folder)
    assert ask(classes, "folder", cargo.folder, cache)["refused"].startswith(refused)


def test_another_engine_and_another_base_are_refused(classes: Path, cargo: Cargo, cache: Path) -> None:
    assert ask(classes, "folder", cargo.folder, cache, "engine=llama.cpp/0.3.35")["refused"].startswith(
        "EngineMismatch"
    )
    assert ask(classes, "folder", cargo.folder, cache, "engine=ollama/0.3.36")["refused"].startswith("EngineMismatch")
    assert ask(classes, "folder", cargo.folder, cache, "base=" + "0" * 64)["refused"].startswith("WrongBase: tiny")


def test_no_model_is_given_out_before_the_engine_is_known_to_fit(classes: Path, cargo: Cargo, cache: Path) -> None:
    for way in ("path", "map"):
        assert ask(classes, "folder", cargo.folder, cache, way)["refused"].startswith("EngineMismatch: tiny is for")


def test_an_adapter_wants_its_own_base(classes: Path, cargo: Cargo, cache: Path) -> None:
    path = cargo.folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_sha256": "a" * 64}))
    assert ask(classes, "folder", cargo.folder, cache, ENGINE, "path")["refused"].startswith("WrongBase")
    assert ask(classes, "folder", cargo.folder, cache, ENGINE, "base=" + "b" * 64)["refused"].startswith("WrongBase")
    fits = ask(classes, "folder", cargo.folder, cache, ENGINE, "base=" + "a" * 64, "path")
    assert fits["path_sha256"] == MODEL_SHA256


def test_an_aars_assets_are_mapped_where_they_lie_and_copied_out_once(classes: Path, cargo: Cargo, cache: Path) -> None:
    archive = aar.write_aar(cargo, names_of(cargo.manifest, BundleOptions()), None, silent)
    facts = ask(classes, "assets", archive, "tiny", cache, ENGINE, "map", "path")
    assert facts["map_sha256"] == facts["path_sha256"] == MODEL_SHA256
    path = Path(facts["path"])
    assert path.is_relative_to(cache) and path.read_bytes() == MODEL
    inode = path.stat().st_ino
    again = ask(classes, "assets", archive, "tiny", cache, ENGINE, "path")
    assert (again["read"], again["path"], path.stat().st_ino) == ("0", str(path), inode)
    path.write_bytes(bytes(len(MODEL)))
    assert ask(classes, "assets", archive, "tiny", cache, ENGINE, "path")["path_sha256"] == MODEL_SHA256
    assert not list(cache.rglob("*.part"))


def test_copies_of_older_versions_go_and_other_bundles_stay(
    classes: Path, cargo: Cargo, cache: Path, tmp_path: Path
) -> None:
    for name in ("tiny@old", "tiny-chat@kept"):
        (cache / "edgeshrink" / name / "model").mkdir(parents=True)
        (cache / "edgeshrink" / name / "model" / "x").write_bytes(b"x")
    archive = aar.write_aar(cargo, names_of(cargo.manifest, BundleOptions()), None, silent)
    ask(classes, "assets", archive, "tiny", cache, ENGINE, "path")
    assert not (cache / "edgeshrink" / "tiny@old").exists()
    assert (cache / "edgeshrink" / "tiny-chat@kept" / "model" / "x").is_file()


def test_a_model_of_several_files_is_a_folder(classes: Path, tmp_path: Path, cache: Path) -> None:
    parts = tmp_path / "parts"
    (parts / "sub").mkdir(parents=True)
    (parts / "model.onnx").write_bytes(b"graph")
    (parts / "sub" / "model.onnx.data").write_bytes(b"weights")
    engine = Engine("onnx", "onnxruntime-genai", "onnxruntime-genai", "0.18.0")
    cargo = sample_cargo(
        tmp_path / "bundle", parts, kind="android", name="tiny-x", format="onnx", engine=engine, main="model/tiny-onnx"
    )
    archive = aar.write_aar(cargo, names_of(cargo.manifest, BundleOptions()), None, silent)
    genai = "engine=onnxruntime-genai/0.18.0"
    facts = ask(classes, "assets", archive, "tiny-x", cache, genai, "path")
    assert (Path(facts["path"]) / "sub" / "model.onnx.data").read_bytes() == b"weights"
    assert ask(classes, "assets", archive, "tiny-x", cache, genai, "map")["refused"].startswith(
        "ModelUnopenable: model/tiny-onnx"
    )


def test_a_fallback_is_read_with_its_curve_and_its_rule(classes: Path, tmp_path: Path, cache: Path) -> None:
    cargo = sample_cargo(tmp_path / "sure", MODEL, kind="android", fallback=FALLBACK)
    facts = ask(classes, "folder", cargo.folder, cache)
    assert facts["fallback"] == "true"  # 0.5 is below the threshold
    weights = [math.exp(logit / FALLBACK.temperature) for logit in (1, 2, 3, -1)]
    assert float(facts["probability"]) == pytest.approx(weights[2] / sum(weights), rel=1e-12)
    assert float(facts["probability_of_none"]) == 0.0
    assert facts["risk"] == "0.05 of 0.8"
    points = (f"{point.threshold} {point.coverage} {point.risk};" for point in FALLBACK.curve)
    assert facts["curve"] == "".join(points)


def test_a_network_without_a_context_is_opened(classes: Path, tmp_path: Path, cache: Path) -> None:
    engine = Engine("onnx", "onnxruntime", "onnxruntime", "1.31.1")
    cargo = sample_cargo(
        tmp_path / "network", MODEL, kind="android", format="onnx", engine=engine, main="model/net.onnx", context=0
    )
    facts = ask(classes, "folder", cargo.folder, cache, "engine=onnxruntime/1.31.1", "path")
    assert (facts["context"], facts["path_sha256"]) == ("0", MODEL_SHA256)


def test_names_that_lead_out_and_other_nonsense_are_refused(classes: Path, cargo: Cargo, cache: Path) -> None:
    sound = json.loads((cargo.folder / "bundle.json").read_text())

    def named(*names: str) -> str:
        files = [{**sound["files"][0], "name": name} for name in names] + sound["files"]
        return json.dumps({**sound, "files": files})

    fallback = {"threshold": 0.6, "temperature": 1.5, "risk": 0.05, "coverage": 0.8, "curve": []}
    changes = ({"threshold": 1.5}, {"risk": "low"}, {"temperature": 0}, {"curve": [{"threshold": 2}]}, {"curve": None})
    unsafe = ["../x", "/x", "a/../../x", "a//b", "./x", "C:/x", "a\\b", "x\u0007", "", "a/"]
    wrong = [
        *(named(name) for name in unsafe),
        named("a/File", "A/file"),
        json.dumps({**sound, "schema": "edgeshrink-bundle-2"}),
        json.dumps({**sound, "main": "model/none"}),
        json.dumps({**sound, "main": "../tiny.gguf"}),
        json.dumps({**sound, "context": "512"}),
        json.dumps({**sound, "context": -1}),
        json.dumps({**sound, "files": [{**sound["files"][0], "sha256": "0" * 63}]}),
        json.dumps({**sound, "name": "../tiny"}),
        *(json.dumps({**sound, "fallback": {**fallback, **change}}) for change in changes),
        json.dumps(sound)[:-1] + ', "name": "twice"}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "[]",
        "{} {}",
        '"\\ud800"',
        "01",
        "1e999999999",
        "NaN",
    ]
    cases = cache / "cases"
    cases.write_text("\n".join(wrong) + "\n", encoding="utf-8")
    facts = ask(classes, "each", cases, cache)
    assert facts == {"refused": "BundleInvalid"}  # the one thing that any line says


def test_no_damage_to_the_json_gets_past_the_types(classes: Path, cargo: Cargo, cache: Path) -> None:
    facts = ask(classes, "fuzz", cargo.folder / "bundle.json", 7, 20_000, cache)
    assert "BundleInvalid" in facts["seen"]
    assert "opened" not in facts["seen"]  # there are no files


def fake_runner(folder: Path, answer: str, llama: str = "0.3.36") -> Path:
    program = folder / "runner"
    hello = json.dumps({"event": "hello", "llama": llama})
    program.write_text(f"#!/bin/sh\nif [ \"$1\" = info ]; then echo '{hello}'; exit 0; fi\n{answer}\n")
    program.chmod(0o755)
    return program


def test_the_runner_gets_the_chat_in_files_and_the_question_on_its_input(
    classes: Path, cargo: Cargo, cache: Path
) -> None:
    options = '--before|--after) cat "$2";; --stop-ids) printf "[$2]";;'
    script = f'while [ $# -gt 1 ]; do case $1 in {options} esac; shift; done; printf %s "$(cat)"'
    facts = ask(classes, "runner", fake_runner(cache, script), cargo.folder, cache, "--wie geht's? ä")
    assert facts["answer"] == "<|begin|><|user|><|end|><|assistant|>[2]--wie geht's? ä"
    assert facts["heard"] == "true"
    assert not list(cache.glob("*.txt"))


def test_a_runner_of_another_engine_or_that_fails_is_refused(classes: Path, cargo: Cargo, cache: Path) -> None:
    other = fake_runner(cache, "exit 0", llama="0.3.30")
    assert ask(classes, "runner", other, cargo.folder, cache, "hi")["refused"].startswith("EngineMismatch")
    dead = fake_runner(cache, "echo no memory >&2; exit 1")
    assert ask(classes, "runner", dead, cargo.folder, cache, "hi")["refused"] == (
        "ModelUnopenable: the runner left with code 1: no memory"
    )
    silent_one = fake_runner(cache, "exit 0")
    silent_one.write_text("#!/bin/sh\nexit 0\n")
    assert ask(classes, "runner", silent_one, cargo.folder, cache, "hi")["refused"].startswith("ModelUnopenable")
    assert ask(classes, "runner", cache / "none", cargo.folder, cache, "hi")["refused"].startswith("ModelUnopenable")


def test_the_real_runner_answers_from_java(classes: Path, tmp_path: Path, cache: Path, demo_model: Path) -> None:
    model = build_gguf(demo_model, tmp_path / "demo.gguf", "Q4_K_M").path
    cargo = sample_cargo(tmp_path / "demo", model, kind="android", chat=DEMO_CHAT)
    facts = ask(classes, "runner", ready_runner("native").path, cargo.folder, cache, "What is the capital of France?")
    assert facts.get("refused") is None
    assert facts["answer"].strip()
