"""The real command, ONNX and .pte on devices: through a Python there, and through a vendor's ready runner."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from built_formats import build_format
from device_python import open_python
from lab.device import LabDevice
from shell import Shell

from edgeshrink.core.measurement import Measurements
from edgeshrink.report.json import report_from_json

QUICK = ("--context", "128", "--prompt-tokens", "8", "--threads", "1")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from models.small_onnx import write_convolutions

    return write_convolutions(tmp_path_factory.mktemp("network") / "a network.onnx")


def measured(shell: Shell, *arguments: str | Path) -> Measurements:
    done = shell.run("profile", *arguments, "--json")
    assert done.returncode in (0, 1), done.stderr
    seen = report_from_json(done.stdout).measurements
    assert seen is not None
    return seen


def test_a_network_in_onnx_runs_in_a_python_of_the_device(
    shell: Shell, x86_ssh_device: LabDevice, network: Path
) -> None:
    python = open_python(x86_ssh_device)
    seen = measured(shell, network, "--device", x86_ssh_device.address, "--device-python", python, "--threads", "1")
    assert seen.device is not None and seen.device.address == x86_ssh_device.address
    assert seen.runtime.name == "onnx"
    assert seen.inference[0].p99_ms.kind == "measured"
    assert seen.memory.peak_rss_bytes.kind == "measured"
    assert seen.power is not None
    assert not x86_ssh_device.wait_until_clean()


@pytest.mark.parametrize("format", ["onnx", "executorch"])
def test_a_language_model_runs_in_a_python_of_the_device(
    shell: Shell, x86_ssh_device: LabDevice, demo_model: Path, tmp_path: Path, format: str
) -> None:
    for package in {"onnx": ("onnxruntime_genai", "onnxscript"), "executorch": ("executorch",)}[format]:
        pytest.importorskip(package)
    model = build_format(demo_model, tmp_path / "model", format).parent
    python = open_python(x86_ssh_device)
    seen = measured(shell, model, "--device", x86_ssh_device.address, "--device-python", python, *QUICK)
    assert seen.device is not None
    assert seen.runtime.name == format
    assert seen.decode_tok_s.kind == "measured"
    assert seen.prefill[0].ttft_p50_ms.kind == "measured"
    assert seen.load_warm_ms.kind == "measured"
    assert "prompts are tokens of shipped text" in seen.notes
    assert not x86_ssh_device.wait_until_clean()
