"""What any runtime must do with a network (see `tiny_networks`), or say that it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_networks as tiny
from numpy.typing import NDArray

from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.interface import NetworkSession, Runtime
from edgeshrink.runtimes.registry import RUNTIMES, runtime

FILES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "onnx": ("tiny.onnx", tiny.write_onnx),
    "executorch": ("tiny.pte", tiny.write_pte),
}
NEEDS = {"onnx": "onnxruntime", "executorch": "executorch"}
BACKENDS = {"onnx": "cpu", "executorch": "xnnpack"}


@pytest.fixture(scope="module", params=sorted(FILES))
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(NEEDS[request.param])
    return str(request.param)


@pytest.fixture(scope="module")
def implementation(name: str) -> Runtime:
    return runtime(name)


@pytest.fixture(scope="module")
def file(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    called, write = FILES[name]
    path = tmp_path_factory.mktemp(name) / called
    write(path)
    return path


@pytest.fixture(scope="module")
def network(implementation: Runtime, file: Path) -> Iterator[NetworkSession]:
    with implementation.open_network(file, threads=1, delegate=BACKENDS[implementation.NAME]) as opened:
        yield opened


def test_every_runtime_takes_networks_or_refuses_them() -> None:
    for name in set(RUNTIMES) - set(FILES):
        with pytest.raises(RuntimeFailed, match="language model"):
            runtime(name).open_network(Path("x"), threads=1)


def test_it_says_what_it_is(implementation: Runtime, network: NetworkSession) -> None:
    facts = network.facts()
    assert facts.name == implementation.NAME
    assert facts.build_id == implementation.build_id()
    assert (facts.backend, facts.threads, facts.context) == (BACKENDS[facts.name], 1, 0)


def test_inputs_and_outputs_have_their_names(network: NetworkSession) -> None:
    assert [(port.name, port.dtype, port.shape) for port in network.inputs] == [
        ("x", "float32", ("batch", tiny.FEATURES)),
        ("extra", "int64", ("batch", tiny.EXTRA)),
    ]
    assert [(port.name, port.dtype, port.shape) for port in network.outputs] == [
        ("y", "float32", ("batch", tiny.OUT)),
        ("total", "int64", ("batch",)),
    ]


@pytest.mark.parametrize("batch", [1, 2, 7, tiny.LONGEST])
def test_it_computes_what_the_numbers_say(network: NetworkSession, batch: int) -> None:
    given = tiny.inputs(batch)
    found = network.run(given)
    for name, value in tiny.expected(given).items():
        assert found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, atol=1e-5)


def test_what_it_returns_is_a_copy(network: NetworkSession) -> None:
    first = network.run(tiny.inputs(2))
    kept = {name: value.copy() for name, value in first.items()}
    network.run(tiny.inputs(3))
    for name, value in kept.items():
        np.testing.assert_array_equal(first[name], value)


def test_inputs_need_not_lie_in_order_in_memory(network: NetworkSession) -> None:
    given = tiny.inputs(4)
    turned: dict[str, NDArray[Any]] = {name: np.asfortranarray(value) for name, value in given.items()}
    turned["x"].flags.writeable = False
    np.testing.assert_allclose(network.run(turned)["y"], tiny.expected(given)["y"], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": None}, "'x' is missing"),
        ({"z": np.zeros(1)}, "no input 'z'"),
        ({"x": np.zeros((1, tiny.FEATURES))}, "'x' is float64"),
        ({"x": np.zeros(tiny.FEATURES, np.float32)}, "'x' has 1 dimensions"),
        ({"x": np.zeros((1, 9), np.float32)}, "'x' is 1x9"),
    ],
)
def test_a_wrong_input_is_named(network: NetworkSession, change: dict[str, Any], words: str) -> None:
    given = {name: value for name, value in {**tiny.inputs(1), **change}.items() if value is not None}
    with pytest.raises(RuntimeFailed, match=words):
        network.run(given)


def test_a_missing_and_a_garbage_file_are_refused(implementation: Runtime, file: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailed, match="no such file"):
        implementation.open_network(tmp_path / f"missing{file.suffix}", threads=1)
    garbage = tmp_path / f"garbage{file.suffix}"
    for content in (b"this is no network" * 64, b"", file.read_bytes()[:-40]):
        garbage.write_bytes(content)
        with pytest.raises(RuntimeFailed, match="garbage"):
            implementation.open_network(garbage, threads=1)


def test_closing_twice_is_fine_and_use_after_it_an_error(implementation: Runtime, file: Path) -> None:
    opened = implementation.open_network(file, threads=1)
    opened.close()
    opened.close()
    with pytest.raises(RuntimeFailed, match="closed"):
        opened.run(tiny.inputs(1))
