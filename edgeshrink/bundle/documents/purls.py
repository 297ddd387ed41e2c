"""Package URLs (purl, ECMA-427) of what a bundle was made from."""

from __future__ import annotations

from urllib.parse import quote


def model_purl(hub_id: str, revision: str | None) -> str:
    """Of a model on the Hugging Face hub: the revision is its commit, in lower case."""
    at = f"@{quote(revision.lower(), safe='')}" if revision else ""
    return f"pkg:huggingface/{quote(hub_id, safe='/')}{at}"


def library_purl(name: str, version: str) -> str:
    """Of a Python distribution, or of Python itself, by their names in `versions`."""
    kind = "generic" if name == "python" else "pypi"
    return f"pkg:{kind}/{quote(name.lower().replace('_', '-'), safe='')}@{quote(version, safe='')}"
