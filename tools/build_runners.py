"""Build runners into the cache, so that no test has to: `python tools/build_runners.py arm64-dotprod arm64-i8mm`.

A platform that no compiler here makes is said and passed over. A build that fails is an error.
"""

from __future__ import annotations

import sys
import time

from edgeshrink.core.events import Progress
from edgeshrink.engine.runner_folder import runner_folder
from edgeshrink.errors import Error, ToolMissing
from edgeshrink.toolchain.runner.build import build_runner
from edgeshrink.toolchain.runner.platform import platform

_SAY_EVERY_S = 20.0


class _Lines:
    """A line now and then: a log is read later, by someone who wants to know whether it hangs."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() - self.last >= _SAY_EVERY_S:
            self.last = time.monotonic()
            print(f"  {progress.task}: {progress.done:.0f} of {progress.total:.0f} {progress.unit}", flush=True)


def main(names: list[str]) -> int:
    for name in names:
        started = time.monotonic()
        try:
            built = build_runner(platform(name), runner_folder(), listener=_Lines())
        except ToolMissing as error:
            print(f"{name}: skipped: {error.message} (fix: {error.hint})")
        except Error as error:
            print(f"{name}: {error.message}\n{error.hint}", file=sys.stderr)
            return 1
        else:
            print(f"{name}: {built.path} by {built.compiler}, {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["native"]))
