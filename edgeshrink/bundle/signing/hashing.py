"""Our way to hash a folder, as a configuration of the signing library: `set_hashing_config` takes it.

The library's own leaves out git's files, hashes a hard-linked file once a name, and stops at the first thing that it
does not like. What is signed is the same: its own CLI verifies our bundles. (Loading this module loads the library.)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from model_signing import hashing, manifest
from model_signing._hashing.hashing import Digest

from edgeshrink.bundle.signing.file_digests import sha256_of
from edgeshrink.bundle.signing.names import SIGNATURE_NAME
from edgeshrink.bundle.signing.walking import FoundFile, Walk, walk
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.signature import Finding

FILE_SERIALIZATION: Final[dict[str, Any]] = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
FOLDER_SERIALIZATION: Final[dict[str, Any]] = {**FILE_SERIALIZATION, "ignore_paths": [SIGNATURE_NAME]}
"""How the library says that every file but the signature was hashed, whole, by sha256, and no link was followed."""


class Unsignable(Exception):
    """The folder holds what no signature can cover: see `StrictHashing.problems`."""


class StrictHashing(hashing.Config):
    """Hashes one folder, or one file; what it met stays in `walked`, `digests` and `problems` for whoever asks why."""

    def __init__(
        self,
        *,
        known_sha256: Mapping[str, str] | None = None,
        subject: str = "",
        task: str,
        listener: Listener = silent,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known = dict(known_sha256 or {})
        self._subject, self._task, self._listener = subject, task, listener
        self.walked: Walk | None = None
        """None: the library has not asked yet, so it has not accepted the signature yet either."""
        self.digests: dict[str, str] = {}
        self.problems: tuple[Finding, ...] = ()
        self.disagreement = ""
        """What the library said against the folder, of which it had found the signature good."""

    def hash(
        self, model_path: hashing.PathLike, *, files_to_hash: Iterable[hashing.PathLike] | None = None
    ) -> manifest.Manifest:
        """The library's manifest of all files. Raises Unsignable where something is not a plain file."""
        path = Path(os.fsdecode(model_path))
        if path.is_dir():
            self.walked, serialization = walk(path), FOLDER_SERIALIZATION
        else:
            self.walked, serialization = _single(path), FILE_SERIALIZATION
        self.digests, failures = sha256_of(
            self.walked.files, known=self._known, task=self._task, listener=self._listener
        )
        unread = tuple(Finding("changed", name, why) for name, why in sorted(failures.items()))
        empty = tuple(Finding("added", name, "is an empty folder") for name in self.walked.empty)
        self.problems = self.walked.problems + unread + empty
        if self.problems:
            raise Unsignable
        kind = manifest.SerializationType.from_args(serialization)
        items = [kind.new_item(name, Digest("sha256", bytes.fromhex(digest))) for name, digest in self.digests.items()]
        return manifest.Manifest(self._subject or path.resolve().name, items, kind)


def _single(path: Path) -> Walk:
    """A file alone: the library calls it "."."""
    found = path.stat()
    name = str(PurePosixPath())
    return Walk((FoundFile(name, path, found.st_size, (found.st_dev, found.st_ino)),), (), ())
