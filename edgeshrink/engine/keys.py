"""The verb `keys new`: a pair to sign bundles with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from edgeshrink.bundle.signing.keys import NewKeys, new_keys
from edgeshrink.errors import UsageError

PASSPHRASE_VARIABLE: Final = "EDGESHRINK_KEY_PASSPHRASE"
_MOST_BYTES: Final = 4096


def make_keys(folder: Path, *, name: str = "edgeshrink", passphrase: str | None = None) -> NewKeys:
    """A private key and its `.pub` in `folder`; encrypted where there is a passphrase. Never overwrites."""
    return new_keys(folder, name=name, passphrase=passphrase)


def given_passphrase(file: Path | None) -> str | None:
    """The first line of `file`, else what stands in EDGESHRINK_KEY_PASSPHRASE; None where neither is."""
    if file is None:
        return os.environ.get(PASSPHRASE_VARIABLE) or None
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES)
        line = content.decode().splitlines()[0] if content else ""
    except OSError as error:
        raise UsageError(f"the passphrase file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the passphrase file {file} is no UTF-8 text") from error
    if not line:
        raise UsageError(f"the first line of the passphrase file {file} is empty")
    return line
