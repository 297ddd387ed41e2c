"""Networks in a .pte, run by ExecuTorch's runtime, against the torch modules that they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.catalog.samples import Sample, Samples, save_samples
from edgeshrink.core.events import Progress
from edgeshrink.core.network import NetworkSource
from edgeshrink.errors import PlanError, UnsupportedModel
from edgeshrink.export.executorch.inspect import inspect_pte
from edgeshrink.export.executorch.network import executorch_layer_errors, write_executorch_network
from edgeshrink.runtimes.executorch import open_network

torch = pytest.importorskip("torch")
pytest.importorskip("executorch")

import pte_networks  # noqa: E402

pytestmark = pytest.mark.usefixtures("exports_in_one_process")

LENGTHS = (1, 7, 40)


def source(name: str) -> NetworkSource:
    return NetworkSource("function", f"pte_networks:{name}", Path(pte_networks.__file__), entry=f"pte_networks:{name}")


def exact(name: str, *inputs: Any) -> list[Any]:
    with torch.no_grad():
        returned = getattr(pte_networks, name)().module(*[torch.from_numpy(array) for array in inputs])
    return [tensor.numpy() for tensor in (returned if isinstance(returned, tuple) else (returned,))]


def pixels(seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal((1, 3, 16, 16), dtype=np.float32)


def ids(length: int) -> Any:
    return np.random.default_rng(length).integers(0, pte_networks.WORDS, (1, length))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("samples") / "samples.npz"
    save_samples(file, Samples(tuple(Sample({"pixels": pixels(seed)}) for seed in range(24)), "seeded noise"))
    return file


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> dict[str, Path]:
    """The files by network and scheme."""
    folder = tmp_path_factory.mktemp("pte")
    files = {}
    for name, scheme, keep in (
        ("pictures", "fp32", ()),
        ("pictures", "int8", ("head",)),
        ("encoder", "fp32", ()),
        ("encoder", "int8-dynamic", ()),
        ("encoder", "int8-weight", ()),
    ):
        files[f"{name} {scheme}"] = folder / f"{name}-{scheme}.pte"
        write_executorch_network(
            files[f"{name} {scheme}"],
            source(name),
            scheme=scheme,
            keep=keep,
            samples=samples if name == "pictures" else None,
            log=folder / "log.txt",
        )
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(file.name for file in files.values()), "log.txt"]
    )
    return files


def test_float_files_equal_torch_at_every_length(built: dict[str, Path]) -> None:
    with open_network(built["encoder fp32"], threads=1) as network:
        for length in LENGTHS:
            found = network.run({"ids": ids(length)})
            for name, wanted in zip(("state", "pooled"), exact("encoder", ids(length)), strict=True):
                np.testing.assert_allclose(found[name], wanted, atol=1e-5)
    with open_network(built["pictures fp32"], threads=1) as network:
        np.testing.assert_allclose(
            network.run({"pixels": pixels(99)})["logits"], exact("pictures", pixels(99))[0], atol=1e-5
        )


def test_the_file_knows_its_ports(built: dict[str, Path]) -> None:
    with open_network(built["encoder fp32"], threads=1) as network:
        (port,) = network.inputs
        assert (port.name, port.dtype, port.shape) == ("ids", "int64", (1, "length"))
        assert [port.name for port in network.outputs] == ["state", "pooled"]


def test_static_int8_is_close_where_it_was_not_calibrated(built: dict[str, Path]) -> None:
    with open_network(built["pictures int8"], threads=1) as network:
        found = np.concatenate([network.run({"pixels": pixels(seed)})["logits"] for seed in range(100, 116)])
    wanted = np.concatenate([exact("pictures", pixels(seed))[0] for seed in range(100, 116)])
    error = np.square(found - wanted).sum() / np.square(wanted - wanted.mean(axis=0)).sum()
    assert 1e-7 < error < 0.05
    assert built["pictures int8"].stat().st_size < built["pictures fp32"].stat().st_size / 2


@pytest.mark.parametrize("scheme", ["int8-dynamic", "int8-weight"])
def test_linear_layers_in_int8_run_inside_the_delegate(built: dict[str, Path], scheme: str) -> None:
    file = built[f"encoder {scheme}"]
    with open_network(file, threads=1) as network:
        for length in LENGTHS:
            found, wanted = network.run({"ids": ids(length)})["state"], exact("encoder", ids(length))[0]
            assert 1e-9 < np.square(found - wanted).sum() / np.square(wanted).sum() < 1e-3
    left = dict(inspect_pte(file, "xnnpack").left)
    outside = ("addmm", "aten::mm", "linear", "dequantize", "choose_qparams")
    assert not [name for name in left if any(word in name for word in outside)]
    assert sum(count for name, count in left.items() if "embedding_byte" in name) == 2


def test_errors_of_layers_and_what_is_told_meanwhile(samples: Path) -> None:
    told: list[Progress] = []
    found = executorch_layer_errors(source("pictures"), scheme="int8", samples=samples, listener=told.append)
    assert {error.name for error in found} == {"first", "deep", "wide", "back", "head"}
    assert {error.operator for error in found} == {"conv2d", "linear"}
    assert all(0 < error.error < 0.1 and not error.kept_float for error in found)
    assert [error.error for error in found] == sorted((error.error for error in found), reverse=True)
    assert [progress.done for progress in told if progress.task.endswith("each layer alone")][-1] == 5


def test_a_network_that_cannot_be_traced_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"torch\.export cannot trace") as refusal:
        write_executorch_network(tmp_path / "x.pte", source("choosing"), scheme="fp32")
    assert "torch said" in refusal.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"scheme": "int4"}, "unknown scheme 'int4'"),
        ({"scheme": "fp32", "delegate": "cuda"}, "unknown ExecuTorch delegate"),
        ({"scheme": "int8"}, "needs samples"),
        ({"scheme": "int8-dynamic", "delegate": "coreml"}, "rules of XNNPACK"),
    ],
)
def test_what_cannot_be_combined_is_refused_at_once(tmp_path: Path, asked: dict[str, Any], match: str) -> None:
    with pytest.raises(PlanError, match=match):
        write_executorch_network(tmp_path / "x.pte", source("encoder"), **asked)


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"scheme": "int8-weight", "per_channel": False}, "per channel only"),
        ({"scheme": "int8-dynamic", "symmetric_activations": True}, "zero point"),
    ],
)
def test_scales_that_a_scheme_has_no_kernels_for_leave_the_other_schemes(
    tmp_path: Path, asked: dict[str, Any], match: str
) -> None:
    with pytest.raises(UnsupportedModel, match=match):
        write_executorch_network(tmp_path / "x.pte", source("encoder"), **asked)


@pytest.mark.parametrize("delegate", ["coreml", "vulkan"])
def test_networks_go_to_other_delegates_in_float32(tmp_path: Path, delegate: str) -> None:
    file = tmp_path / "pictures.pte"
    write_executorch_network(file, source("pictures"), scheme="fp32", delegate=delegate, log=tmp_path / "log.txt")
    found = inspect_pte(file, delegate)
    assert found.delegated_operators > 0
    weights = sum(parameter.numel() for parameter in pte_networks.pictures().module.parameters())
    assert found.delegated_weight_bytes > 0.95 * 4 * weights


def test_an_onnx_file_is_refused(tmp_path: Path) -> None:
    given = NetworkSource("onnx", "x.onnx", tmp_path / "x.onnx")
    with pytest.raises(UnsupportedModel, match=r"cannot become a \.pte"):
        write_executorch_network(tmp_path / "x.pte", given, scheme="fp32")
