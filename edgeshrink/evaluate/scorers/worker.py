"""The other side of `bounded.py`: call one function a line, and end this process where one does not end."""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

IMPORT_SECONDS = 60.0
"""Importing a function takes long on a busy machine, and is done once: it has a time of its own."""


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # what the function prints is no answer
    with Path(os.devnull).open("w") as nowhere:
        watch = partial(faulthandler.dump_traceback_later, exit=True, file=nowhere)
        for line in sys.stdin:
            answers.write(_reply(json.loads(line), watch) + "\n")
            answers.flush()


def _reply(request: dict[str, Any], watch: Callable[[float], None]) -> str:
    try:
        watch(IMPORT_SECONDS)
        function = _function(request["function"], request["folder"])
        watch(request["seconds"])
        return json.dumps({"value": function(*request["arguments"])})
    except Exception as error:  # somebody else's code can raise anything
        return json.dumps({"error": f"{type(error).__name__}: {error}"})
    finally:
        faulthandler.cancel_dump_traceback_later()


@lru_cache(maxsize=16)
def _function(name: str, folder: str | None) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    found: Any = getattr(_module(module, folder), attribute)
    if not callable(found):
        raise TypeError(f"{name} is no function")
    return found  # type: ignore[no-any-return]


def _module(name: str, folder: str | None) -> Any:
    file = None if folder is None else Path(folder, *name.split(".")).with_suffix(".py")
    if file is None or not file.is_file():
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
