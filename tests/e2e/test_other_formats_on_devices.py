"""The real command, ONNX and .pte on devices: through a Python there, and through a vendor's ready runner."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from built_formats import build_format
from device_python import open_python
from lab.adb_device import AndroidDevice
from lab.device import LabDevice
from one_process import OneProcess
from shell import Shell
from tiny_models import write_tiny_model

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.request import Request
from edgeshrink.core.session import SessionOptions
from edgeshrink.engine.profile import profile
from edgeshrink.report.json import report_from_json

QUICK = ("--context", "128", "--prompt-tokens", "8", "--threads", "1")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from models.small_onnx import write_convolutions

    return write_convolutions(tmp_path_factory.mktemp("network") / "a network.onnx")


@pytest.fixture(scope="module")
def language_models(
    demo_model: Path, tmp_path_factory: pytest.TempPathFactory, one_process: OneProcess
) -> Callable[[str], Path]:
    """A tiny model in a format, built once."""
    folder = tmp_path_factory.mktemp("models")
    source = write_tiny_model(folder / "source", demo_model)

    def built(format: str) -> Path:
        for package in {"onnx": ("onnxruntime_genai", "onnxscript"), "executorch": ("executorch",)}[format]:
            pytest.importorskip(package)
        if not (folder / format).exists():
            with one_process.for_exporters():
                build_format(source, folder / format, format)
        return folder / format

    return built


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
    shell: Shell, x86_ssh_device: LabDevice, language_models: Callable[[str], Path], format: str
) -> None:
    model = language_models(format)
    python = open_python(x86_ssh_device)
    seen = measured(shell, model, "--device", x86_ssh_device.address, "--device-python", python, *QUICK)
    assert seen.device is not None
    assert seen.runtime.name == format
    assert seen.decode_tok_s.kind == "measured"
    assert seen.prefill[0].ttft_p50_ms.kind == "measured"
    assert seen.load_warm_ms.kind == "measured"
    assert "prompts are tokens of shipped text" in seen.notes
    assert not x86_ssh_device.wait_until_clean()


def test_what_the_given_python_lacks_is_said_with_the_command_that_brings_it(
    shell: Shell, x86_ssh_device: LabDevice, network: Path, tmp_path: Path
) -> None:
    python = open_python(x86_ssh_device)
    x86_ssh_device.plant("/usr/local/bin/bare-python", f'#!/bin/sh\nexec {python} -S "$@"\n', mode=0o755)
    asked = ("profile", network, "--device", x86_ssh_device.address, "--device-python")
    done = shell.run(*asked, "/usr/local/bin/bare-python")
    assert done.returncode == 2
    assert "lacks" in done.stderr and "-m pip install" in done.stderr and "onnxruntime==" in done.stderr
    done = shell.run(*asked, "/not/there/python")
    assert done.returncode == 2
    assert "/not/there/python does not run" in done.stderr
    assert not x86_ssh_device.wait_until_clean()


def test_no_python_is_brought_to_a_device_without_a_yes(shell: Shell, x86_ssh_device: LabDevice, network: Path) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        x86_ssh_device.plant(f"/usr/local/bin/{name}", "#!/bin/sh\nexit 1\n", mode=0o755)
    done = shell.run("profile", network, "--device", x86_ssh_device.address)
    assert done.returncode == 2
    assert "has Python none" in done.stderr and "uv" in done.stderr and "--yes" in done.stderr
    assert not x86_ssh_device.wait_until_clean()


def test_ctrl_c_ends_the_python_there_and_its_children(shell: Shell, x86_ssh_device: LabDevice, network: Path) -> None:
    python = open_python(x86_ssh_device)
    process = shell.start("profile", network, "--device", x86_ssh_device.address, "--device-python", python)
    said = interrupt_once_there(shell, process, x86_ssh_device, "edgeshrink.runtimes.child")
    assert process.returncode == 130, said
    assert not x86_ssh_device.wait_until_clean()


def interrupt_once_there(shell: Shell, process: subprocess.Popen[str], device: LabDevice, word: str) -> str:
    return shell.interrupt(
        process,
        once=lambda: any(word in line for line in device.processes()),
        otherwise=f"nothing with {word} ran there",
    )


# Vendors' runners. None of them is in a wheel: what stands in speaks as they do. `llama_main` is a main around the
# runner library of ExecuTorch that the wheel does have, and which prints the figures.

_LLAMA_MAIN = """#!{python}
import sys
words = dict(word.removeprefix("--").partition("=")[::2] for word in sys.argv[1:])
if "help" in words:
    print("  Flags from /src/examples/models/llama/main.cpp:")
    print("    -prompt_file -max_new_tokens -cpu_threads -temperature -warmup -ignore_eos")
    sys.exit(1)
