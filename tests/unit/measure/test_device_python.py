"""Which Python of a device is taken, what is brought there, and what its session may say."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import device_lines as lines
import pytest

from edgeshrink.core.events import Progress, silent
from edgeshrink.core.values import to_json
from edgeshrink.devices.transports.interface import Done
from edgeshrink.devices.workspace import Workspace
from edgeshrink.errors import DeviceError, RuntimeFailed, ToolMissing
from edgeshrink.measure.device.python import uv as uv_module
from edgeshrink.measure.device.python.answers import Answers
from edgeshrink.measure.device.python.interpreter import NAMES, Interpreter, ask, needed, ready_interpreter
from edgeshrink.measure.device.python.package import write_package
from edgeshrink.measure.device.python.uv import UV, download_command, find_uv
from edgeshrink.measure.network import measure_network

WANTED = needed("onnx")
HAS = {
    "numpy": "2.3.0", "packaging": "25.0", "platformdirs": "4.3.6", "psutil": "6.1.0", "pydantic": "2.12.0",
    "onnxruntime": "1.31.1", "onnxruntime-genai": "0.18.0",
}  # fmt: skip


def said(version: Sequence[int], found: dict[str, str]) -> Done:
    return Done(0, json.dumps({"version": list(version), "found": found}), "")


class Recorded:
    """A workspace whose programs answer as was recorded; what it is asked to run is kept."""

    folder = "/w"

    def __init__(self, answer: Callable[[tuple[str, ...]], Done | None]) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._answer = answer

    def run(self, argv: Sequence[str], **options: object) -> Done:
        self.asked.append(tuple(argv))
        return self._answer(tuple(argv)) or Done(127, "", f"sh: 1: {argv[0]}: not found")

    def put(self, source: Path, *, name: str, **options: object) -> str:
        return f"/w/{name}"

    @property
    def words(self) -> list[str]:
        return [" ".join(argv) for argv in self.asked]


def chosen(workspace: Recorded, *, given: str | None = None, yes: bool = False, **facts: Any) -> str:
    questions: list[str] = []

    def confirm(question: str) -> bool:
        questions.append(question)
        return yes

    try:
        return ready_interpreter(
            cast(Workspace, workspace), lines.device(**facts), "onnx", given=given, confirm=confirm
        )
    finally:
        workspace.asked.append(("asked", *questions))


def test_a_ready_python_is_taken_without_a_question() -> None:
    old = said((3, 10), HAS)
    workspace = Recorded(
        lambda argv: {"python3": old, "python3.12": said((3, 12), HAS), "python3.11": said((3, 11), {})}.get(argv[0])
    )
    assert chosen(workspace) == "python3.12"
    assert workspace.asked[-1] == ("asked",)
    assert [argv[0] for argv in workspace.asked[:-1]] == list(NAMES)


def test_a_supported_python_gets_the_packages_into_the_workspace_by_pip() -> None:
    bare = said((3, 11), dict.fromkeys(HAS, ""))
    workspace = Recorded(lambda argv: bare if argv[:2] == ("python3", "-c") else _fine(argv, "python3", "/w/python"))
    assert chosen(workspace, yes=True) == "/w/python/bin/python"
    assert "python3 -m venv /w/python" in workspace.words
    install = next(argv for argv in workspace.asked if "pip" in argv)
    assert install[0] == "/w/python/bin/python" and "--no-cache-dir" in install, "the device's cache stays as it is"
    assert install[-len(WANTED) :] == WANTED
    assert "onnxruntime==1.31.1" in " ".join(workspace.asked[-1])


def _fine(argv: tuple[str, ...], *starts: str) -> Done | None:
    return Done(0, "", "") if argv[0].startswith(starts) else None


def test_where_venv_is_missing_uv_makes_it_with_that_python() -> None:
    def answer(argv: tuple[str, ...]) -> Done | None:
        if argv[:2] == ("python3", "-c"):
            return said((3, 13), {})
        if argv[:3] == ("python3", "-m", "venv"):
            return Done(1, "", "ensurepip is not available")
        return _fine(argv, "uv", "env")

    workspace = Recorded(answer)
    assert chosen(workspace, yes=True) == "/w/python/bin/python"
    made = next(argv for argv in workspace.asked if argv[0] == "env" and "venv" in argv)
    assert made[made.index("--python") + 1] == "python3"
    assert {"UV_CACHE_DIR=/w/uv-cache", "UV_PYTHON_INSTALL_DIR=/w/pythons", "UV_PYTHON_INSTALL_BIN=0"} <= {*made}


def test_where_every_python_is_too_old_uv_brings_one() -> None:
    def answer(argv: tuple[str, ...]) -> Done | None:
        return said((3, 10), HAS) if argv[0] == "python3" else _fine(argv, "uv", "env")

    workspace = Recorded(answer)
    assert chosen(workspace, yes=True) == "/w/python/bin/python"
    made = next(argv for argv in workspace.asked if argv[0] == "env" and "venv" in argv)
    assert made[made.index("--python") + 1] == "3.11"
    assert "has Python 3.10" in " ".join(workspace.asked[-1])


def test_without_a_yes_nothing_is_brought() -> None:
    workspace = Recorded(lambda argv: said((3, 10), HAS) if argv[0] == "python3" else None)
    with pytest.raises(DeviceError, match=r"no Python there runs onnx as pinned \(found: 3.10\)") as caught:
        chosen(workspace)
    assert "--yes" in caught.value.hint and "--device-python" in caught.value.hint
    assert not [argv for argv in workspace.asked if argv[0] in ("uv", "env")]


def test_a_failed_installation_says_the_last_words() -> None:
    def answer(argv: tuple[str, ...]) -> Done | None:
        if "pip" in argv:
            return Done(1, "", "a\nb\x1b[2J\nERROR: No matching distribution")
        return said((3, 11), {}) if argv[:2] == ("python3", "-c") else _fine(argv, "python3")

    with pytest.raises(DeviceError, match=r"could not install the runtime: a / b.* / ERROR: No matching") as caught:
        chosen(Recorded(answer), yes=True)
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (said((3, 10), HAS), "/p is Python 3.10, and the pinned packages need 3.11 to 3.13"),
        (said((3, 11), {**HAS, "onnxruntime": "1.20.0"}), "/p lacks onnxruntime==1.31.1$"),
        (said((3, 11), {**HAS, "numpy": "not a version"}), "/p lacks numpy"),
        (Done(126, "", "sh: 1: /p: Permission denied\n"), "/p does not run: sh: 1: /p: Permission denied"),
        (Done(0, "[" * 60_000, ""), "/p does not answer as a Python does"),
        (Done(0, '{"version": [3], "found": {}}', ""), "/p does not answer as a Python does"),
        (Done(0, '{"version": [3, 11], "found": {"numpy": {}}}', ""), "/p does not answer as a Python does"),
        (Done(0, "", ""), "/p does not answer as a Python does"),
    ],
)
def test_the_named_python_is_the_only_one_and_what_is_wrong_is_said(done: Done, words: str) -> None:
    workspace = Recorded(lambda argv: done)
    with pytest.raises(DeviceError, match=words):
        chosen(workspace, given="/p", yes=True)
    assert [argv[0] for argv in workspace.asked] == ["/p", "asked"]


def test_a_real_python_answers(tmp_path: Path) -> None:
    def run(argv: Sequence[str], **options: object) -> Done:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    workspace = Recorded(run)
    found = ask(cast(Workspace, workspace), sys.executable, ("numpy>=1", "not-there-at-all==1"))
    assert found == Interpreter(sys.executable, sys.version_info[:2], ("not-there-at-all==1",))


def test_uv_is_asked_of_the_registry_for_the_devices_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = download_command("manylinux2014_aarch64", tmp_path)
    assert command[:4] == (sys.executable, "-m", "pip", "download")
    assert command[-1] == UV and UV.startswith("uv==")
    assert "--only-binary=:all:" in command and "manylinux2014_aarch64" in command

    def fetched(call: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        folder = Path(call[call.index("--dest") + 1])
        with zipfile.ZipFile(folder / "uv-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("uv-1.data/scripts/uvx", "other")
            wheel.writestr("uv-1.data/scripts/uv", "program")
        return subprocess.CompletedProcess(call, 0, "", "")

    monkeypatch.setattr(uv_module.subprocess, "run", fetched)
    assert find_uv(cast(Workspace, Recorded(lambda argv: None)), lines.device()) == "/w/uv"
    assert find_uv(cast(Workspace, Recorded(lambda argv: Done(0, "uv 1", ""))), lines.device()) == "uv"


def test_uv_that_cannot_be_had_is_a_missing_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = cast(Workspace, Recorded(lambda argv: None))
    with pytest.raises(ToolMissing, match="none can be brought to linux riscv64"):
        find_uv(nothing, lines.device(machine="riscv64"))
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: no registry")
    monkeypatch.setattr(uv_module.subprocess, "run", lambda *call, **options: failed)
    with pytest.raises(ToolMissing, match="ERROR: no registry"):
        find_uv(nothing, lines.device())


def test_the_package_is_the_same_every_time_and_holds_no_model(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, digest = write_package(tmp_path)
    again, other = write_package(tmp_path / "again")
    assert (digest, first.read_bytes()) == (other, again.read_bytes())
    names = zipfile.ZipFile(first).namelist()
    assert "edgeshrink/measure/device/python/job.py" in names
    assert any(name.startswith("edgeshrink/_texts/") for name in names)
    assert {Path(name).suffix for name in names} == {".py", ".txt"}
    assert not {name.split("/")[1] for name in names} & {"_demo", "_data", "_runner"}
    assert first.stat().st_size < 2 << 20


def test_a_session_runs_from_the_package_alone(tmp_path: Path) -> None:
    """Children get the zip by the parent's sys.path; the folders of installed packages stand behind it."""
    pytest.importorskip("onnxruntime")
    from models.small_onnx import write_convolutions

    from edgeshrink.measure.files import sha256_of

    package, _ = write_package(tmp_path)
    model = write_convolutions(tmp_path / "n.onnx")
    request = {
        "artifact": str(model), "sha256": sha256_of(model), "runtime": "onnx", "network": True, "delegate": "cpu",
        "context": 0, "threads": 1, "prompt_tokens": [], "decode_tokens": 1, "repetitions": 5, "power_sources": [],
    }  # fmt: skip
    (tmp_path / "request.json").write_text(json.dumps(request))
    start = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import edgeshrink; "
        "assert '.zip' in edgeshrink.__file__; from edgeshrink.measure.device.python.job import main; "
        "main(Path(sys.argv[2]))"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-c", start, str(package), str(tmp_path / "request.json")],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr and process.stdin
        told = process.stdout.read().splitlines()
        assert process.wait() == 0, process.stderr.read()
    heard: list[Progress] = []
    answers = Answers(lines.device(), "measure", sha256=sha256_of(model), runtime="onnx", listener=heard.append)
    for line in told:
        answers(line)
    assert heard and answers.measured is not None
    assert answers.measured.inference[0].p50_ms.kind == "measured"


