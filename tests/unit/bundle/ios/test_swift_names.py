"""A slug's name in Swift: always an identifier, never a keyword, and another one for another slug."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeshrink.bundle.ios.names import module_name

SLUGS = st.from_regex(r"[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,4}){0,3}", fullmatch=True)


@pytest.mark.parametrize(
    ("slug", "name"),
    [
        ("tiny", "TinyModel"),
        ("edgeshrink-demo", "EdgeshrinkDemoModel"),
        ("qwen3-0-6b", "Qwen3_0_6bModel"),
        ("a-7b-chat", "A_7bChatModel"),
        ("class", "ClassModel"),
        ("self", "SelfModel"),
    ],
)
def test_a_slug_is_written_in_camel_case(slug: str, name: str) -> None:
    assert module_name(slug) == name


@given(SLUGS)
def test_every_slug_is_an_identifier(slug: str) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z0-9_]*Model", module_name(slug))


@given(SLUGS, SLUGS)
def test_two_slugs_never_share_a_name(one: str, other: str) -> None:
    assert (module_name(one) == module_name(other)) == (one == other)
