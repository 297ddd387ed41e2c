"""The facts of a function, asked in a child process, and its session."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from torch_modules import written

import edgeshrink
from edgeshrink.core.network import Port
from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.network_facts import network_facts

pytest.importorskip("torch")

from edgeshrink.runtimes.torch_network import TorchSession, load
from edgeshrink.runtimes.torch_network.facts import facts_of
from edgeshrink.runtimes.torch_network.imported_code import loaded_files


def test_the_facts_of_a_function_come_from_a_child(here: Path) -> None:
    (here / "beside.py").write_text("SIZE = 3\n", encoding="utf-8")
    source = written(here, "import beside\nmake = lambda: TorchNetwork(Net(), {'x': X}, {'x': {1: 'rows'}})")
    first = network_facts(source)
    assert (first.parameters, first.weight_elements, first.dtype, first.family) == (8, 6, "F32", "module")
    assert first.outputs == (Port("output_0", "float32", (1, "rows", 2)),) and first.limits == (("rows", 1, 16),)
    assert set(first.files) == {source.path, (here / "beside.py").resolve()}
    assert f"torch=={version('torch')}" in first.packages and f"numpy=={version('numpy')}" in first.packages
    assert not [name for name in first.packages if name.startswith(("edgeshrink=", "json=", "pytest="))]
    assert source.entry.partition(":")[0] not in sys.modules
    text = source.path.read_text(encoding="utf-8")
    source.path.write_text(text.replace("Linear(3, 2)", "Linear(3, 2).double().float()"), encoding="utf-8")
    assert network_facts(source).weights_sha256 != first.weights_sha256  # random weights: others each time


def test_a_function_that_kills_its_process_is_an_error_here(here: Path) -> None:
    source = written(here, "import os\nmake = lambda: os._exit(3)")
    with pytest.raises(RuntimeFailed, match="exited with code 3"):
        network_facts(source)


def test_the_torch_session_runs_and_refuses_wrong_inputs(here: Path) -> None:
    source = written(here, "torch.manual_seed(0)\nmake = lambda: TorchNetwork(Net(), {'x': X}, {'x': {1: 'rows'}})")
    with TorchSession(source, threads=1) as session:
        linear = session.network.module.linear
        x = np.random.default_rng(0).standard_normal((1, 6, 3)).astype(np.float32)
        expected = x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        np.testing.assert_allclose(session.run({"x": x})["output_0"], expected, rtol=1e-5, atol=1e-6)
        assert (session.facts().name, session.facts().threads) == ("torch", 1)
        for wrong in ({}, {"x": x.astype(np.float64)}, {"x": x[0]}, {"x": x, "y": x}):
            with pytest.raises(RuntimeFailed):
                session.run(wrong)
    with pytest.raises(RuntimeFailed, match="closed"):
        session.run({"x": x})


def test_a_buffer_that_no_checkpoint_holds_is_in_the_digest_of_the_weights(here: Path) -> None:
    body = """
        class Scaled(torch.nn.Module):
            def __init__(self, scale):
                super().__init__()
                self.register_buffer("scale", torch.tensor([scale]), persistent=False)

            def forward(self, x):
                return x * self.scale

        make = lambda: (Scaled(SCALE), X)
        """
    found = [
        facts_of(load(written(here, body.replace("SCALE", scale)))).weights_sha256 for scale in ("1.0", "1.0", "2.0")
    ]
    assert found[0] == found[1] != found[2]


def test_code_of_a_package_that_is_installed_to_be_edited_is_a_file_of_the_network(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "edited_helper.py").write_text("SIZE = 3\n", encoding="utf-8")
    copied = elsewhere / "site-packages"
    copied.mkdir()
    (copied / "copied_helper.py").write_text("SIZE = 3\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path, str(elsewhere), str(copied)])
    source = written(here, "import copied_helper, edited_helper\nmake = lambda: (Net(), X)")
    load(source)
    files = loaded_files(source)
    assert source.path in files and (elsewhere / "edited_helper.py").resolve() in files
    assert (copied / "copied_helper.py").resolve() not in files
    assert not {Path(str(module.__file__)).resolve() for module in (json, edgeshrink)} & set(files)
