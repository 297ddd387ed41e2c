"""Linux devices behind a real sshd: an arm64 one under qemu-user, and this machine's own in a private world."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lab import jetson, linux_root
from lab.device import LabDevice
from lab.linux_root import USER, USER_ID
from lab.namespaces import Namespaces, World, emulator
from lab.planting import rewrite
from lab.ports import free_port, wait_for_port
from lab.proxy import Wire
from lab.unavailable import need_programs

_SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey /etc/lab/host_key
AuthorizedKeysFile /etc/lab/authorized_keys
PidFile none
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserEnvironment yes
PrintMotd no
MaxStartups 200
MaxSessions 100
LogLevel VERBOSE
Subsystem sftp /usr/lib/openssh/sftp-server
"""
_CLIENT_CONFIG = """\
Host *
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  PasswordAuthentication no
"""


class SshClient:
    """What the host's ssh needs to reach the lab's devices: keys of its own and `ssh -F` with a configuration."""

    def __init__(self, folder: Path) -> None:
        need_programs(("ssh", "ssh-keygen", "sshd"), "openssh-client openssh-server")
        folder.mkdir()
        self.folder = folder
        for name in ("user_key", "host_key"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "edgeshrink lab", "-f", str(folder / name)]
            subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
        (folder / "config").write_text(_CLIENT_CONFIG.format(folder=folder))
        self.command = f"ssh -F {folder / 'config'}"

    def trust(self, port: int) -> None:
        key = " ".join((self.folder / "host_key.pub").read_text().split()[:2])
        with (self.folder / "known_hosts").open("a") as file:
            file.write(f"[127.0.0.1]:{port} {key}\n")


class SshDevice(LabDevice):
    """A Linux whose commands come through its sshd, as the user `lab`."""

    def __init__(self, port: int, space: Namespaces, wire: Wire, client: SshClient, default_cpu: str) -> None:
        self._key = (client.folder / "user_key.pub").read_bytes()
        environment = {"EDGESHRINK_SSH": client.command}
        super().__init__(f"ssh:{USER}@127.0.0.1:{port}", space, wire, environment=environment, default_cpu=default_cpu)

    def cpu(self, name: str) -> None:
        """sshd gives every session what its user's ~/.ssh/environment says."""
        rewrite(self.root / "home" / USER / ".ssh" / "environment", f"QEMU_CPU={name}\n".encode() if name else b"")

    def authorize(self, mode: str) -> None:
        keys = self.root / "etc" / "lab" / "authorized_keys"
        rewrite(keys, self._key if mode == "none" else b"")

    def is_own(self, words: tuple[str, ...]) -> bool:
        return any(word.startswith("sshd:") or word.endswith("/sshd") for word in words[:2])


def start_arm64(client: SshClient, folder: Path) -> SshDevice:
    """The arm64 root with its own sshd, looking like a Jetson; CPU as in one (cortex-a76: dotprod, no i8mm)."""
    seed = folder / "seed"
    seed.mkdir()
    jetson.write_identity(seed)
    return _start(client, folder, lower=linux_root.linux_root(), emulator=emulator(), cpu="cortex-a76")


def start_x86(client: SshClient, folder: Path) -> SshDevice:
    """This machine's own file tree and sshd; whatever the device writes goes to a file system of its own."""
    (folder / "seed" / "etc").mkdir(parents=True)
    for name, added in (("passwd", linux_root.PASSWD), ("group", linux_root.GROUP)):
        lines = Path("/etc", name).read_text().splitlines(keepends=True)
        known = {line.partition(":")[0] for line in lines}
        lines += [line for line in added.splitlines(keepends=True) if line.partition(":")[0] not in known]
        (folder / "seed" / "etc" / name).write_text("".join(lines))
    return _start(client, folder, lower=Path("/"), emulator="", cpu="")


def _start(client: SshClient, folder: Path, *, lower: Path, emulator: str, cpu: str) -> SshDevice:
    seed = folder / "seed"
    port = free_port()
    _seed_sshd(client, seed, port)
    world = World(
        lower=lower,
        seed=seed,
        command=("/usr/sbin/sshd", "-D", "-e", "-f", "/etc/lab/sshd_config"),
        environment={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **({"QEMU_CPU": cpu} if cpu else {})},
        emulator=emulator,
    )
    space = Namespaces(world, folder / "world")
    try:
        wait_for_port(port, space.running, lambda: space.log)
        wire = Wire(port)
    except BaseException:
        space.stop()
        raise
    client.trust(wire.port)
    return SshDevice(wire.port, space, wire, client, cpu)


def _seed_sshd(client: SshClient, seed: Path, port: int) -> None:
    settings = seed / "etc" / "lab"
    settings.mkdir(parents=True, exist_ok=True)
    shutil.copy(client.folder / "host_key", settings / "host_key")
    shutil.copy(client.folder / "user_key.pub", settings / "authorized_keys")
    (settings / "sshd_config").write_text(_SSHD_CONFIG.format(port=port))
    (seed / "run" / "sshd").mkdir(parents=True)
    home = seed / "home" / USER
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "environment").touch()
    for path in (home, home / ".ssh", home / ".ssh" / "environment"):
        os.chown(path, USER_ID, USER_ID)
