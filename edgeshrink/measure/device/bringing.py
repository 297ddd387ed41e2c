"""Bring every file of an artifact to a device, so that a folder's files lie together under their own names."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.events import Listener
from edgeshrink.devices.transports.shell import last_words
from edgeshrink.devices.workspace import Workspace
from edgeshrink.errors import DeviceError
from edgeshrink.measure.files import artifact_files, sha256_of

FOLDER = "model"
_BESIDE = (".data", "_data")
"""Endings of the file that holds an ONNX file's weights where it does not hold them itself."""
# Hard links where the system makes them: onnxruntime refuses external data that a symbolic link leads to.
_LINK = r"""
while [ $# -gt 1 ]; do
  mkdir -p "${2%/*}" && { ln "$1" "$2" 2>/dev/null || ln -s "$1" "$2"; } || exit 1
  shift 2
done
"""


def bring(workspace: Workspace, artifact: Path, listener: Listener) -> str:
    """The path there of the file, or of the folder with all that is in it. NoSpace, DeviceLost, DeviceError.

    Files lie where the workspace puts them (under --keep in a folder that stays), and links to them in its `model`.
    """
    files = artifact_files(artifact)
    root = artifact
    if artifact.is_file():
        beside = [file for ending in _BESIDE if (file := artifact.with_name(artifact.name + ending)).is_file()]
        if not beside:
            return workspace.put(artifact, sha256=sha256_of(artifact), name=_name(artifact), listener=listener)
        root, files = artifact.parent, (artifact, *beside)
    words = []
    for number, file in enumerate(files):
        there = workspace.put(file, sha256=sha256_of(file), name=f"{number}-{_name(file)}", listener=listener)
        words += [there, f"{FOLDER}/{file.relative_to(root).as_posix()}"]
    linked = workspace.run(("sh", "-c", _LINK, "sh", *words))
    if linked.status != 0:
        raise DeviceError(f"the artifact's folder could not be made on the device: {last_words(linked.stderr)}")
    folder = f"{workspace.folder}/{FOLDER}"
    return f"{folder}/{artifact.name}" if artifact.is_file() else folder


def _name(file: Path) -> str:
    """One that any device takes; runtimes go by the ending."""
    return f"file{file.suffix}" if file.suffix.isascii() and file.suffix[1:].isalnum() else "file"
