"""A network of the user's own, in every format that takes networks, from a function in the working folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from shell import Shell

from edgeshrink.core.quality import NetworkQuality
from edgeshrink.core.reading import Measured
from edgeshrink.core.report import Comparison
from edgeshrink.report.json import comparison_from_json
from edgeshrink.report.manifest import verify_manifest

pytest.importorskip("executorch", reason="the extra [executorch] is not installed")
pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")
pillow = pytest.importorskip("PIL.Image", reason="the extra [torch] is not installed")

MODULE = """
import numpy as np
import torch
from torch import nn

import edgeshrink


def make():
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()]
    module = nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2))
    return edgeshrink.TorchNetwork(
        module.eval(),
        {"input": torch.zeros(1, 3, 24, 24)},
        outputs=("logits",),
        preprocess=lambda image: np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255 - 0.5,
        scorer=lambda outputs, label: float(np.argmax(outputs["logits"]) == label),
    )


def broken():
    raise ValueError("no weights today")
"""


@pytest.fixture(scope="module")
def folder(warm_shell: Shell) -> Path:
    """The user's working folder: a module, and pictures of two classes."""
    (warm_shell.folder / "mynet.py").write_text(MODULE, encoding="utf-8")
    draw = np.random.default_rng(5)
    for kind, name in enumerate(("dark", "light")):
        pictures = warm_shell.folder / "pictures" / name
        pictures.mkdir(parents=True)
        for number in range(30):
            pixels = draw.integers(100 * kind, 100 * kind + 120, (24, 24, 3), dtype=np.uint8)
            pillow.fromarray(pixels).save(pictures / f"{number}.png")
    return warm_shell.folder


@pytest.fixture(scope="module")
def built(folder: Path, warm_shell: Shell) -> subprocess.CompletedProcess[str]:
    return warm_shell.run(
        "build", "mynet:make", "--format", "all", "--scheme", "8bit", "--calibration", "pictures", "-o", "net",
        timeout_s=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def comparison(built: subprocess.CompletedProcess[str], folder: Path) -> Comparison:
    assert built.returncode == 0, built.stdout + built.stderr
    return comparison_from_json((folder / "net" / "comparison.json").read_text(encoding="utf-8"))


def test_it_is_built_in_both_formats_that_take_networks(comparison: Comparison) -> None:
    assert {entry.format for entry in comparison.outcomes} == {"onnx", "executorch"}
    for entry in comparison.outcomes:
        assert entry.report is not None, entry.error
        quality = entry.report.quality
        assert isinstance(quality, NetworkQuality)
        assert quality.failed_checks == ()
        assert isinstance(quality.cosine_mean, Measured) and quality.cosine_mean.value >= 0.99
        assert isinstance(quality.score, Measured) and quality.score.n == quality.samples
        assert entry.report.measurements is not None and entry.report.measurements.inference


def test_the_folders_are_whole(comparison: Comparison, folder: Path) -> None:
    for name in ("net", "net/onnx", "net/executorch"):
        assert verify_manifest(folder / name) == ()
    assert len(list((folder / "net" / "onnx").glob("*.onnx"))) == 1
    assert len(list((folder / "net" / "executorch").glob("*.pte"))) == 1


@pytest.mark.parametrize("format", ["onnx", "executorch"])
def test_the_finished_file_is_measured_by_itself(comparison: Comparison, warm_shell: Shell, format: str) -> None:
    done = warm_shell.run("profile", f"net/{format}", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["measurements"]["inference"]


def test_a_plan_of_a_network_predicts_its_bytes(comparison: Comparison, warm_shell: Shell) -> None:
    done = warm_shell.run("plan", "mynet:make", "--format", "onnx", "--json")
    assert done.returncode == 0, done.stderr
    assert [candidate["scheme"] for candidate in json.loads(done.stdout)["candidates"]] == [
        "int8",
        "int8-dynamic",
        "fp32",
    ]


def test_a_network_generates_no_text(comparison: Comparison, warm_shell: Shell) -> None:
    done = warm_shell.run("run", "net/onnx", "hello")
    assert done.returncode == 2
    assert "generates no text" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mynet:broken",), "no weights today"),
        (("mynet:absent",), "absent"),
        (("mynet:make", "--format", "gguf"), "takes no network as gguf"),
        (("mynet:make", "--scheme", "Q4_K_M"), "Q4_K_M"),
        (("mynet:make", "--calibration", "nowhere"), "nowhere"),
        (("mynet:make", "--context", "64"), "--context is for language models"),
        (("mynet:make", "--suite", "quick"), "--suite is for language models"),
    ],
)
def test_a_wrong_network_or_flag_is_refused(
    folder: Path, warm_shell: Shell, arguments: tuple[str, ...], said: str
) -> None:
    done = warm_shell.run("build", *arguments, "-o", "never")
    assert done.returncode == 2, done.stdout
    assert said in " ".join(done.stderr.split())
    assert not (folder / "never").exists()
