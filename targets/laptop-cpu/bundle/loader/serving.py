"""Answer over a Unix socket: a connection sends its question and shuts its writing side, and reads the answer.

One connection at a time, the model loaded once. An answer is UTF-8; what refuses or breaks it is the byte FF, which
UTF-8 never has, and one line that says why: as `edgeshrink-runner serve` speaks it. The socket is made here, or passed
by systemd (sd_listen_fds(3)); READY=1 goes to NOTIFY_SOCKET (sd_notify(3)).
"""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from .errors import BundleError, QuestionRefused
from .model import Model

MOST_QUESTION_BYTES = 1 << 20
_PATIENCE_S = 30.0
_FIRST_PASSED = 3
_REFUSED = b"\xff"
_LONGEST_LINE = 1 << 16


class _Leave(BaseException):
    """SIGTERM, wherever the program is."""


def serve(model: Model, path: Path | None, *, max_tokens: int, temperature: float) -> None:
    """Until SIGTERM or Ctrl-C. A socket that systemd passed comes before `path`."""
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        with _listening(path) as server:
            tell_ready()
            while True:
                connection, _ = server.accept()
                with connection:
                    _answer(model, connection, max_tokens, temperature)
    except (_Leave, KeyboardInterrupt):
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def ask(path: Path, question: str) -> Iterator[str]:
    """The other side: the answer of a served model, as it comes. BundleError with the reason it gives for none."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.sendall(question.encode("utf-8"))
        connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(1 << 12):
            answer, refused, why = chunk.partition(_REFUSED)
            if text := decoder.decode(answer):
                yield text
            if refused:
                raise BundleError(_rest(connection, why))


def tell_ready() -> None:
    """What systemd waits for with Type=notify; nothing elsewhere."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(f"\0{address[1:]}" if address[0] == "@" else address)
        notify.sendall(b"READY=1")


def _answer(model: Model, connection: socket.socket, max_tokens: int, temperature: float) -> None:
    """A client that goes, or stalls, or sends no question costs nobody else theirs."""
    connection.settimeout(_PATIENCE_S)
    try:
        for piece in model.stream(_read(connection), max_tokens=max_tokens, temperature=temperature):
            connection.sendall(piece.encode("utf-8"))
    except BundleError as error:
        _refuse(connection, str(error))
    except _Leave:
        _refuse(connection, "the service is stopping")
        raise
    except OSError:
        return


def _refuse(connection: socket.socket, why: str) -> None:
    line = " ".join(why.split()).encode("utf-8", "replace")
    with contextlib.suppress(OSError):
        connection.settimeout(1.0)
        connection.sendall(_REFUSED + line + b"\n")


def _rest(connection: socket.socket, line: bytes) -> str:
    # A server that closes with some of the question unread resets the connection, after its last words.
    with contextlib.suppress(ConnectionResetError):
        while len(line) < _LONGEST_LINE and (chunk := connection.recv(1 << 12)):
            line += chunk
    return line[:_LONGEST_LINE].decode("utf-8", "replace").strip()


def _read(connection: socket.socket) -> str:
    received = bytearray()
    while chunk := connection.recv(1 << 16):
        received += chunk
        if len(received) > MOST_QUESTION_BYTES:
            raise QuestionRefused(f"a question has at most {MOST_QUESTION_BYTES} bytes")
    try:
        return received.decode("utf-8")
    except UnicodeDecodeError as error:
        raise QuestionRefused("the question is no UTF-8") from error


@contextlib.contextmanager
def _listening(path: Path | None) -> Iterator[socket.socket]:
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        with socket.socket(fileno=_FIRST_PASSED) as server:
            server.setblocking(True)
            yield server
        return
    if path is None:
        raise BundleError("serve needs --socket PATH, or one socket that systemd passes")
    _remove_stale(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        # Made closed to others; whom else it is open to is the business of its folder.
        mask = os.umask(0o117)
        try:
            server.bind(str(path))
        finally:
            os.umask(mask)
        server.listen(16)
        try:
            yield server
        finally:
            path.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    """A socket that nobody listens at any more is left from a process that was killed."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise BundleError(f"{path} is there already, and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise BundleError(f"{path}: something answers there already")


def _leave(_: int, __: FrameType | None) -> None:
    raise _Leave


def supported() -> bool:
    return sys.platform != "win32" and hasattr(socket, "AF_UNIX")
