"""The public verbs stay functions, whatever rooms of the same name have been imported."""

from __future__ import annotations

import importlib

import pytest

import edgeshrink


@pytest.mark.parametrize("name", ["bundle", "evaluate"])
def test_importing_a_room_leaves_the_verb_of_its_name_callable(name: str) -> None:
    room = importlib.import_module(f"edgeshrink.{name}")
    assert room.__name__ == f"edgeshrink.{name}"
    assert callable(getattr(edgeshrink, name))


def test_every_public_name_can_be_looked_up() -> None:
    assert all(getattr(edgeshrink, name) is not None for name in edgeshrink.__all__)
