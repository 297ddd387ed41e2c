"""A wire that can be cut: a TCP proxy on loopback between a client and a device."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any

_CHUNK = 1 << 16
_RESET = struct.pack("ii", 1, 0)


class Wire:
    """Forwards `port` to `device_port`. Faults hold for old and new connections until they are undone."""

    def __init__(self, device_port: int) -> None:
        self._device_port = device_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab wire", daemon=True)
        self._thread.start()
        self._flows = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut = False
        self._allowance: int | None = None
        self._server = self._do(self._listen())
        self._loop.call_soon_threadsafe(self._flows.set)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut(self, *, after_bytes: int = 0) -> None:
        """Reset every connection, now or when `after_bytes` more have gone to the device; new ones are reset, too."""
        self._do(self._allow(after_bytes))

    def stall(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        self._do(self._gate(flows=False))

    def restore(self) -> None:
        """Undo `cut` and `stall`. Connections that were cut stay cut."""
        self._do(self._gate(flows=True))

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def _allow(self, after_bytes: int) -> None:
        if after_bytes:
            self._allowance = after_bytes
        else:
            self._sever()

    async def _gate(self, *, flows: bool) -> None:
        if flows:
            self._cut = False
            self._allowance = None
            self._flows.set()
        else:
            self._flows.clear()

    async def _end(self) -> None:
        self._server.close()
        self._sever()
        self._flows.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Transports that were aborted close their sockets one turn later.
        await asyncio.sleep(0)

    def _sever(self) -> None:
        self._cut = True
        for writer in tuple(self._writers):
            _reset(writer)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if not self._cut:
                await self._forward(reader, writer)
        finally:
            _reset(writer) if self._cut else writer.close()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            device_reader, device_writer = await asyncio.open_connection("127.0.0.1", self._device_port)
        except OSError:
            return
        self._writers.add(device_writer)
        try:
            # Either side's end ends both: neither ssh nor adb talks on over a half-closed connection.
            there = asyncio.create_task(self._pump(reader, device_writer, counts=True))
            back = asyncio.create_task(self._pump(device_reader, writer, counts=False))
            _, pending = await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        finally:
            device_writer.close()
            self._writers.discard(device_writer)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, counts: bool) -> None:
        try:
            while chunk := await source.read(_CHUNK):
                await self._flows.wait()
                if counts and self._allowance is not None:
                    self._allowance -= len(chunk)
                    if self._allowance <= 0:
                        self._sever()
                        return
                target.write(chunk)
                await target.drain()
        except OSError:
            return


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other end sees a reset, as when a cable is pulled and the peer is asked later."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
