"""A session in a process of its own, for tests that interrupt or kill it: arguments ADDRESS LEFTOVERS FOLDER-OF-A-FILE.

It brings a file, says where its workspace is, and lets a program there wait for the end of its stdin.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import closing
from pathlib import Path

from edgeshrink.core.device import parse_address
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.devices.workspace import open_workspace


def main(address: str, leftovers: Path, source: Path) -> None:
    with (
        closing(open_transport(parse_address(address))) as transport,
        open_workspace(transport, keep=False, leftovers=leftovers) as workspace,
    ):
        workspace.put(source, sha256=hashlib.sha256(source.read_bytes()).hexdigest(), name="model.bin")
        sys.stdout.write(f"{workspace.folder}\n")
        workspace.run(("sh", "-c", "echo running; exec cat"), hold_stdin=True, on_line=_echo, timeout_s=120)


def _echo(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except KeyboardInterrupt:
        sys.exit(130)
