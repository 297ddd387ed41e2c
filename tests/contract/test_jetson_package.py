"""The .deb in an arm64 Debian under qemu-user: installed by its dpkg, asked, damaged, removed. No systemd is there."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from built_runners import ready_runner
from jetson_packages import ONNX, demo_package, onnx_wheels
from lab.installing import Installing
from lab.unavailable import Unavailable, skip
from sample_cargo import sample_cargo

from edgeshrink.bundle.jetson.bundler import BUNDLER
from edgeshrink.core.bundle import BundleOptions
from edgeshrink.core.events import silent

NAME, HOME = "edgeshrink-tiny", "opt/edgeshrink/tiny"
QUESTION = "What is the capital of France?"
# Links that enable the units, what their helper keeps of that, dpkg's diary, and what dpkg wrote for the first time.
OUTSIDE_OF_THE_PACKAGE = ("etc/systemd/system/", "var/lib/systemd/", "var/log/")


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installing]:
    """Nothing is installed there; whoever installs something purges it."""
    yield from _started(tmp_path_factory.mktemp("device"))


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installing]:
    yield from _started(tmp_path_factory.mktemp("used"))


def _started(folder: Path) -> Iterator[Installing]:
    try:
        device = Installing(folder)
    except Unavailable as why:
        skip(str(why))
    yield device
    device.stop()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model in Q4_K_M with the runner for a Jetson's CPU."""
    return demo_package(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def installed(used: Installing, bundle: Path) -> Installing:
    """Whoever changes a file there brings it back."""
    used.put(next(bundle.glob("*.deb")), "/tmp/package.deb")
    done = used.run("dpkg", "-i", "/tmp/package.deb")
    assert done.returncode == 0, done.stderr
    return used


@contextlib.contextmanager
def changed(device: Installing, contents: Mapping[str, bytes | None]) -> Iterator[None]:
    """Files of the package with other contents, or gone (None), for as long as it takes."""
    paths = {device.root / HOME / name: content for name, content in contents.items()}
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        _write(paths)
        yield
    finally:
        _write(before)


def _write(contents: Mapping[Path, bytes | None]) -> None:
    for path, content in contents.items():
        if content is None:
            path.unlink(missing_ok=True)
        else:
            mode = path.stat().st_mode if path.exists() else 0o644
            path.write_bytes(content)
            path.chmod(mode)


def flipped(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    return bytes(content)


def test_it_says_what_it_is_and_checks_itself(installed: Installing) -> None:
    about = installed.run(NAME, "about")
    assert about.stdout.startswith("tiny 1.0.0\n") and "opened by llama.cpp 0.3.36" in about.stdout
    checked = installed.run(NAME, "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == "files: as built\nengine: llama.cpp 0.3.36\nanswer: given\n"


def test_it_answers_as_the_same_runner_does_here(installed: Installing, bundle: Path) -> None:
    home = bundle / "root" / HOME
    settings = dict(line.split("=") for line in (home / "settings").read_text().splitlines())
    command = [ready_runner("native").path, "answer", "--model", bundle / "model/tiny.gguf", "--context", "512"]
    command += ["--threads", "2", "--before", home / "chat/before", "--after", home / "chat/after"]
    command += ["--stop-ids", settings["stop_ids"].strip("'"), "--prompt", QUESTION]
    here = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    there = installed.run(NAME, *QUESTION.split())
    assert there.returncode == 0, there.stderr
    assert there.stdout.strip() == here.strip() != ""


def test_a_login_is_checked_once(installed: Installing) -> None:
    (installed.root / "tmp/run").mkdir()
    assert installed.run(NAME, QUESTION, XDG_RUNTIME_DIR="/tmp/run").returncode == 0
    kept = installed.root / "tmp/run" / f"{NAME}.checked"
    before = kept.read_text()
    model = "bundle/model/tiny.gguf"
    with changed(installed, {model: flipped(installed.root / HOME / model)}):
        done = installed.run(NAME, QUESTION, XDG_RUNTIME_DIR="/tmp/run")
    assert (done.returncode, done.stdout) == (1, "") and "DigestMismatch" in done.stderr
    assert kept.read_text() == before


def test_what_is_not_as_built_is_named_and_not_opened(installed: Installing) -> None:
    model = "bundle/model/tiny.gguf"
    contents = {model: flipped(installed.root / HOME / model), "bundle/report.json": None, "bundle/.gitignore": b""}
    with changed(installed, contents):
        for words in (("check",), ("check", "--files"), (QUESTION,)):  # the second is what the service does first
            done = installed.run(NAME, *words)
            assert (done.returncode, done.stdout) == (1, "")
            assert f"DigestMismatch: /{HOME}/{model} is not what was built" in done.stderr
            assert f"FileMissing: /{HOME}/bundle/report.json" in done.stderr
            assert f"DigestMismatch: /{HOME}/bundle/.gitignore was added" in done.stderr
    with changed(installed, {"bundle/bundle.json": None}):
        assert "BundleMissing" in installed.run(NAME, "check").stderr


def test_a_check_that_did_not_run_passes_nothing(installed: Installing) -> None:
    place = installed.root / "tmp/fakes"
    place.mkdir()
    (place / "sha256sum").write_text("#!/bin/sh\nexit 127\n")
    (place / "sha256sum").chmod(0o755)
    done = installed.run(NAME, "check", PATH="/tmp/fakes:/usr/bin:/bin:/usr/sbin")
    assert (done.returncode, done.stdout) == (1, "")
    assert "sha256sum read 0 files, not all" in done.stderr


def test_another_runner_is_refused(installed: Installing) -> None:
    program = b'#!/bin/sh\necho \'{"event":"hello","llama":"0.3.35"}\'\n'
    with changed(installed, {"bin/edgeshrink-runner": program}):
        done = installed.run(NAME, "serve")
    assert (done.returncode, done.stdout) == (1, "")
    assert "EngineMismatch: the runner in the package is not llama.cpp 0.3.36" in done.stderr


def test_a_cpu_that_the_runner_was_not_built_for_is_said(installed: Installing) -> None:
    done = installed.run(NAME, QUESTION, QEMU_CPU="cortex-a72")
    assert (done.returncode, done.stdout) == (1, "")
    assert "EngineMismatch: this processor lacks what the runner was built for: lse,fp16,dotprod" in done.stderr


def test_the_service_says_that_it_is_ready_and_answers(installed: Installing) -> None:
    """As systemd starts it, but for the socket: that one it makes itself here."""
    run = installed.root / "run" / NAME
    run.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(str(installed.root / "run" / "ready"))
        ready.settimeout(60)
        service = subprocess.Popen(
            installed.enter(f"/usr/bin/{NAME}", "serve"),
            env=installed.environment(NOTIFY_SOCKET="/run/ready"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            assert ready.recv(100).startswith(b"READY=1")
            asked = installed.run(NAME, QUESTION)
            assert (asked.returncode, asked.stderr) == (0, "")
            assert asked.stdout.strip()
            assert "answer: given, by the service" in installed.run(NAME, "check").stdout
        finally:
            served = [pid for pid, words in installed.space.processes().items() if "serve" in words]
            for pid in served:
                os.kill(pid, signal.SIGTERM)
            service.wait(30)
    assert service.stderr is not None
    service.stderr.close()
    assert service.returncode in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
    assert not (run / "socket").exists()
    (installed.root / "run" / "ready").unlink()


def test_settings_of_the_device_are_taken(installed: Installing) -> None:
    with changed(installed, {f"../../../etc/default/{NAME}": b"ANSWER_TOKENS=1\n"}):
        one = installed.run(NAME, QUESTION).stdout.strip()
    whole = installed.run(NAME, QUESTION).stdout.strip()
    assert one and whole.startswith(one) and len(one) < len(whole)


def test_removed_it_leaves_its_settings_and_purged_nothing(device: Installing, bundle: Path) -> None:
    device.put(next(bundle.glob("*.deb")), "/tmp/package.deb")
    assert device.run("dpkg", "-i", "/tmp/package.deb").returncode == 0
    placed = {name for name in device.left() if not name.startswith(OUTSIDE_OF_THE_PACKAGE)}
    root = bundle / "root"
    packaged = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    assert {name.removeprefix("usr/") for name in placed} <= {name.removeprefix("usr/") for name in packaged}
    wanted = device.root / "etc/systemd/system/multi-user.target.wants" / f"{NAME}.service"
    assert wanted.is_symlink(), "enabled although no systemd runs"
    assert device.run("dpkg", "-r", NAME).returncode == 0
    assert set(device.left()) - {"var/log/dpkg.log"} == {f"etc/default/{NAME}"}
    assert device.run("dpkg", "-P", NAME).returncode == 0
    assert set(device.left()) <= {"var/log/dpkg.log"}


@pytest.mark.parametrize(("python", "installs"), [("311", True), ("313", False)])
def test_a_python_that_does_not_suit_the_wheels_is_refused_at_once(
    device: Installing, tmp_path: Path, python: str, installs: bool
) -> None:
    """The device's is 3.11. The runtime here is of wheels that weigh nothing: it can be imported, no more."""
    cargo = sample_cargo(tmp_path / "b", b"onnx", kind="jetson", engine=ONNX, format="onnx")
    BUNDLER.write(cargo, BundleOptions("jetson", "tiny", wheels=onnx_wheels(tmp_path / "w", python)), silent)
    device.put(next(cargo.folder.glob("*.deb")), "/tmp/package.deb")
    done = device.run("dpkg", "--force-depends", "-i", "/tmp/package.deb")
    assert (done.returncode == 0) == installs, done.stderr
    if installs:
        where = "import onnxruntime_genai as o, sys; print(o.__version__, o.__file__, sys.dont_write_bytecode)"
        assert device.run(NAME, "python", "-c", where).stdout.split() == [
            "0.18.0",
            f"/{HOME}/lib/python/onnxruntime_genai/__init__.py",
            "True",
        ]
        assert device.run(NAME, "check", "--files").returncode == 0
        assert "answers no questions" in device.run(NAME, QUESTION).stderr
    else:
        assert "its runtime needs Python 3.13, and this device has 3.11" in done.stderr
        assert "--python FOLDER" in done.stderr
    device.run("dpkg", "-P", NAME)
    assert set(device.left()) <= {"var/log/dpkg.log"}
