"""The signing library, loaded on use: it takes a second, and not everybody has it."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import warnings
from collections.abc import Iterator

from edgeshrink.runtimes.packages import missing

_MODULES = ("model_signing.signing", "model_signing.verifying")
_LOGGERS = ("sigstore", "tuf", "model_signing", "urllib3", "securesystemslib")


def need_library() -> None:
    """ToolMissing where the library, or something that it needs, is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in _MODULES:
                importlib.import_module(name)
    except ImportError as error:
        what = f"{error.name or error} cannot be loaded, and bundles are signed and verified by model-signing"
        raise missing("bundle", what) from error


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """What the library prints, logs or warns of in this block is not for the person: errors say it all."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    try:
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
