"""Which inputs are states that a network hands on, and which only look alike."""

from __future__ import annotations

import pytest

from edgeshrink.catalog.sample_states import state_pairs
from edgeshrink.core.network import Port


def test_states_are_known_by_name_type_and_shape() -> None:
    state = (2, "batch", 128)
    inputs = (
        Port("input", "float32", ("batch", "n")),
        Port("state", "float32", state),
        Port("h0", "float32", (1, 4)),
        Port("past_key", "float32", (1, 2, "past", 4)),
    )
    outputs = (
        Port("output", "float32", ("batch", 1)),
        Port("stateN", "float32", state),
        Port("hn", "float32", (1, 4)),
        Port("present_key", "float32", (1, 2, "past + 1", 4)),
    )
    assert state_pairs(inputs, outputs) == {"state": "stateN", "h0": "hn"}


def ports(*names: str) -> tuple[Port, ...]:
    return tuple(Port(name, "float32", (1, 3, 8, 8)) for name in names)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (("x",), ("x_out",)),
        (("in_image", "mask"), ("out_image",)),
        (("input", "sigma"), ("output",)),
        (("latent", "timestep"), ("latent_next",)),
        (("channel", "x"), ("channel_out",)),
        (("hidden_states",), ("hidden_states_out",)),
        (("h0", "c0"), ("hn", "cn")),
    ],
)
def test_what_only_keeps_its_shape_or_would_leave_no_input_is_no_state(
    inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    assert state_pairs(ports(*inputs), ports(*outputs)) == {}


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("h", "hn"),
        ("c_0", "c_n"),
        ("hidden_in", "hidden_out"),
        ("in_cache", "out_cache"),
        ("past_key", "present_key"),
        ("state1", "state1_out"),
        ("prev_state", "next_state"),
        ("h", "h_out"),
    ],
)
def test_names_that_say_state_are_states_beside_another_input(name: str, output: str) -> None:
    assert state_pairs(ports("x", name), ports("y", output)) == {name: output}
