"""Ports on loopback."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from lab.unavailable import Unavailable, last_line


def free_port() -> int:
    """One that nobody listens at now; another process may be quicker, which its user finds out by failing."""
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        return int(candidate.getsockname()[1])


def wait_for_port(port: int, alive: Callable[[], bool], log: Callable[[], str], seconds: float = 30.0) -> None:
    """Until somebody listens there. Unavailable where the service died or is silent."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and alive():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise Unavailable(f"a device's service does not start here: {last_line(log())}")
