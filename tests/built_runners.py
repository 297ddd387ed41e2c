"""The native runner for a platform, where it is cheap to have: the cache's, or a link of seconds."""

from __future__ import annotations

import pytest

from edgeshrink.engine.runner_folder import runner_folder
from edgeshrink.toolchain.runner import cache
from edgeshrink.toolchain.runner.build import BuiltRunner, build_runner
from edgeshrink.toolchain.runner.platform import platform


def ready_runner(name: str) -> BuiltRunner:
    """`native`, `arm64-dotprod`, ...; skips where an arm64 one was never built here: llama.cpp takes minutes."""
    folder = runner_folder()
    wanted = platform(name)
    if name != "native" and not any(kept.record.runs_on(wanted) for kept in cache.everything(folder)):
        pytest.skip(f"no runner for {name} in {folder}: python tools/build_runners.py {name}")
    return build_runner(wanted, folder)
