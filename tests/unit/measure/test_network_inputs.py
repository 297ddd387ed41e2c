"""Which samples of a sample file a network is timed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.core.network import Port
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.measure.network_inputs import choose_samples, draw_samples, read_inputs


def save(path: Path, lengths: list[int]) -> Path:
    arrays: dict[str, np.ndarray] = {}
    for index, length in enumerate(lengths):
        arrays[f"{index:05d}/input_ids"] = np.full((1, length), index)
        arrays[f"{index:05d}/attention_mask"] = np.ones((1, length), np.int64)
    arrays["meta"] = np.array("{}")
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_the_shortest_the_median_and_the_longest_are_taken_once_each(tmp_path: Path) -> None:
    path = save(tmp_path / "samples.npz", [9, 16, 4, 16, 30, 4, 12])
    chosen = choose_samples(path)
    assert [sample.index for sample in chosen] == ["00002", "00006", "00004"]
    assert [sample.shapes for sample in chosen] == [
        f"attention_mask 1x{length}, input_ids 1x{length}" for length in (4, 12, 30)
    ]


@pytest.mark.parametrize(("lengths", "count"), [([5], 1), ([5, 5, 5], 1), ([7, 5], 2), ([1, 2, 3, 4], 3)])
def test_fewer_shapes_give_fewer_points(tmp_path: Path, lengths: list[int], count: int) -> None:
    assert len(choose_samples(save(tmp_path / "samples.npz", lengths))) == count


def test_the_inputs_of_one_sample_are_its_own(tmp_path: Path) -> None:
    inputs = read_inputs(save(tmp_path / "samples.npz", [3, 4]), "00001")
    assert sorted(inputs) == ["attention_mask", "input_ids"]
    assert inputs["input_ids"].tolist() == [[1, 1, 1, 1]]


def test_a_scalar_input_has_a_name_for_its_shape(tmp_path: Path) -> None:
    np.savez(tmp_path / "samples.npz", **{"00000/sr": np.array(16000), "00000/x": np.zeros((1, 2), np.float32)})
    assert choose_samples(tmp_path / "samples.npz")[0].shapes == "sr scalar, x 1x2"


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.npz"
    garbage.write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"garbage\.npz is no sample file"):
        choose_samples(garbage)
    np.savez(tmp_path / "flat.npz", pixels=np.zeros(3))
    with pytest.raises(DataError, match=r"flat\.npz holds no samples"):
        choose_samples(tmp_path / "flat.npz")


class Network:
    """Takes up to `longest` tokens, and hands a state on."""

    outputs = (Port("y", "float32", ("batch", 1)), Port("stateN", "float32", (2, "batch", 8)))
    inputs = (
        Port("input_ids", "int64", ("batch", "sequence")),
        Port("attention_mask", "int64", ("batch", "sequence")),
        Port("x", "float32", (1, 3)),
        Port("state", "float32", (2, "batch", 8)),
    )

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.seen: list[dict[str, np.ndarray]] = []

    def run(self, inputs: Any) -> dict[str, np.ndarray]:
        self.seen.append(dict(inputs))
        if inputs["input_ids"].shape[1] > self.longest:
            raise RuntimeFailed("too long")
        return {"y": np.zeros((1, 1), np.float32), "stateN": inputs["state"]}


@pytest.mark.parametrize(("longest", "drawn"), [(512, 64), (64, 64), (20, 16), (1, 1)])
def test_random_inputs_are_as_long_as_the_network_takes(tmp_path: Path, longest: int, drawn: int) -> None:
    network: Any = Network(longest)
    path = tmp_path / "random.npz"
    draw_samples(network, path)
    (chosen,) = choose_samples(path)
    inputs = read_inputs(path, chosen.index)
    assert sorted(inputs) == ["attention_mask", "input_ids", "x"], "a state is no input of a sample"
    assert inputs["input_ids"].shape == inputs["attention_mask"].shape == (1, drawn)
    assert (inputs["attention_mask"] == 1).all() and (inputs["input_ids"] >= 0).all()
    assert inputs["x"].shape == (1, 3) and inputs["x"].dtype == np.float32
    assert not network.seen[-1]["state"].any() and network.seen[-1]["state"].shape == (2, 1, 8)


def test_a_network_that_takes_no_random_inputs_says_so_itself(tmp_path: Path) -> None:
    network: Any = Network(0)
    with pytest.raises(RuntimeFailed, match="too long"):
        draw_samples(network, tmp_path / "random.npz")
