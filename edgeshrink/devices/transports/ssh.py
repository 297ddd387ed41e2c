"""A device behind ssh: the user's own client with their configuration, one connection for all that a session does.

The connection (the "master") is a child process that all further ones share. It runs `cat` there, whose stdin is ours:
should edgeshrink be killed, `cat` ends, and the connection with it. Files go through `cat` as well: it needs no sftp
server, and no version of scp gets to interpret a path.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from edgeshrink.core.device import Address
from edgeshrink.devices.transports.control_folder import new_folder
from edgeshrink.devices.transports.process import Client, Ended
from edgeshrink.devices.transports.shell import ShellTransport, last_words, link_broke
from edgeshrink.errors import DeviceError, DeviceLost, Error
from edgeshrink.toolchain import ssh

OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "RequestTTY=no",
    # What a person's configuration may ask for, and a command must not meet.
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ClearAllForwardings=yes",
    "ForwardX11=no",
    "ControlPersist=no",
)
_CONNECT_S = 40.0
_LEAVE_S = 2.0
_SHARES = os.name == "posix"  # Windows' ssh cannot share a connection


class SshTransport(ShellTransport):
    """Open when made; a connection that was lost is made anew by the next command."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._program = ssh.command()
        self._folder = new_folder()
        self._master: Client | None = None
        self._said = ""
        self._users = 0
        self._spent = False
        self._lock = threading.Lock()
        try:
            if _SHARES:
                self._connect()
            elif (done := self.run(("true",), timeout_s=_CONNECT_S)).status:
                raise DeviceError(f"{address}: `true` failed there: {last_words(done.stderr)}")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._disconnect()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _client(self, script: str) -> tuple[str, ...]:
        shared: tuple[str, ...] = ()
        if _SHARES:
            with self._lock:
                self._connect()
            shared = ("-o", "ControlMaster=no", "-S", self._socket)
        return (*self._program, *shared, *self._options, "-o", "LogLevel=ERROR", self._host, _for_any_shell(script))

    def _broken(self, ended: Ended) -> Error:
        said = ended.stderr.decode("utf-8", "replace")
        if ended.status != 255:
            return DeviceError(
                f"{self.address}: the command was not run: {last_words(said)}",
                hint="the login shell there must be one that runs `sh`",
            )
        with self._lock:
            self._hear(_LEAVE_S)
            words = f"{said}\n{self._said}"
            if self._master is not None and not self._master.running():
                self._disconnect()
        return link_broke(self.address, words, _LOST)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._lock:
            self._users += 1
        try:
            yield
        except BaseException:
            # The program there may write on to what nobody reads: it is told by the end of the connection.
            self._spent = True
            raise
        finally:
            with self._lock:
                self._users -= 1
                if self._spent and not self._users:
                    self._spent = False
                    self._disconnect(patience_s=0.0)

    def _environment(self) -> Mapping[str, str]:
        # Many configurations send the locale along: a device's messages are read by programs here.
        return {**os.environ, "LC_ALL": "C"}

    @property
    def _socket(self) -> str:
        return str(self._folder / "s").replace("%", "%%")

    @property
    def _options(self) -> tuple[str, ...]:
        port = () if self.address.port is None else ("-p", str(self.address.port))
        return (*(word for option in OPTIONS for word in ("-o", option)), *port)

    @property
    def _host(self) -> str:
        return self.address.name.replace("[", "").replace("]", "")

    def _connect(self) -> None:
        """A master that answers. DeviceError or DeviceLost with what its last words mean."""
        if self._master is not None and self._master.running():
            return
        self._disconnect()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        ready = f"edgeshrink-{secrets.token_hex(8)}"
        script = _for_any_shell(f"echo {ready}; exec cat > /dev/null")
        argv = (*self._program, "-o", "ControlMaster=yes", "-S", self._socket, *self._options, self._host, script)
        self._said = ""
        self._master = Client(argv, hold_stdin=True, env=self._environment())
        try:
            self._await(self._master.__enter__(), ready)
        except BaseException:
            self._disconnect()
            raise

    def _await(self, master: Client, ready: str) -> None:
        heard = ""
        deadline = time.monotonic() + _CONNECT_S
        while not master.finished():
            if time.monotonic() > deadline:
                raise DeviceLost(f"{self.address}: no answer within {_CONNECT_S:g} s", hint=_LOST)
            stream, chunk = master.listen(0.2) or ("stdout", b"")
            text = chunk.decode("utf-8", "replace")
            if stream == "stdout":
                heard = (heard + text)[-4096:]
            else:
                self._said = (self._said + text)[-4096:]
            if ready in heard:
                return
        raise explain(str(self.address), self._host, master.status(), self._said or heard, port=self.address.port)

    def _hear(self, wait_s: float) -> None:
        """The master's last words: they say why a link broke. It ends a moment after those that share it."""
        deadline = time.monotonic() + wait_s
        while self._master is not None and not self._master.finished() and time.monotonic() < deadline:
            stream, chunk = self._master.listen(0.1) or ("stdout", b"")
            if stream == "stderr":
                self._said = (self._said + chunk.decode("utf-8", "replace"))[-4096:]

    def _disconnect(self, *, patience_s: float = _LEAVE_S) -> None:
        master, self._master = self._master, None
        if master is not None:
            master.end(patience_s=patience_s)
        with contextlib.suppress(OSError):
            (self._folder / "s").unlink()