import torch
from edgeshrink.runtimes.executorch_library import library
library()
from executorch.extension.llm.runner import _llm_runner
config = _llm_runner.GenerationConfig()
config.max_new_tokens, config.temperature = int(words["max_new_tokens"]), float(words["temperature"])
with open(words["prompt_file"], encoding="utf-8") as file:
    prompt = file.read()
_llm_runner.TextLLMRunner(words["model_path"], words["tokenizer_path"]).generate(prompt, config, None, None)
"""


def standing_in(folder: Path, name: str, recorded: Path, *, shell: str = "/bin/sh", tail: str = "") -> Path:
    """A runner that says what a real one said elsewhere, and then goes on with `tail`."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    said = recorded.read_text().replace("'", "'\\''")
    program.write_text(f"#!{shell}\nprintf '%s' '{said}'\n{tail}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def recorded(repository: Path) -> Path:
    return repository / "tests" / "recorded" / "vendor"


def test_executorchs_own_runner_measures_a_language_model(
    x86_ssh_device: LabDevice,
    language_models: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgeshrink.measure.device.vendor.session.TOP_UP_S", 0.0)
    model = language_models("executorch")
    runner = tmp_path / "llama_main"
    runner.write_text(_LLAMA_MAIN.format(python=open_python(x86_ssh_device)))
    runner.chmod(0o755)
    options = SessionOptions(vendor_runner=str(runner), prompt_tokens=(16,))
    request = Request(device=x86_ssh_device.address, context=64, threads=1, session=options)
    seen = profile(model, request).measurements
    assert seen is not None
    assert seen.device is not None
    # Its tokenizer counts as edgeshrink does; the budget's own length does not fit the context.
    prefill = next(point for point in seen.prefill if point.prompt_tokens == 16)
    assert prefill.ttft_p50_ms.kind == "measured"
    assert seen.decode_tok_s.kind == "measured" and seen.decode_tok_s.value > 1
    assert seen.load_warm_ms.kind == "measured"
    assert seen.memory.peak_rss_bytes.kind == "unmeasured", "looks from outside show no peak"
    assert re.match(r"at least \d{2,4} MiB: \d+ looks", seen.memory.peak_rss_bytes.reason)
    assert seen.memory.timeline[-1].anon_bytes > 20 << 20
    assert seen.runtime.backend == "unknown"
    assert seen.inter_token_p99_ms.kind == "unmeasured" and "llama_main does not say" in seen.inter_token_p99_ms.reason
    assert seen.power is not None and seen.power.origin == "unavailable"
    assert any(note.startswith("measured by llama_main (") for note in seen.notes)
    assert not x86_ssh_device.wait_until_clean()


def test_onnxruntimes_benchmark_on_a_phone(
    shell: Shell, adb_device: AndroidDevice, network: Path, tmp_path: Path, recorded: Path
) -> None:
    runner = standing_in(
        tmp_path, "onnxruntime_perf_test", recorded / "perf_test_cobalt.txt", shell="/system/bin/sh", tail="sleep 1"
    )
    seen = measured(shell, network, "--device", adb_device.address, "--vendor-runner", runner)
    (point,) = seen.inference
    assert point.p50_ms.kind == "measured" and point.p50_ms.value == pytest.approx(1.85674)
    assert point.p99_ms.kind == "measured" and point.p99_ms.n == 100
    assert seen.load_warm_ms.kind == "measured" and seen.load_warm_ms.value == pytest.approx(10.2016)
    assert seen.memory.peak_rss_bytes.kind == "measured" and seen.memory.timeline
    assert any("is a script" in note for note in seen.notes)
    assert not adb_device.wait_until_clean()


def test_a_runner_that_lies_on_the_device_is_called_there_and_stays(
    shell: Shell, x86_ssh_device: LabDevice, network: Path, tmp_path: Path, recorded: Path
) -> None:
    runner = standing_in(tmp_path, "onnxruntime_perf_test", recorded / "perf_test_sme2.txt")
    x86_ssh_device.plant("/opt/vendor/onnxruntime_perf_test", runner.read_text(), mode=0o755)
    seen = measured(
        shell,
        network,
        "--device",
        x86_ssh_device.address,
        "--vendor-runner",
        "device:/opt/vendor/onnxruntime_perf_test",
    )
    assert seen.inference[0].p50_ms.kind == "measured"
    assert seen.inference[0].p95_ms.kind == "unmeasured", "five runs have no p95"
    assert seen.runtime.build_id == hashlib.sha256(runner.read_bytes()).hexdigest()
    assert "measured by onnxruntime_perf_test (device:/opt/vendor/onnxruntime_perf_test)" in " ".join(seen.notes)
    assert not x86_ssh_device.wait_until_clean()


def test_ctrl_c_ends_a_vendors_runner(
    shell: Shell, x86_ssh_device: LabDevice, network: Path, tmp_path: Path, recorded: Path
) -> None:
    runner = standing_in(
        tmp_path,
        "onnxruntime_perf_test",
        recorded / "perf_test_sme2.txt",
        tail="case $* in *--help*) ;; *) exec sleep 77;; esac",
    )
    process = shell.start("profile", network, "--device", x86_ssh_device.address, "--vendor-runner", runner)
    said = interrupt_once_there(shell, process, x86_ssh_device, "sleep 77")
    assert process.returncode == 130, said
    assert not x86_ssh_device.wait_until_clean()


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("kill -9 $$", "was killed, most likely by its out-of-memory killer"),
        ("echo no such operator >&2; exit 3", "ended with status 3"),
    ],
)
def test_a_runner_that_fails_says_why(
    shell: Shell, x86_ssh_device: LabDevice, network: Path, tmp_path: Path, recorded: Path, tail: str, words: str
) -> None:
    tail = f"case $* in *--help*) ;; *) sleep 0.5; {tail} ;; esac"
    runner = standing_in(tmp_path, "onnxruntime_perf_test", recorded / "perf_test_sme2.txt", tail=tail)
    done = shell.run("profile", network, "--device", x86_ssh_device.address, "--vendor-runner", runner)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert not x86_ssh_device.wait_until_clean()


