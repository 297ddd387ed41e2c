"""A Debian-like arm64 file tree with the real openssh-server, made by unpacking packages: no second stage runs."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from lab import debs
from lab.cache import cache_folder, kept

PACKAGES = (
    "base-files",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "libc-bin",
    "libstdc++6",
    "openssh-client",
    "openssh-server",
    "openssh-sftp-server",
    "sed",
    "util-linux",
)
"""No ps, awk, python or sudo: what the product needs beyond these it cannot count on."""

USER = "lab"
USER_ID = 54321
"""Nobody's on the host either, whose own file tree one of the devices shows."""

PASSWD = f"""\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
{USER}:x:{USER_ID}:{USER_ID}:Lab:/home/{USER}:/bin/sh
"""
GROUP = f"""\
root:x:0:
tty:x:5:
nogroup:x:65534:
{USER}:x:{USER_ID}:
"""
_UNREAD = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/i18n",
    "usr/share/info",
    "usr/share/lintian",
)


def linux_root() -> Path:
    """The file tree, from the cache or made now. Never written to: devices lay their own files over it."""
    source = debs.fetch(PACKAGES)
    digest = hashlib.sha256(source.name.encode() + Path(__file__).read_bytes()).hexdigest()[:12]
    return kept(cache_folder() / "roots" / f"linux-{digest}", lambda root: _build(source, root))


def _build(source: Path, root: Path) -> None:
    for folder in ("bin", "lib", "sbin"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    debs.unpack(source, root)
    for folder in _UNREAD:
        shutil.rmtree(root / folder, ignore_errors=True)
    for folder in ("dev", "proc", "sys", "run/sshd", "root", "tmp", "var/tmp", f"home/{USER}", "etc/ssh"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    os.chown(root / "home" / USER, USER_ID, USER_ID)
    sh = root / "bin" / "sh"
    if not sh.exists():  # a link that the package's own script makes where it is installed
        sh.symlink_to("dash")
    (root / "etc" / "passwd").write_text(PASSWD)
    (root / "etc" / "group").write_text(GROUP)
    (root / "etc" / "hostname").write_text("lab-jetson\n")
    (root / "etc" / "mtab").symlink_to("../proc/self/mounts")
