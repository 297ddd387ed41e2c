"""Networks from a function: what it may return, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch_modules import written

from edgeshrink.core.network import Port
from edgeshrink.errors import DataError

torch = pytest.importorskip("torch")

from edgeshrink.runtimes.torch_network import load  # noqa: E402


def test_a_module_is_put_into_eval_mode_and_its_ports_are_found(here: Path) -> None:
    network = load(
        written(here, 'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {1: "rows"}}, outputs=("scores",))')
    )
    assert not network.module.training
    assert network.ports == (Port("x", "float32", (1, "rows", 3)),)
    assert network.outputs == (Port("scores", "float32", (1, "rows", 2)),)
    assert network.limits == {"rows": (1, 16)}
    assert network.sized({"rows": 7})["x"].shape == (1, 7, 3)


def test_a_plain_tuple_will_do_and_outputs_get_names(here: Path) -> None:
    network = load(written(here, "make = lambda: (Net(), (X, torch.tensor(2.0)), lambda outputs, label: 0.5)"))
    assert [port.name for port in network.ports] == ["x", "scale"]
    assert [port.name for port in network.outputs] == ["output_0", "output_1"]
    assert network.scorer is not None and network.scorer({}, None) == 0.5
    assert load(written(here, "make = lambda: (Net(), X)")).ports[0].name == "x"


def test_inputs_in_another_order_and_mappings_come_out_flat_and_export(here: Path) -> None:
    source = written(
        here,
        """
        class Rich(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.net = Net()

            def forward(self, a, unused=None, *, b):
                return {"sum": self.net(a) + b, "double": b * 2}


        def make():
            return TorchNetwork(Rich(), {"b": torch.ones(1, 4, 2), "a": X}, {"a": {1: "n"}, "b": {1: "n"}})
        """,
    )
    network = load(source)
    assert [port.name for port in network.outputs] == ["sum", "double"]
    exported = torch.export.export(network.module, network.arguments, dynamic_shapes=network.dynamic_shapes())
    assert list(exported.graph_signature.user_inputs) == ["b", "a"]
    inputs = network.sized({"n": 9})
    with torch.no_grad():
        for one, two in zip(exported.module()(*inputs.values()), network.module(**inputs), strict=True):
            torch.testing.assert_close(one, two)


def test_a_dynamic_size_of_one_is_raised_for_the_exporters(here: Path) -> None:
    network = load(written(here, 'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {0: "batch"}})'))
    assert network.inputs["x"].shape == (2, 4, 3) and network.limits == {"batch": (1, 4)}


WRONG = {
    "import torch_that_is_not_there\nmake = None": r"cannot be imported: ModuleNotFoundError",
    "other = 1": r"has no function make",
    "def make(): raise ValueError('no weights here')": r"make failed: ValueError: no weights here",
    "make = lambda: None": r"returns None",
    "make = lambda: (1, 2, 3, 4)": r"returns a tuple of 4",
    "make = lambda: (len, (X,))": r"no torch.nn.Module",
    "make = lambda: TorchNetwork(Net(), {})": r"the example inputs are a dict",
    'make = lambda: TorchNetwork(Net(), {"x": [1.0]})': r"example input x is a list, no tensor",
    'make = lambda: TorchNetwork(Net(), {"x": X, "z": X})': r"forward has no argument z",
    'make = lambda: TorchNetwork(Net(), {"scale": X})': r"no example for the argument x",
    "make = lambda: (Net(), (X, X, X, X))": r"gives 4 example inputs, and forward takes 3",
    'make = lambda: TorchNetwork(Net(), {"x": torch.ones(1, 5)})': r"does not run on its own example inputs",
    'make = lambda: TorchNetwork(Net(), {"x": X}, outputs=("a", "b"))': r"the module returns 1 tensors",
    'make = lambda: TorchNetwork(Net(), {"x": X}, outputs=("x",))': r"x names both an input and an output",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"y": {0: "n"}})': r"dynamic names y, which is no input",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {3: "n"}})': r"x has no dimension 3",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {0: "a b"}})': r"expected a plain name",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {1: "n", 2: "n"}})': r"n is 4 in one example input and 3 in x",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {2: "width"}})': r"width is declared dynamic, .* fails with 4",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {1: "n"}}, limits={"m": (1, 2)})': r"limits names m",
    'make = lambda: TorchNetwork(Net(), {"x": X}, {"x": {1: "n"}}, limits={"n": (5, 2)})': r"limits of n are",
    "make = lambda: (Net().bfloat16(), X.bfloat16())": r"x is bfloat16, which does not go in or out",
    'make = lambda: TorchNetwork(Net(), {"x": X}, scorer=3)': r"scorer is a int, no function",
}


@pytest.mark.parametrize("body", WRONG)
def test_every_mistake_is_named(here: Path, body: str) -> None:
    with pytest.raises(DataError, match=WRONG[body]):
        load(written(here, body))


def test_outputs_that_are_no_tensors_are_named(here: Path) -> None:
    source = written(
        here,
        """
        class Odd(torch.nn.Module):
            def forward(self, x):
                return x, [x]

        make = lambda: (Odd(), X)
        """,
    )
    with pytest.raises(DataError, match="returns a tuple that holds list"):
        load(source)


def test_a_mistake_in_the_persons_code_says_its_line(here: Path) -> None:
    source = written(here, "def helper():\n    raise KeyError('lost')\n\n\ndef make():\n    return helper()\n")
    with pytest.raises(DataError) as caught:
        load(source)
    line = (source.path.read_text(encoding="utf-8").splitlines()).index("    raise KeyError('lost')") + 1
    assert caught.value.hint == f"{source.path}, line {line}"
