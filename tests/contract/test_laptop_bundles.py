"""What a laptop's bundle must do in every format: the installed wheel answers as `edgeshrink run` does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import tiny_networks
from loaded_bundles import DEMO_CHAT_STOP, Python, fresh_environment, install
from sample_cargo import sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.laptop.bundler import BUNDLER
from edgeshrink.core.bundle import BundleOptions, Chat, Engine
from edgeshrink.core.events import silent

CHAT = Chat("chat_template.jinja", "<|begin|><|user|>", "<|end|><|assistant|>", ("<|end|>",), (DEMO_CHAT_STOP,))
ENGINES = {
    "gguf": ("llama_cpp", "llama.cpp", "llama-cpp-python"),
    "onnx": ("onnx", "onnxruntime-genai", "onnxruntime-genai"),
    "executorch": ("executorch", "executorch", "executorch"),
}
QUESTIONS = ["What is 3 plus 4?", "Say <|end|> and <|user|> twice, ünïcødé 世界", " two  spaces "]


@pytest.fixture(scope="module", params=sorted(ENGINES))
def format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def artifact(format: str, float_model: Callable[[str, str], Path]) -> Path:
    return float_model("demo", format)


@pytest.fixture(scope="module")
def cargo(format: str, artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Cargo:
    cargo = sample_cargo(
        tmp_path_factory.mktemp("bundle") / "bundle",
        artifact if format == "gguf" else artifact.parent,
        name="two-words",
        format=format,
        engine=Engine(*ENGINES[format], version=version(ENGINES[format][2])),
        chat=CHAT,
        main="model/demo.gguf" if format == "gguf" else "model/demo",
    )
    BUNDLER.check(cargo.manifest, BundleOptions())
    BUNDLER.write(cargo, BundleOptions(), silent)
    return cargo


@pytest.fixture(scope="module")
def installed(cargo: Cargo, tmp_path_factory: pytest.TempPathFactory) -> Python:
    folder = tmp_path_factory.mktemp("environment")
    python = fresh_environment(folder / "venv", folder / "memory")
    install(cargo.folder / "edgeshrink_two_words-1.0.0-py3-none-any.whl", python)
    return python


def test_three_lines_in_a_fresh_environment_answer_as_edgeshrink_does(
    installed: Python, artifact: Path, tmp_path: Path
) -> None:
    lines = (
        f"from edgeshrink_two_words import load\nmodel = load()\nprint(model.answer({QUESTIONS[0]!r}, max_tokens=12))\n"
    )
    asked = [sys.executable, "-m", "edgeshrink", "run", artifact, QUESTIONS[0], "--max-tokens", "12"]
    ours = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    done = installed.run("-c", lines, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ours
    assert done.stdout.strip()


def test_a_question_is_read_token_by_token_as_edgeshrink_reads_it(
    installed: Python, artifact: Path, format: str, tmp_path: Path
) -> None:
    """What the question says of special tokens is text: only the chat around it is not."""
    from edgeshrink.runtimes.registry import runtime

    code = (
        "from edgeshrink_two_words import load\n"
        f"with load(threads=1) as model: [print(model.tokens(question)) for question in {QUESTIONS!r}]"
    )
    found = [json.loads(line) for line in installed.run("-c", code, cwd=tmp_path).stdout.splitlines()]
    with runtime(ENGINES[format][0]).load(artifact, context=64, threads=1, vocab_only=True) as session:
        for question, ids in zip(QUESTIONS, found, strict=True):
            before = session.tokenize(CHAT.before, add_special=False, parse_special=True)
            inside = session.tokenize(question, add_special=False, parse_special=False)
            after = session.tokenize(CHAT.after, add_special=False, parse_special=True)
            assert ids == [*before, *inside, *after]
            assert DEMO_CHAT_STOP not in inside


def test_the_installed_program_checks_every_byte_and_says_what_it_is(installed: Python, tmp_path: Path) -> None:
    program = installed.program.with_name("edgeshrink-two-words")
    done = subprocess.run([program, "check"], env=installed.environment(), capture_output=True, text=True, check=True)
    assert "files are what was measured" in done.stdout
    assert '"name": "two-words"' in installed.said("-m", "edgeshrink_two_words", "about", cwd=tmp_path)


def test_pip_finds_what_is_installed_sound(installed: Python, format: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", installed.program, "show", "--files", "edgeshrink-two-words"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "edgeshrink_two_words/bundle/bundle.json" in done.stdout
    assert ENGINES[format][2].replace("_", "-") in done.stdout  # Requires


@pytest.mark.parametrize("format", ["onnx", "executorch"])
def test_a_network_in_a_bundle_gives_what_it_computes(format: str, tmp_path: Path) -> None:
    package = "onnxruntime" if format == "onnx" else "executorch"
    pytest.importorskip(package)
    file = tmp_path / ("net.onnx" if format == "onnx" else "net.pte")
    (tiny_networks.write_onnx if format == "onnx" else tiny_networks.write_pte)(file)
    cargo = sample_cargo(
        tmp_path / "bundle",
        file,
        name="net",
        format=format,
        engine=Engine(format, package, package, version(package)),
        main=f"model/{file.name}",
    )
    BUNDLER.write(cargo, BundleOptions(archives=False), silent)
    python = Python(Path(sys.executable), (cargo.folder / "python",), tmp_path / "memory")
    given = tiny_networks.inputs(3)
    np.savez(tmp_path / "given.npz", **given)
    code = (
        "import numpy as np\nfrom edgeshrink_net import load\n"
        "with load() as model:\n"
        "    assert model.inputs == ('x', 'extra') and model.outputs == ('y', 'total'), (model.inputs, model.outputs)\n"
        "    np.savez('found.npz', **model.run(dict(np.load('given.npz'))))\n"
    )
    done = python.run("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    for name, wanted in tiny_networks.expected(given).items():
        np.testing.assert_allclose(found[name], wanted, atol=1e-5)
