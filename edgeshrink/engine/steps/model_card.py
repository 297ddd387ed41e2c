"""The few lines that say whose child a model is and under which licence, until its whole card is written."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.model import ModelFacts


def write_short_card(folder: Path, parent: ModelFacts) -> None:
    """README.md with the front matter that the exporters and the hub read: the licence and the model it came from."""
    lines = [f"license: {parent.source.license}"] if parent.source.license else []
    lines += [f"base_model: {parent.source.hub_id}"] if parent.source.hub_id else []
    if lines:
        (folder / "README.md").write_text("\n".join(("---", *lines, "---", "")), encoding="utf-8")
