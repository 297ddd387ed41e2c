"""Swift for tests: on PATH, or in a Debian root that has it, run in mount and process namespaces of its own.

Such a root: `debootstrap --variant=minbase trixie ROOT`, then `apt-get install --no-install-recommends swiftlang` in a
chroot of it (538 MB to fetch). EDGESHRINK_SWIFT_ROOT names it, or it is `swift` in the lab's cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab.cache import cache_folder

_IN_ROOT = (
    'mount -t proc proc "$1/proc" && mount --rbind "$2" "$1/mnt" && root="$1" && shift 2 && exec chroot "$root" "$@"'
)
_WAIT_S = 600


@dataclass(frozen=True, slots=True)
class Swift:
    """`folder` is all that it sees besides its root; `root` is None where it stands on PATH."""

    root: Path | None
    folder: Path

    def run(self, package: Path, *arguments: str, variables: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """`swift ARGUMENTS` in `package`, which lies in the folder; `variables` are NAME=VALUE."""
        home = self.seen(self.folder / "home")
        # Foundation asks the table of users for the home, and CFFIXED_USER_HOME first.
        homes = [f"HOME={home}", f"CFFIXED_USER_HOME={home}", f"XDG_CACHE_HOME={home}/cache"]
        inside = ["env", "-C", self.seen(package), *homes, *variables, "swift", *arguments]
        return subprocess.run(
            [*self._around(), *inside], capture_output=True, text=True, errors="replace", timeout=_WAIT_S
        )

    def seen(self, path: Path) -> str:
        """`path`, which lies in the folder, as Swift finds it."""
        return str(path) if self.root is None else str("/mnt" / path.relative_to(self.folder))

    def _around(self) -> list[str]:
        if self.root is None:
            return []
        namespaces = ["unshare", "--mount", "--pid", "--fork"]
        return [*namespaces, "sh", "-c", _IN_ROOT, "sh", str(self.root), str(self.folder)]


def find_swift(folder: Path) -> Swift:
    """Skips the test where there is none. `folder` is made, with a home in it."""
    (folder / "home").mkdir(parents=True, exist_ok=True)
    if shutil.which("swift") and not os.environ.get("EDGESHRINK_SWIFT_ROOT"):
        return Swift(None, folder)
    root = Path(os.environ.get("EDGESHRINK_SWIFT_ROOT") or cache_folder() / "swift")
    if not os.path.lexists(root / "usr" / "bin" / "swift"):  # a link that leads somewhere inside the root
        pytest.skip(f"no swift on PATH and none in {root} (EDGESHRINK_SWIFT_ROOT names a Debian root with swiftlang)")
    if os.geteuid() != 0:
        pytest.skip(f"only root can run the swift in {root}: it is in another Debian")
    return Swift(root, folder)
