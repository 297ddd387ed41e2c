"""A minimal Debian arm64 with a dpkg of its own, for packages to be installed in, removed and purged."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from lab import debs
from lab.cache import cache_folder, kept
from lab.linux_root import GROUP, PASSWD

PACKAGES = (
    "base-files",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "dpkg",
    "findutils",
    "grep",
    "gzip",
    "init-system-helpers",
    "libc-bin",
    "libstdc++6",
    "perl-base",
    "python3-minimal",
    "python3.11-minimal",
    "sed",
    "tar",
)
"""What Debian calls essential, as far as dpkg and a package's scripts use it; and a Python, which JetPack has too."""

_UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")


def dpkg_root() -> Path:
    """The file tree, from the cache or made now. Never written to: worlds lay their own files over it.

    Its dpkg knows of no package: what is installed there later is all that it lists.
    """
    source = debs.fetch(PACKAGES)
    digest = hashlib.sha256(source.name.encode() + Path(__file__).read_bytes()).hexdigest()[:12]
    return kept(cache_folder() / "roots" / f"dpkg-{digest}", lambda root: _build(source, root))


def _build(source: Path, root: Path) -> None:
    for folder in ("bin", "lib", "sbin"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    debs.unpack(source, root)
    for folder in _UNREAD:
        shutil.rmtree(root / folder, ignore_errors=True)
    for folder in ("dev", "proc", "sys", "run", "root", "tmp", "var/tmp", "var/log", "opt"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("info", "updates", "triggers", "parts", "alternatives"):
        (root / "var/lib/dpkg" / folder).mkdir(parents=True, exist_ok=True)
    for name in ("status", "available", "diversions", "statoverride"):
        (root / "var/lib/dpkg" / name).touch()
    (root / "tmp").chmod(0o1777)
    sh = root / "bin" / "sh"
    if not sh.exists():
        sh.symlink_to("dash")
    (root / "etc" / "passwd").write_text(PASSWD)
    (root / "etc" / "group").write_text(GROUP)
