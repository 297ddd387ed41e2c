"""The options of a session on an attached device, and the values they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from edgeshrink.commands.ranges import FiniteRange
from edgeshrink.core.session import CoolDown, SessionOptions
from edgeshrink.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
_COOL_DOWN = re.compile(r"(\d+(?:\.\d+)?)(C|s|min)")
_HINT = "45C (until no sensor is hotter), 60s or 2min"
_ON_A_DEVICE = (
    "repetitions", "decode_tokens", "prompt_tokens", "depths", "cool_down", "sustain", "keep", "device_python",
    "vendor_runner", "no_mmap",
)  # fmt: skip


def session_options(function: F) -> F:
    """How the session is held: repetitions, lengths, depths, cool-down, sustained run."""
    for option in (
        click.option(
            "--no-mmap", is_flag=True, help="On a device: read the weights into memory instead of mapping the file."
        ),
        click.option(
            "--sustain",
            type=FiniteRange(min=0.0, max=240.0),
            default=0.0,
            metavar="MINUTES",
            help="On a device: decode on for so long; speed and temperature over time, throttling named.",
        ),
        click.option(
            "--cool-down", metavar="45C|60s", help="On a device: wait before measuring until it is cool, or so long."
        ),
        click.option(
            "--depths", metavar="N,N", help="On a device: also time decode with so many tokens in the context."
        ),
        click.option("--prompt-tokens", metavar="N,N", help="On a device: prompt lengths to time beside the budget's."),
        click.option(
            "--decode-tokens",
            type=click.IntRange(1, 100_000),
            default=128,
            show_default=True,
            help="On a device: tokens decoded in each repetition.",
        ),
        click.option(
            "--repetitions",
            type=click.IntRange(5, 1000),
            default=5,
            show_default=True,
            help="On a device: how often each prompt length and depth is timed.",
        ),
        click.option(
            "--device-python",
            metavar="PATH",
            help="For ONNX and .pte: a Python on the device with the pinned runtimes.",
        ),
        click.option(
            "--vendor-runner",
            metavar="PATH|device:PATH",
            help="For ONNX and .pte: llama_main, executor_runner, onnxruntime_perf_test or model_benchmark, built for "
            "the device: a file here, or one that lies there.",
        ),
        click.option(
            "--keep",
            is_flag=True,
            help="Leave runner and model on the device for the next session; else nothing stays.",
        ),
        click.option(
            "--judge-anyway",
            is_flag=True,
            help="Judge speed and power although the device is emulated or not the profile's.",
        ),
    ):
        function = option(function)
    return function


def taken_options(arguments: dict[str, Any]) -> SessionOptions:
    """Takes what `session_options` gave out of `arguments`."""
    return SessionOptions(
        repetitions=arguments.pop("repetitions"),
        decode_tokens=arguments.pop("decode_tokens"),
        prompt_tokens=_numbers(arguments.pop("prompt_tokens"), "--prompt-tokens", least=1),
        depths=_numbers(arguments.pop("depths"), "--depths", least=0),
        cool_down=_cool_down(arguments.pop("cool_down")),
        sustain_s=60.0 * arguments.pop("sustain"),
        keep=arguments.pop("keep"),
        python=arguments.pop("device_python"),
        mapped=not arguments.pop("no_mmap"),
        vendor_runner=arguments.pop("vendor_runner"),
    )


def refuse_without_device() -> None:
    """UsageError where an option of a session on a device was given, and no device."""
    refuse(_ON_A_DEVICE, "is for --device", hint="--device local measures here, through the native runner")


def refuse(names: Sequence[str], why: str, *, hint: str = "leave it out") -> None:
    """UsageError where one of these parameters stands on the command line."""
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in names and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"{parameter.opts[-1]} {why}", hint=hint)


def _numbers(text: str | None, flag: str, *, least: int) -> tuple[int, ...]:
    words = text.split(",") if text else []
    if not all(re.fullmatch(r"\d{1,7}", word.strip()) and int(word) >= least for word in words):
        raise click.BadParameter(f"{text!r}: {flag} takes whole numbers from {least}, as 128,512")
    return tuple(dict.fromkeys(int(word) for word in words))


def _cool_down(text: str | None) -> CoolDown:
    if text is None:
        return CoolDown()
    match = _COOL_DOWN.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no cool-down: {_HINT}")
    value, unit = float(match[1]), match[2]
    return CoolDown(celsius=value) if unit == "C" else CoolDown(seconds=60 * value if unit == "min" else value)
