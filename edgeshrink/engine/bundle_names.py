"""What a bundle is called."""

from __future__ import annotations

import re
import unicodedata

from edgeshrink.errors import UsageError

_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,2}")
_LONGEST = 60


def check_name(name: str) -> str:
    """The name itself; UsageError where it is no slug."""
    if not _SLUG.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"--name {name!r} is no name of a bundle",
            hint=f"a-z, 0-9 and single dashes, a letter first, at most {_LONGEST} characters",
        )
    return name


def check_version(version: str) -> str:
    """The version itself; UsageError where it is none."""
    if not _VERSION.fullmatch(version):
        raise UsageError(f"--version {version!r} is no version of a bundle", hint="up to three numbers: 1.0.0")
    return version


def slug(given: str) -> str:
    """A name made of what a model or an adapter is called."""
    plain = unicodedata.normalize("NFKD", given).encode("ascii", "ignore").decode()
    last = plain.split("/")[-1].removeprefix("edgeshrink-").lower()
    text = re.sub(r"[^a-z0-9]+", "-", last).strip("-")[:50].strip("-") or "model"
    return text if text[0].isalpha() else f"m-{text}"