def test_a_session_ends_with_its_stdin(tmp_path: Path) -> None:
    package, _ = write_package(tmp_path)
    (tmp_path / "request.json").write_text("{}")
    start = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
        "import edgeshrink.measure.device.python.job as job, time; job._measured = lambda asked: time.sleep(60); "
        "job.main(Path(sys.argv[2]))"
    )
    call = [sys.executable, "-c", start, str(package), str(tmp_path / "request.json")]
    done = subprocess.run(call, stdin=subprocess.DEVNULL, capture_output=True, timeout=50, check=False)
    assert done.returncode == 1


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A true answer of a session."""
    pytest.importorskip("onnxruntime")
    from models.small_onnx import write_convolutions

    model = write_convolutions(tmp_path_factory.mktemp("answer") / "n.onnx")
    measured = measure_network(model, sha256="5" * 64, samples=None, runtime="onnx", delegate="cpu", threads=1)
    return {"measurements": json.loads(to_json(measured))}


def hear(message: object, listener: Callable[[Progress], None] = silent) -> Answers:
    answers = Answers(lines.device(), "measure", sha256="5" * 64, runtime="onnx", listener=listener)
    answers(message if isinstance(message, str) else json.dumps(message))
    return answers


def test_what_a_session_says_reaches_no_terminal_as_it_is(answer: dict[str, Any]) -> None:
    shown = json.loads(json.dumps(answer))
    shown["measurements"]["notes"] = ["\x1b]0;mine\x07 note", "n" * 100_000]
    shown["measurements"]["host"]["cpu"] = "a\x1b[2Jb"
    measured = hear(shown).measured
    assert measured is not None
    assert "\x1b" not in measured.notes[0] + measured.host.cpu
    assert len(measured.notes[1]) == 4000


@pytest.mark.parametrize(
    "line",
    [
        "no json", "[" * 100_000, '"text"', "[1]", "{}", '{"progress": [1, 2]}', '{"progress": [1, "x", "y"]}',
        '{"progress": [NaN, 1, "y"]}', '{"measurements": {}}', '{"measurements": [1]}', '{"error": 1}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(line: str) -> None:
    with pytest.raises(DeviceError, match="the session's answer is not what it must be"):
        hear(line)


def test_figures_of_something_else_are_refused(answer: dict[str, Any]) -> None:
    for field, value in (("artifact_sha256", "6" * 64), ("runtime", {"name": "llama_cpp"})):
        other = json.loads(json.dumps(answer))
        was = other["measurements"][field]
        other["measurements"][field] = {**was, **value} if isinstance(value, dict) else value
        with pytest.raises(DeviceError, match="measured something else than was asked"):
            hear(other)


def test_an_error_of_the_session_comes_as_what_it_was() -> None:
    with pytest.raises(RuntimeFailed, match="damaged") as caught:
        hear({"error": "RuntimeFailed", "message": "damaged\x1b", "hint": "build it again"})
    assert (caught.value.hint, "\x1b" in caught.value.message) == ("build it again", False)
    for kind in ("SystemExit", "errno", "NO_SPACE", "__builtins__"):
        with pytest.raises(DeviceError, match="x"):
            hear({"error": kind, "message": "x", "hint": ""})