_LOST = "is the device on, awake and in the network? Then try again: what is left there is cleaned first"

_REFUSALS: tuple[tuple[str, type[Error], str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key .* has changed|Offending .* key",
        DeviceError,
        "its host key is not the one that is known here",
        "if the device was installed anew: ssh-keygen -R {known}, then connect once by hand: ssh {host}",
    ),
    (
        r"Host key verification failed|No .* host key is known|authenticity of host",
        DeviceError,
        "its host key is not known here",
        "connect once by hand and compare the fingerprint: ssh {host}",
    ),
    (
        r"Too many authentication failures",
        DeviceError,
        "too many keys were offered",
        "name the one to use in ~/.ssh/config: IdentityFile, with IdentitiesOnly yes",
    ),
    (
        r"Permission denied|No more authentication methods",
        DeviceError,
        "the login was refused",
        "no password is asked for here: install your key with ssh-copy-id {host}, or load it with ssh-add",
    ),
    (
        r"Bad configuration option|Can't open user config file|terminating, \d+ bad configuration|no argument after",
        DeviceError,
        "your ssh configuration is not accepted",
        "`ssh {host} true` shows the same",
    ),
    (
        r"Could not resolve hostname|Name or service not known",
        DeviceLost,
        "no host of that name is known",
        "check the name, give its IP address, or name it in ~/.ssh/config",
    ),
    (
        r"Connection refused",
        DeviceLost,
        "no ssh server answers there",
        "start it on the device (sudo systemctl enable --now ssh) and check the port",
    ),
    (
        r"timed out|Timeout|No route to host|Network is unreachable|Host is down",
        DeviceLost,
        "it does not answer",
        _LOST,
    ),
    (r"closed by|Connection reset|kex_exchange|Broken pipe", DeviceLost, "it closed the connection", _LOST),
)


def explain(address: str, host: str, status: int, said: str, *, port: int | None = None) -> Error:
    """What ssh's last words mean for a connection that did not come about, and what to do."""
    name = host.rpartition("@")[2]
    known = name if port is None else f"'[{name}]:{port}'"
    host = host if port is None else f"-p {port} {host}"
    for pattern, kind, meaning, hint in _REFUSALS:
        if re.search(pattern, said):
            return kind(f"{address}: {meaning} ({last_words(said)})", hint=hint.format(host=host, known=known))
    words = last_words(said)
    if status == 255:
        return DeviceLost(f"{address}: no connection: {words}", hint=f"`ssh {host} true` shows the same")
    return DeviceError(
        f"{address}: the login shell there left with {status}: {words}",
        hint=f"the account must be allowed to run commands: `ssh {host} true` shows the same",
    )


def _for_any_shell(script: str) -> str:
    """The account's own shell may be another (fish, csh): it only gets to start `sh`."""
    return f"exec sh -c {shlex.quote(script)}"
