"""One package after the other, in an arm64 Debian under qemu-user, where what systemd would be told is noted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from jetson_packages import ONNX, looks_like_a_runner, onnx_wheels
from lab.installing import Installing
from lab.unavailable import Unavailable, skip
from sample_cargo import DEMO_CHAT, sample_cargo

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.jetson.bundler import BUNDLER
from edgeshrink.core.bundle import BundleOptions
from edgeshrink.core.events import silent

NAME, HOME = "edgeshrink-tiny", "opt/edgeshrink/tiny"
NOTES, FAKES = "var/log/told", ("systemctl", "deb-systemd-invoke")
FAKE = f"""\
#!/bin/sh
while [ "${{1#--}}" != "$1" ]; do shift; done
echo "$*" >>/{NOTES}
"""
UNITS = f"{NAME}.socket {NAME}.service"
STARTED = f"start {UNITS} {NAME}-check.timer"
OURS = {"run/systemd", "run/systemd/system", "var/log/dpkg.log", NOTES, *(f"usr/bin/{name}" for name in FAKES)}
STOPPED = [f"stop {NAME}-check.timer", f"stop {NAME}-check.service", f"stop {NAME}.socket", f"stop {NAME}.service"]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installing]:
    """Nothing is installed there, and systemd seems to run."""
    try:
        device = Installing(tmp_path_factory.mktemp("device"))
    except Unavailable as why:
        skip(str(why))
    (device.root / "run/systemd/system").mkdir(parents=True)
    for name in FAKES:
        (device.root / "usr/bin" / name).unlink(missing_ok=True)
        (device.root / "usr/bin" / name).write_text(FAKE)
        (device.root / "usr/bin" / name).chmod(0o755)
    yield device
    device.stop()


def deb(folder: Path, version: str, model: bytes = b"GGUF", *, wheels: Path | None = None) -> Path:
    """A language model and its runner, or, where `wheels` are given, a network and its Python runtime."""
    if wheels is None:
        cargo = sample_cargo(folder, model, kind="jetson", chat=DEMO_CHAT)
        options = BundleOptions("jetson", "tiny", runner=looks_like_a_runner(folder.parent / "runner"))
    else:
        cargo = sample_cargo(folder, model, kind="jetson", engine=ONNX, format="onnx")
        options = BundleOptions("jetson", "tiny", wheels=wheels)
    cargo = Cargo(folder, replace(cargo.manifest, version=version))
    BUNDLER.write(cargo, options, silent)
    return next(folder.glob("*.deb"))


def dpkg(device: Installing, *words: str, fails: bool = False) -> tuple[list[str], str]:
    """What systemd was told to do, in this order, and what dpkg wrote to stderr."""
    notes = device.root / NOTES
    notes.write_text("")
    done = device.run("dpkg", "--force-depends", *words)
    assert (done.returncode != 0) == fails, done.stderr
    told = [line for line in notes.read_text().splitlines() if not line.startswith("preset")]
    return told, done.stderr


def state(device: Installing) -> str:
    return device.run("dpkg-query", "-W", "-f", "${Version} ${db:Status-Abbrev}", NAME).stdout.strip()


def test_an_update_takes_the_place_of_what_was_there(device: Installing, tmp_path: Path) -> None:
    device.put(deb(tmp_path / "old", "1.0.0"), "/tmp/old.deb")
    device.put(deb(tmp_path / "new", "1.1.0", b"GGUF, another"), "/tmp/new.deb")
    settings = device.root / "etc/default" / NAME
    assert dpkg(device, "-i", "/tmp/old.deb")[0] == ["daemon-reload", STARTED]
    settings.write_text("THREADS=1\n")
    assert dpkg(device, "-i", "/tmp/new.deb")[0] == ["daemon-reload", f"stop {UNITS}", STARTED]
    assert state(device) == "1.1.0 ii"
    assert settings.read_text() == "THREADS=1\n"
    assert (device.root / HOME / "bundle/model/tiny.gguf").read_bytes() == b"GGUF, another"
    assert device.run("dpkg", "-V", NAME).stdout.split() == ["??5??????", "c", f"/etc/default/{NAME}"]
    assert dpkg(device, "-i", "/tmp/new.deb")[0] == ["daemon-reload", f"stop {UNITS}", STARTED], "once more the same"
    assert dpkg(device, "-P", NAME)[0] == [*STOPPED, "daemon-reload"]
    assert set(device.left()) <= OURS


def test_a_refused_update_leaves_the_old_one_running(device: Installing, tmp_path: Path) -> None:
    device.put(deb(tmp_path / "old", "1.0.0"), "/tmp/old.deb")
    device.put(deb(tmp_path / "new", "1.1.0", b"onnx", wheels=onnx_wheels(tmp_path / "w", "313")), "/tmp/new.deb")
    dpkg(device, "-i", "/tmp/old.deb")
    told, said = dpkg(device, "-i", "/tmp/new.deb", fails=True)
    assert "its runtime needs Python 3.13, and this device has 3.11" in said
    assert told[-1:] == [STARTED]
    assert state(device) == "1.0.0 ii"
    assert device.run("dpkg", "-V", NAME).stdout == ""
    dpkg(device, "-P", NAME)
    assert set(device.left()) <= OURS
