"""A bundle for iOS and macOS, built and run by Swift on Linux with the demo model in it. Minutes where Swift is there.

The package for llama.cpp is linked with the libllama that llama-cpp-python ships. What only Apple has stays untested:
XCFrameworks, ExecuTorch's package, SwiftUI.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from built_gguf import build_gguf
from sample_cargo import sample_cargo
from swift_toolchain import Swift, find_swift

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.ios.bundler import BUNDLER
from edgeshrink.core.bundle import BundleOptions, Chat, Engine
from edgeshrink.core.events import silent
from edgeshrink.core.reading import Measured
from edgeshrink.core.request import Request
from edgeshrink.engine.xctest import profile_imported
from edgeshrink.ggml.library import shared_libraries
from edgeshrink.toolchain.runner.installed import llama_version

CHAT = Chat("chat_template.jinja", "<|begin|><|user|>", "<|end|><|assistant|>", ("<|end|>",), (1,))
OPTIONS = BundleOptions(kind="ios", name="demo")
QUESTION = "Who are you?"


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Swift:
    return find_swift(tmp_path_factory.mktemp("swift"))


@pytest.fixture(scope="module")
def cargo(swift: Swift, demo_model: Path) -> Cargo:
    model = build_gguf(demo_model, swift.folder / "demo.gguf", "Q4_K_M").path
    engine = Engine("llama_cpp", "llama.cpp", "llama-cpp-python", llama_version())
    made = sample_cargo(
        swift.folder / "bundle", model, kind="ios", name="demo", chat=CHAT, engine=engine, main="model/demo.gguf"
    )
    BUNDLER.write(made, OPTIONS, silent)
    return made


@pytest.fixture(scope="module")
def library(swift: Swift) -> tuple[str, ...]:
    """Flags of Swift for the libllama that is installed here; its header is in the sources of the native runner."""
    sources = Path(os.environ["EDGESHRINK_RUNNERS"]) / "sources" / f"llama.cpp-{llama_version()}"
    if not sources.is_dir():
        pytest.skip(f"no header of llama.cpp in {sources}: python tools/build_runners.py native")
    place = swift.folder / "llama"
    shutil.copytree(sources / "include", place / "include")
    shutil.copytree(sources / "ggml" / "include", place / "include", dirs_exist_ok=True)
    for file in shared_libraries("llama", "ggml")[0].parent.glob("lib*.so*"):
        shutil.copy2(file, place / file.name, follow_symlinks=False)
    return ("-Xcc", f"-I{swift.seen(place / 'include')}", "-Xlinker", f"-L{swift.seen(place)}")


def events(text: str) -> dict[str, dict[str, object]]:
    """The lines of JSON that the measuring tests print, by event."""
    said = [json.loads(line) for line in text.splitlines() if line.startswith('{"')]
    return {str(line["event"]): line for line in said}


def test_the_core_package_builds_passes_its_own_tests_and_measures(swift: Swift, cargo: Cargo) -> None:
    done = swift.run(cargo.folder / "swift/DemoModel", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Executed 16 tests, with 0 failures", done.stdout)
    said = events(done.stdout)
    template = (cargo.folder / "chat_template.jinja").stat().st_size
    assert said["digest"]["bytes"] == cargo.manifest.artifact_bytes + template
    assert said["map"]["bytes"] == cargo.manifest.artifact_bytes
    assert said["remembered"]["ms"] < said["digest"]["ms"]  # type: ignore[operator]


def test_the_sample_says_what_the_model_is_and_refuses_a_changed_byte(swift: Swift, cargo: Cargo) -> None:
    copy = swift.folder / "project"
    shutil.copytree(cargo.folder / "swift", copy)
    said = swift.run(copy / "sample", "run", "edgeshrink-demo")
    assert said.returncode == 0, said.stderr
    assert f"{cargo.sha256('model/demo.gguf')}  model/demo.gguf  checked now" in said.stdout
    assert f"llama.cpp {llama_version()}" in said.stdout
    again = swift.run(copy / "sample", "run", "edgeshrink-demo")
    assert "model/demo.gguf  as checked before" in again.stdout
    model = copy / "DemoModel/Sources/DemoModel/Model/model/demo.gguf"
    content = bytearray(model.read_bytes())
    content[len(content) // 3] ^= 1
    model.write_bytes(content)
    refused = swift.run(copy / "sample", "run", "edgeshrink-demo")
    assert refused.returncode == 1
    assert f"model/demo.gguf is not the file that was measured: expected sha256 {cargo.sha256('model/demo.gguf')}" in (
        refused.stderr
    )


def test_llama_answers_through_the_glue_as_edgeshrink_does_and_is_measured(
    swift: Swift, cargo: Cargo, library: tuple[str, ...]
) -> None:
    package = cargo.folder / "swift/DemoModelLlama"
    search = f"LD_LIBRARY_PATH={swift.seen(swift.folder / 'llama')}"
    done = swift.run(package, "test", *library, variables=[search])
    assert done.returncode == 0, done.stdout + done.stderr
    asked = [sys.executable, "-m", "edgeshrink", "run", cargo.folder / cargo.manifest.main, QUESTION]
    ours = subprocess.run([*asked, "--max-tokens", "24"], capture_output=True, text=True, check=True).stdout.strip()
    assert ours and f"edgeshrink: the answer is {json.dumps(ours)}" in done.stdout
    (result,) = swift.folder.glob("home/**/edgeshrink-result.jsonl")
    report = profile_imported(
        cargo.folder / cargo.manifest.main, Request(target="apple-silicon", profile="iphone-15-pro"), result
    )
    assert report.measurements is not None and isinstance(report.measurements.decode_tok_s, Measured)
    assert report.measurements.partial == ""


@pytest.mark.parametrize("pinned", [False, True])
def test_every_manifest_is_read_by_swift(swift: Swift, tmp_path: Path, pinned: bool) -> None:
    """The part for Apple's systems too: on Linux `#if os(Linux)` would leave it out."""
    place = swift.folder / f"manifests-{pinned}"
    url, checksum = "https://example.org/llama.xcframework.zip", "ab" * 32
    options = replace(OPTIONS, xcframework_url=url, xcframework_checksum=checksum) if pinned else OPTIONS
    made = sample_cargo(place / "gguf", b"GGUF", kind="ios", name="qwen3-0-6b", main="model/q.gguf")
    BUNDLER.write(made, options, silent)
    manifest = made.folder / "swift/Qwen3_0_6bModelLlama/Package.swift"
    manifest.write_text(manifest.read_text().replace("#if os(Linux)", "#if !os(Linux)"))
    told = json.loads(swift.run(manifest.parent, "package", "dump-package").stdout)
    (binary,) = (target for target in told["targets"] if target["type"] == "binary")
    assert (binary.get("url"), binary.get("checksum")) == ((url, checksum) if pinned else (None, None))
    assert binary.get("path") == (None if pinned else "llama.xcframework")
    executorch = Engine("executorch", "executorch", "executorch", "1.5.1")
    other = sample_cargo(
        place / "pte", b"ET12", kind="ios", name="class", format="executorch", engine=executorch, main="model/c.pte"
    )
    BUNDLER.write(other, replace(OPTIONS, executorch_revision="12" * 20), silent)
    told = json.loads(swift.run(other.folder / "swift/ClassModelExecuTorch", "package", "dump-package").stdout)
    (remote,) = (found["sourceControl"][0] for found in told["dependencies"] if "sourceControl" in found)
    assert remote["requirement"] == {"revision": ["12" * 20]}
    assert {target["name"] for target in told["targets"]} == {"ClassModelExecuTorch", "ClassModelExecuTorchTests"}
