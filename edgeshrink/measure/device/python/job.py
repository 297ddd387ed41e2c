"""What runs on the device: our own session with a Python runtime; JSON lines out, the result in the last one."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from edgeshrink.core.events import Progress
from edgeshrink.core.values import to_json
from edgeshrink.errors import Error
from edgeshrink.measure.network import measure_network
from edgeshrink.measure.session import measure
from edgeshrink.runtimes.child import leave_with_parent


def main(request: Path) -> None:
    """Measure as `request`, a JSON file, says. An error of ours is a line, too; anything else is a traceback.

    It ends when stdin does: then the link is gone, and nobody hears it any more. Told to end, it ends its child first.
    """
    threading.Thread(target=leave_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    asked = json.loads(request.read_text(encoding="utf-8"))
    try:
        _say({"measurements": json.loads(to_json(_measured(asked)))})
    except Error as error:
        _say({"error": type(error).__name__, "message": error.message, "hint": error.hint})


def _measured(asked: dict[str, Any]) -> object:
    common: dict[str, Any] = {
        "sha256": asked["sha256"],
        "runtime": asked["runtime"],
        "delegate": asked["delegate"],
        "threads": asked["threads"],
        "repetitions": asked["repetitions"],
        "power_sources": tuple(asked["power_sources"]),
        "listener": _tell,
    }
    artifact = Path(asked["artifact"])
    if asked["network"]:
        return measure_network(artifact, samples=None, **common)
    return measure(
        artifact,
        context=asked["context"],
        prompt_tokens=tuple(asked["prompt_tokens"]),
        decode_tokens=asked["decode_tokens"],
        **common,
    )


def _tell(progress: Progress) -> None:
    _say({"progress": [progress.done, progress.total, progress.unit]})


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
