"""The other side of `bounded.py`: call one function a line, and end this process where one does not end."""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # what the function prints is no answer
    with Path(os.devnull).open("w") as nowhere:
        for line in sys.stdin:
            request = json.loads(line)
            faulthandler.dump_traceback_later(request["seconds"], exit=True, file=nowhere)
            reply = _reply(request)
            faulthandler.cancel_dump_traceback_later()
            answers.write(reply + "\n")
            answers.flush()


def _reply(request: dict[str, Any]) -> str:
    try:
        value = _function(request["function"], request["folder"])(*request["arguments"])
        return json.dumps({"value": value})
    except Exception as error:  # somebody else's code can raise anything
        return json.dumps({"error": f"{type(error).__name__}: {error}"})


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