def test_a_program_of_this_machine_is_refused_on_a_phone(
    shell: Shell, adb_device: AndroidDevice, network: Path, tmp_path: Path
) -> None:
    runner = tmp_path / "onnxruntime_perf_test"
    runner.write_bytes(Path("/bin/true").resolve().read_bytes())
    done = shell.run("profile", network, "--device", adb_device.address, "--vendor-runner", runner)
    assert done.returncode == 2
    assert "is built for" in done.stderr or "Android has no glibc" in done.stderr
    assert not adb_device.wait_until_clean()


def test_another_program_is_no_runner(shell: Shell, x86_ssh_device: LabDevice, network: Path) -> None:
    done = shell.run("profile", network, "--device", x86_ssh_device.address, "--vendor-runner", "device:/bin/ls")
    assert done.returncode == 2
    assert "ls is no runner that edgeshrink can call" in done.stderr and "llama_main" in done.stderr
    assert not x86_ssh_device.wait_until_clean()


def test_android_without_a_runner_is_told_of_the_flag(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "network.onnx").write_bytes(b"not looked into")
    done = shell.run("profile", tmp_path / "network.onnx", "--device", "adb:0123")
    assert done.returncode == 2
    assert "no wheels for Android" in done.stderr and "--vendor-runner" in done.stderr


@pytest.mark.parametrize(
    ("file", "flags", "words"),
    [
        ("a.onnx", ("--device", "local", "--vendor-runner", "/not/there"), "there is no such file"),
        ("a.onnx", ("--device", "local", "--vendor-runner", "device:relative"), "no path on a device"),
        ("a.gguf", ("--device", "adb:1", "--vendor-runner", "device:/x/llama_main"), "is for .onnx and .pte"),
        ("a.onnx", ("--vendor-runner", "device:/x/onnxruntime_perf_test"), "is for --device"),
        ("a.onnx", ("--device", "adb:1", "--vendor-runner", "device:/x/llama_main"), "runs language models"),
    ],
)
def test_a_runner_that_cannot_be_meant_is_refused_before_any_work(
    shell: Shell, tmp_path: Path, file: str, flags: tuple[str, ...], words: str
) -> None:
    (tmp_path / file).write_bytes(b"not looked into")
    done = shell.run("profile", tmp_path / file, *flags)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
