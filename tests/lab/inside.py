"""Runs as a child of the tests: makes a device's private world, starts its one service there and reaps what it leaves.

`python -m lab.inside SPEC`, SPEC a JSON file (lab.namespaces writes it). One line on stdout when the world stands:
the host's id of the process that is process 1 there, and "sized" where it has a disk of its own. When it dies, or
whoever started it dies, all of the device dies. Private are: mounts, process ids, user ids (a range, mapped one to
one) and the table of binary formats, which every user namespace has for itself since Linux 6.7: the host's stays.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

_NEW_MOUNTS, _NEW_USERS, _NEW_PIDS = 0x20000, 0x10000000, 0x20000000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 1 << 18
_PARENT_DEATH_SIGNAL = 1
_IDS = b"0 0 65536"
_AARCH64 = (
    rb":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
    rb"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:%s:F"
)
"""Little-endian 64-bit ELF for aarch64, executable or shared; F: the emulator is opened now, outside the root."""

_libc = ctypes.CDLL(None, use_errno=True)


def main(path: str) -> int:
    spec: dict[str, Any] = json.loads(Path(path).read_text())
    _die_with_parent()
    if os.getppid() != spec["parent"]:
        return 1
    if spec["cgroup"]:
        Path(spec["cgroup"], "cgroup.procs").write_text(str(os.getpid()))
    _call("unshare", _NEW_MOUNTS)
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    sized = _stack_root(spec)
    _enter_namespaces()
    reader, writer = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(reader)
        os._exit(_init(spec, writer))
    os.close(writer)
    ready = os.read(reader, 1)
    if ready:
        os.write(sys.stdout.fileno(), f"{init} {'sized' if sized else ''}\n".encode())
    return os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]) & 255


def _stack_root(spec: dict[str, Any]) -> bool:
    """Lay a small file system of its own (`disk`) over the shared tree `lower`: what the device writes ends there.

    False where there is no loop device for it: then it is a folder of the host's, and as large as that disk.
    """
    disk = Path(spec["disk"])
    disk.mkdir(exist_ok=True)
    # Without barriers: they are for a disk that outlives this.
    sized = subprocess.run(["mount", "-o", "loop,barrier=0", spec["image"], disk]).returncode == 0
    upper, work = disk / "upper", disk / "work"
    work.mkdir(exist_ok=True)
    shutil.copytree(spec["seed"], upper, symlinks=True, dirs_exist_ok=True)
    for name in Path(spec["seed"]).rglob("*"):
        about = name.lstat()
        os.lchown(upper / name.relative_to(spec["seed"]), about.st_uid, about.st_gid)
    Path(spec["root"]).mkdir(exist_ok=True)
    layers = f"lowerdir={spec['lower']},upperdir={upper},workdir={work}"
    _mount("overlay", spec["root"], "overlay", 0, layers)
    return sized


def _enter_namespaces() -> None:
    """Only a process that stays outside may map a range of ids into the new namespace."""
    reader, writer = os.pipe()
    me = os.getpid()
    mapper = os.fork()
    if mapper == 0:
        os.close(writer)
        os.read(reader, 1)
        for table in ("uid_map", "gid_map"):
            Path(f"/proc/{me}/{table}").write_bytes(_IDS)
        os._exit(0)
    os.close(reader)
    _call("unshare", _NEW_USERS | _NEW_MOUNTS | _NEW_PIDS)
    os.close(writer)
    if os.waitpid(mapper, 0)[1]:
        raise OSError("user ids cannot be mapped")
    os.setgroups([])
    # New credentials took the wish away.
    _die_with_parent()


def _init(spec: dict[str, Any], ready: int) -> int:
    """Process 1 of the device."""
    _die_with_parent()
    _mount_devices(spec["root"])
    if spec["emulator"]:
        table = f"{spec['root']}/proc/sys/fs/binfmt_misc"
        _mount("binfmt_misc", table, "binfmt_misc")
        with Path(table, "register").open("wb", buffering=0) as register:
            register.write(_AARCH64 % spec["emulator"].encode())
    service = os.fork()
    if service == 0:
        os.setsid()
        if spec["chroot"]:
            os.chroot(spec["root"])
        os.chdir("/")
        os.execve(spec["command"][0], spec["command"], spec["environment"])
    os.write(ready, b"1")
    os.close(ready)
    while True:
        pid, status = os.wait()
        if pid == service:
            return os.waitstatus_to_exitcode(status) & 255


def _mount_devices(root: str) -> None:
    _mount("proc", f"{root}/proc", "proc")
    _mount("tmpfs", f"{root}/dev", "tmpfs", 0, "mode=755")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        Path(f"{root}/dev/{name}").touch()
        _mount(f"/dev/{name}", f"{root}/dev/{name}", None, _BIND)
    for name in ("pts", "shm"):
        Path(f"{root}/dev/{name}").mkdir()
    _mount("devpts", f"{root}/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    _mount("tmpfs", f"{root}/dev/shm", "tmpfs", 0, "mode=1777")
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd")):
        Path(f"{root}/dev/{name}").symlink_to(target)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        Path(f"{root}/dev/{name}").symlink_to(f"/proc/self/fd/{number}")


def _die_with_parent() -> None:
    _call("prctl", _PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _mount(source: str, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
    encoded = [text.encode() if text else None for text in (source, target, kind, options)]
    _call("mount", encoded[0], encoded[1], encoded[2], flags, encoded[3], about=f"{kind or 'bind'} on {target}")


def _call(function: str, *arguments: object, about: str = "") -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function} {about}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
