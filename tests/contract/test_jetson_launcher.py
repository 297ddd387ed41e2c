"""The package's launcher on this machine, with this machine's runner in the package's place."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from built_runners import ready_runner
from jetson_packages import ONNX, demo_package, onnx_wheels
from sample_cargo import sample_cargo

from edgeshrink.bundle.jetson.bundler import BUNDLER
from edgeshrink.core.bundle import BundleOptions
from edgeshrink.core.events import silent

NAME = "edgeshrink-tiny"
QUESTION = "What is the capital of France?"
_TAKES_S = 60


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that starts it. Its socket is `s` beside the script."""
    folder = tmp_path_factory.mktemp("l")
    root = demo_package(folder) / "root"
    home = root / "opt/edgeshrink/tiny"
    shutil.copyfile(ready_runner("native").path, folder / "runner")
    (home / "bin/edgeshrink-runner").unlink()
    (folder / "runner").chmod(0o755)
    (folder / "runner").rename(home / "bin/edgeshrink-runner")
    script = (root / "usr/bin" / NAME).read_text()
    script = script.replace("home=/opt/edgeshrink/tiny", f"home={home}")
    (folder / "launcher").write_text(script.replace("socket=/run/$me/socket", f"socket={folder}/s"))
    digests = subprocess.run(
        "find . -type f ! -name SHA256SUMS | cut -c3- | sort | xargs -d '\\n' sha256sum",
        cwd=home, shell=True, capture_output=True, check=True,
    )  # fmt: skip
    (home / "SHA256SUMS").write_bytes(digests.stdout)
    return ["sh", str(folder / "launcher")]


def asked(launcher: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*launcher, *words], capture_output=True, text=True, timeout=_TAKES_S, check=False)


def shown(launcher: list[str], *words: str) -> str:
    """What a terminal gets."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run([*launcher, *words], stdout=theirs, stdin=subprocess.DEVNULL, timeout=_TAKES_S, check=True)
        return os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_on_a_terminal_one_newline_ends_the_answer(launcher: list[str]) -> None:
    done = asked(launcher, QUESTION)
    assert (done.returncode, done.stderr) == (0, "")
    assert shown(launcher, QUESTION) == done.stdout.replace("\n", "\r\n") + "\r\n"


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd-socket-activate not installed")
def test_the_socket_that_systemd_passes_is_the_one(launcher: list[str]) -> None:
    """systemd's own helper on this machine hands it over."""
    place = Path(launcher[1]).with_name("s")
    with subprocess.Popen(["systemd-socket-activate", "-l", place, *launcher, "serve"]) as service:
        try:
            deadline = time.monotonic() + 30
            while not place.exists():
                assert time.monotonic() < deadline and service.poll() is None
                time.sleep(0.02)
            done = asked(launcher, QUESTION)
            assert (done.returncode, done.stderr) == (0, "") and done.stdout
            assert shown(launcher, QUESTION) == done.stdout.replace("\n", "\r\n") + "\r\n"
            assert "edgeshrink-runner" in Path(f"/proc/{service.pid}/cmdline").read_text(), "the shell is gone"
        finally:
            service.terminate()
            place.unlink(missing_ok=True)
    assert service.returncode in (0, -signal.SIGTERM)


def test_a_python_is_started_where_nobody_can_put_modules(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx/genai_config.json").write_text("{}")
    cargo = sample_cargo(tmp_path / "b", tmp_path / "onnx", kind="jetson", engine=ONNX, format="onnx", main="model/o")
    options = BundleOptions("jetson", "tiny", wheels=onnx_wheels(tmp_path / "w"), archives=False)
    BUNDLER.write(cargo, options, silent)
    home = cargo.folder / "root/opt/edgeshrink/tiny"
    interpreter = home / "python/bin/python3"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text("#!/bin/sh\npwd\n")
    interpreter.chmod(0o755)
    script = (cargo.folder / "root/usr/bin" / NAME).read_text()
    (tmp_path / "launcher").write_text(script.replace("home=/opt/edgeshrink/tiny", f"home={home}"))
    for words, place in (("serve", "/"), ("python", str(tmp_path))):
        command = ["sh", tmp_path / "launcher", words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=_TAKES_S, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{place}\n", "")
