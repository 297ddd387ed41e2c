"""The shipped files that a package is made of, with a package's few values put in."""

from __future__ import annotations

import string
from collections.abc import Mapping

from edgeshrink.catalog.data import shipped_folder


class _Marked(string.Template):
    """`%%{name}`: neither a shell nor systemd gives that a meaning of its own."""

    delimiter = "%%"


def filled(name: str, values: Mapping[str, str]) -> str:
    """The template `name` of targets/jetson/bundle. Every value is a slug, a number or lines made here."""
    path = shipped_folder("targets").joinpath("jetson", "bundle", *name.split("/"))
    return _Marked(path.read_text(encoding="utf-8")).substitute(values)
