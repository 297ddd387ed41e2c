"""The table of commands, and the one place where an Error becomes an exit code."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TextIO

import click

from edgeshrink import __version__
from edgeshrink.commands.stopping import Stopping, stopping
from edgeshrink.errors import Error

_COMMANDS = {
    "targets": "targets and device profiles, each with its budget",
    "plan": "what fits, before any work",
    "build": "take a model to a measured, judged file",
    "prune": "a smaller model of the same family, cut where it hurts least, and healed",
    "distill": "a student learns from a teacher; what it learnt and lost, slice by slice",
    "run": "say something with what was built",
    "evaluate": "what compression broke, slice by slice, and whether that may ship",
    "compare": "two artifacts or reports: quality, size, speed and memory, for a CI job",
    "bundle": "what an app takes in: plain files, archives, licences, a signature",
    "rebuild": "make a bundle again and compare every byte",
    "delta": "the patch that makes one build from another",
    "apply": "make the new build from the old one and a patch",
    "profile": "measure an artifact, here or on attached devices, and judge it",
    "devices": "what is attached, and which profile each matches",
    "verify": "prove that a bundle is what was built, measured and signed",
    "keys": "make keys to sign bundles with",
    "doctor": "what works here, what does not, and the fix",
    "cache": "what the store holds, and why a step ran",
}

_GO_ON = ("build", "prune", "distill", "profile", "evaluate", "compare")


class _LazyGroup(click.Group):
    """Imports a command's module only when that command is called or asked for its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"edgeshrink.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgeshrink")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; may stand anywhere.")
def root(debug: bool) -> None:
    """Take a model to a device: plan, quantize, prove, measure and judge it against the device's budget."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0, 1, 2 (error), or of a signal.

    1 is a budget line that failed, a bundle that is not as signed or not the same when made again; 130 is Ctrl-C, 143
    SIGTERM, 129 SIGHUP.
    """
    with stopping() as stop:
        code = _run(arguments, stop)
    sys.exit(code)


def _run(arguments: Sequence[str] | None, stop: Stopping) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        code = root.main([word for word in given if word != "--debug"], prog_name="edgeshrink", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(given, stop)
    except BrokenPipeError:
        if stop.number:
            return _interrupted(given, stop)
        # Whoever read the output has gone; nothing is wrong with the work.
        _into_the_void(sys.stdout)
        code = 0
    except Exception as error:
        if stop.number:  # of what it broke off, or of a terminal that is closed
            return _interrupted(given, stop)
        _tell(error, debug)
        code = 2
    return code if isinstance(code, int) else 0


def _interrupted(given: Sequence[str], stop: Stopping) -> int:
    verb = next((word for word in given if not word.startswith("-")), "")
    again = ": run the same command again, and it goes on from the last finished step" if verb in _GO_ON else ""
    try:
        click.echo(f"interrupted{again}", err=True)
    except OSError:  # its terminal was closed
        _into_the_void(sys.stdout, sys.stderr)
    return stop.exit_code


def _into_the_void(*streams: TextIO) -> None:
    """What is still to be written there would be an error of its own at exit."""
    for stream in streams:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tell(error: Exception, debug: bool) -> None:
    """An error of ours or of the system in a sentence; anything else is a mistake of ours and shows where."""
    if isinstance(error, Error):
        message, hint = error.message, error.hint
    elif isinstance(error, OSError) and error.strerror:
        message, hint = f"{error.filename or 'the system'}: {error.strerror}", ""
    else:
        message, hint, debug = f"{type(error).__name__}: {error}", "this is a bug in edgeshrink: please report it", True
    if debug:
        traceback.print_exception(error)
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"  try: {hint}", err=True)
