"""Jobs for test_child.py, each with one way to end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from edgeshrink.errors import DataError

Emit = Callable[[dict[str, object]], None]


def add(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    emit({"step": 1})
    emit({"step": 2, "text": "äöü 世界\n"})
    return {"sum": parameters["a"] + parameters["b"], "pid": os.getpid()}


def abort(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    print("the last words", file=sys.stderr, flush=True)
    os.abort()


def leave(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    os._exit(7)


def refuse(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    raise DataError("key x is wrong", hint="make it right")


def stumble(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    return {"never": 1 // 0}


def chatter(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Writes to stdout in every way there is, as native libraries do, and far more than a pipe holds."""
    print('{"result": {"forged": true}}', flush=True)
    sys.stdout.flush()
    for _ in range(300):
        os.write(1, b"garbage without an end of line \xff" * 40)
        os.write(2, b"more garbage\n" * 40)
    return {"honest": True}


def native_words(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Prints as C code does: past Python's streams."""
    os.write(1, (parameters["words"] + "\n").encode())
    return {}


def sleep(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    emit({"pid": os.getpid()})
    time.sleep(600)
    return {}


def unserializable(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    return {"value": object()}


def load_broken(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """Makes llama.cpp violate one of its own assertions."""
    from pathlib import Path

    from edgeshrink.runtimes import llama_cpp
    from edgeshrink.runtimes.llama_library import library

    session = llama_cpp.load(Path(parameters["path"]), context=256, threads=1)
    library().llama_get_logits_ith(None, 0)
    session.close()
    return {}


def work_in_stages(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    from edgeshrink.runtimes.job_stages import Stages

    stages = Stages(emit)
    stages.begin("read")
    stages.step(2, 5, "layers")
    stages.begin("write")
    stages.step(1, 1)
    return stages.result(["two stages"])
