"""`python -m lab.adbd PORT ROOT CONTROL USER-ID`: a phone's end of adb, serving the file tree ROOT as a shell user.

CONTROL is a folder whose small files are read whenever they matter, so that tests may change them while it runs:
`auth`: "none", "deny", or "allow SECONDS" (after which somebody taps "Allow"); `cpu`: what QEMU_CPU is to be.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from subprocess import Popen

from lab import adb_shell
from lab.adb_protocol import Link, Service, Stream
from lab.adb_sync import sync

_ENVIRONMENT = {
    "PATH": "/system/bin:/vendor/bin",
    "HOME": "/",
    "SHELL": "/system/bin/sh",
    "ANDROID_ROOT": "/system",
    "ANDROID_DATA": "/data",
    "EXTERNAL_STORAGE": "/sdcard",
    "TMPDIR": "/data/local/tmp",
    "USER": "shell",
}


class Phone:
    """Answers what may be had (lab.adb_protocol.Doorman)."""

    banner = b"device::ro.product.name=shiba;ro.product.model=Pixel 8;ro.product.device=shiba;features=shell_v2,cmd"

    def __init__(self, control: int) -> None:
        """`control`: the open folder; it lies outside of the root that is entered later."""
        self._control = control

    def admits(self, *, offers_key: bool) -> bool:
        mode, _, seconds = self._read("auth").partition(" ")
        if mode == "allow" and offers_key:
            time.sleep(float(seconds or 0))
            return True
        return mode in ("none", "")

    def service(self, name: str) -> Service | None:
        kind, _, argument = name.partition(":")
        if kind.startswith("shell,v2"):
            return partial(self._run, argument, adb_shell.with_status, False)
        if kind in ("shell", "shell,raw", "exec"):
            return partial(self._run, argument, adb_shell.plain, True)
        return sync if kind == "sync" else None

    def _run(self, command: str, serve: Callable[[Stream, Popen[bytes]], None], merged: bool, stream: Stream) -> None:
        environment = dict(_ENVIRONMENT)
        if cpu := self._read("cpu"):
            environment["QEMU_CPU"] = cpu
        serve(stream, adb_shell.start(command, environment, merged=merged))

    def _read(self, name: str) -> str:
        try:
            file = os.open(name, os.O_RDONLY, dir_fd=self._control)
        except FileNotFoundError:
            return ""
        try:
            return os.read(file, 256).decode().strip()
        finally:
            os.close(file)


def main(port: str, root: str, control: str, user: str) -> None:
    phone = Phone(os.open(control, os.O_RDONLY | os.O_DIRECTORY))
    server = socket.create_server(("127.0.0.1", int(port)))
    os.chroot(root)
    os.chdir("/")
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
    os.umask(0)
    while True:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=Link(connection, phone).serve, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
