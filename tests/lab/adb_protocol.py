"""adb's transport protocol, the device's end of it: packets and the streams that they carry."""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections.abc import Callable
from typing import Protocol


def _word(name: bytes) -> int:
    return int.from_bytes(name, "little")


CNXN, AUTH, OPEN, OKAY, CLSE, WRTE = map(_word, (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE"))
VERSION = 0x01000001
LARGEST_PAYLOAD = 1 << 18
AUTH_TOKEN, AUTH_SIGNATURE, AUTH_PUBLIC_KEY = 1, 2, 3

Service = Callable[["Stream"], None]


class Gone(Exception):
    """The stream was closed by the other end, or its link broke."""


class Doorman(Protocol):
    """Says what a connection may have."""

    banner: bytes

    def admits(self, *, offers_key: bool) -> bool:
        """Whether the peer is let in now. Blocks while somebody would be looking at the phone's dialogue."""
        ...

    def service(self, name: str) -> Service | None: ...


class Stream:
    """One service's channel. At most one WRTE is under way in either direction, as the protocol demands."""

    def __init__(self, link: Link, own: int, peer: int) -> None:
        self._link, self._own, self._peer = link, own, peer
        self._arrived: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._rest = b""
        self._acknowledged = threading.Semaphore(0)
        self._writing = threading.Lock()
        self._gone = False

    def read_some(self) -> bytes:
        """What came next, at least a byte; Gone at the end."""
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        arrived = None if self._gone else self._arrived.get()
        if arrived is None:
            self._gone = True
            raise Gone
        # Read by its consumer: only now the peer may send more.
        self._link.send(OKAY, self._own, self._peer)
        return arrived or self.read_some()

    def read(self, count: int) -> bytes:
        data, self._rest = self._rest, b""
        while len(data) < count:
            data += self.read_some()
        data, self._rest = data[:count], data[count:]
        return data

    def write(self, data: bytes) -> None:
        with self._writing:
            for start in range(0, len(data), LARGEST_PAYLOAD):
                if self._gone:
                    raise Gone
                self._link.send(WRTE, self._own, self._peer, data[start : start + LARGEST_PAYLOAD])
                self._acknowledged.acquire()
        if self._gone:
            raise Gone

    def close(self) -> None:
        self._link.forget(self._own)
        if not self._gone:
            self._gone = True
            self._link.send(CLSE, self._own, self._peer)

    def arrive(self, data: bytes) -> None:
        self._arrived.put(data)

    def acknowledge(self) -> None:
        self._acknowledged.release()

    def end(self) -> None:
        self._gone = True
        self._arrived.put(None)
        self._acknowledged.release()


class Link:
    """One connection of an adb server."""

    def __init__(self, connection: socket.socket, doorman: Doorman) -> None:
        self._connection = connection
        self._doorman = doorman
        self._sending = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self._online = False

    def serve(self) -> None:
        """Until the connection ends; then every stream ends."""
        try:
            while True:
                self._handle(*self._receive())
        except (Gone, OSError):
            pass
        finally:
            for stream in tuple(self._streams.values()):
                stream.end()
            self._connection.close()

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        header = struct.pack("<6I", command, first, second, len(data), 0, command ^ 0xFFFFFFFF)
        try:
            with self._sending:
                self._connection.sendall(header + data)
        except OSError as broken:
            raise Gone from broken

    def forget(self, own: int) -> None:
        self._streams.pop(own, None)

    def _receive(self) -> tuple[int, int, int, bytes]:
        command, first, second, length, _, magic = struct.unpack("<6I", self._exactly(24))
        if magic != command ^ 0xFFFFFFFF or length > 1 << 20:
            raise Gone
        return command, first, second, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self._connection.recv(min(count - len(data), 1 << 16))
            if not part:
                raise Gone
            data += part
        return bytes(data)

    def _handle(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == CNXN:
            self._greet(offers_key=False)
        elif command == AUTH and first == AUTH_SIGNATURE:
            self.send(AUTH, AUTH_TOKEN, 0, bytes(20))  # no key is known from before: asks for the next one
        elif command == AUTH and first == AUTH_PUBLIC_KEY:
            threading.Thread(target=self._greet, kwargs={"offers_key": True}, daemon=True).start()
        elif command == OPEN and self._online:
            self._open(first, data.rstrip(b"\0").decode(errors="replace"))
        elif (stream := self._streams.get(second)) is None:
            if command == WRTE:
                self.send(CLSE, 0, first)
        elif command == WRTE:
            stream.arrive(data)
        elif command == OKAY:
            stream.acknowledge()
        elif command == CLSE:
            self.forget(second)
            stream.end()

    def _greet(self, *, offers_key: bool) -> None:
        if self._doorman.admits(offers_key=offers_key):
            self._online = True
            self.send(CNXN, VERSION, LARGEST_PAYLOAD, self._doorman.banner)
        elif not offers_key:
            self.send(AUTH, AUTH_TOKEN, 0, bytes(20))

    def _open(self, peer: int, name: str) -> None:
        service = self._doorman.service(name)
        if service is None:
            self.send(CLSE, 0, peer)
            return
        own = self._next
        self._next += 1
        stream = self._streams[own] = Stream(self, own, peer)
        self.send(OKAY, own, peer)
        threading.Thread(target=_serve, args=(service, stream), daemon=True).start()


def _serve(service: Service, stream: Stream) -> None:
    try:
        service(stream)
        stream.close()
    except Gone:
        stream.end()
