"""The vendors' runners that edgeshrink can call."""

from __future__ import annotations

from edgeshrink.errors import DeviceError
from edgeshrink.measure.device.vendor.executor_runner import ExecutorRunner
from edgeshrink.measure.device.vendor.interface import VendorRunner
from edgeshrink.measure.device.vendor.llama_main import LlamaMain
from edgeshrink.measure.device.vendor.model_benchmark import ModelBenchmark
from edgeshrink.measure.device.vendor.perf_test import PerfTest

RUNNERS: tuple[VendorRunner, ...] = (LlamaMain(), ExecutorRunner(), PerfTest(), ModelBenchmark())


def known(name: str, help: str = "") -> VendorRunner | None:
    """The runner that a file of that name is; by its name first, as another's help may tell of it."""
    by_name = next((runner for runner in RUNNERS if runner.recognises(name, "")), None)
    return by_name or next((runner for runner in RUNNERS if runner.recognises("", help)), None)


def check_fit(runner: VendorRunner, format: str, *, network: bool) -> None:
    """DeviceError where `runner` runs another format, or another kind of model."""
    if (runner.format, runner.network) == (format, network):
        return
    fitting = [other.name for other in RUNNERS if (other.format, other.network) == (format, network)]
    kind = "a network" if network else "a language model"
    runs = f"{'networks' if runner.network else 'language models'} in {runner.format}"
    raise DeviceError(
        f"{runner.name} runs {runs}, and this is {kind} in {format}",
        hint=f"the runner for it is {' or '.join(fitting)}" if fitting else "no vendor's runner is known for it",
    )


def unknown(name: str, said: str) -> DeviceError:
    """The error for a program that is none of them; `said`: its last words to --help."""
    return DeviceError(
        f"{name} is no runner that edgeshrink can call",
        hint=f"it can call {', '.join(runner.name for runner in RUNNERS)}; to --help it said: {said}",
    )
