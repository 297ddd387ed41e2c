"""What a bundle is called in Swift."""

from __future__ import annotations


def module_name(slug: str) -> str:
    """`Tiny_2_5BModel` for "tiny-2-5-b". Two slugs never become one name, and no name is a keyword."""
    return "".join(f"_{part}" if part[:1].isdigit() else part.capitalize() for part in slug.split("-")) + "Model"
