"""An Android-like device behind the real adb client and our own end of its protocol."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab.android_root import SHELL_ID, android_root
from lab.device import LabDevice
from lab.namespaces import TESTS, Namespaces, World, emulator
from lab.ports import free_port, wait_for_port
from lab.proxy import Wire
from lab.unavailable import need_programs

_DEFAULT_CPU = "max"


class AdbServer:
    """The host's adb server on a port of its own, with keys of its own: the user's server is never touched."""

    def __init__(self, folder: Path) -> None:
        need_programs(("adb", "setpriv"), "adb util-linux")
        folder.mkdir()
        self.port = free_port()
        self.environment = {
            "EDGESHRINK_ADB": shutil.which("adb") or "adb",
            "ANDROID_ADB_SERVER_PORT": str(self.port),
            "HOME": str(folder),
        }
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "adb", "server", "nodaemon"],
                env={**os.environ, **self.environment, "TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for_port(self.port, lambda: self._process.poll() is None, lambda: self._log.read_text(errors="replace"))

    def connect(self, serial: str) -> None:
        """Make the server know the device, as somebody who plugs it in: again after a cut link."""
        for verb in ("disconnect", "connect"):
            self.run(verb, serial)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.environment}
        return subprocess.run(["adb", *words], env=environment, capture_output=True, text=True, timeout=60)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class AndroidDevice(LabDevice):
    """A phone-like device; its adbd reads what the files of a control folder say."""

    def __init__(self, port: int, space: Namespaces, wire: Wire, server: AdbServer, control: Path) -> None:
        self.serial = f"127.0.0.1:{port}"
        self._server = server
        self._control = control
        super().__init__(f"adb:{self.serial}", space, wire, environment=server.environment, default_cpu=_DEFAULT_CPU)

    def cpu(self, name: str) -> None:
        (self._control / "cpu").write_text(name)

    def is_own(self, words: tuple[str, ...]) -> bool:
        return words[1:3] == ("-m", "lab.adbd")

    def authorize(self, mode: str) -> None:
        """Also "allow SECONDS": somebody taps "Allow" that long after the question. For links made from now on."""
        (self._control / "auth").write_text(mode)

    def connect(self) -> None:
        """What plugging the cable in does: the host's adb server knows the device, and nothing of an old link."""
        self._server.connect(self.serial)


def start_android(server: AdbServer, folder: Path) -> AndroidDevice:
    """The Android-like root with its adbd; commands run as Android's user `shell`."""
    seed, control, world_folder = folder / "seed", folder / "control", folder / "world"
    seed.mkdir()
    control.mkdir()
    port = free_port()
    words = (sys.executable, "-m", "lab.adbd", str(port), str(world_folder / "root"), str(control), str(SHELL_ID))
    world = World(
        lower=android_root(),
        seed=seed,
        command=words,
        environment={"PYTHONPATH": str(TESTS), "PATH": os.environ.get("PATH", os.defpath)},
        chroot=False,
        emulator=emulator(),
    )
    space = Namespaces(world, world_folder)
    try:
        wait_for_port(port, space.running, lambda: space.log)
        wire = Wire(port)
    except BaseException:
        space.stop()
        raise
    return AndroidDevice(wire.port, space, wire, server, control)
