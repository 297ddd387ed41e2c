"""`python -m <this package> "question"`, and about, check, serve, ask."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from .about import read_about
from .digests import check_files
from .engine import require_engine
from .errors import BundleError
from .model import HERE, Model, load

_FAILED, _INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, 1 where something is wrong (said on stderr), 2 for a wrong command line, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands: dict[str, Callable[[argparse.Namespace], None]] = {
        "answer": _answer,
        "about": _about,
        "check": _check,
        "serve": _serve,
        "ask": _ask,
    }
    options = _parser().parse_args(_with_command(given, commands))
    try:
        commands[options.command](options)
    except BundleError as error:
        sys.stderr.write(f"{type(error).__name__}: {_plain(str(error))}\n")
        return _FAILED
    except OSError as error:
        sys.stderr.write(f"{_plain(str(error))}\n")
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _with_command(given: list[str], commands: Iterable[str]) -> list[str]:
    """A question alone is answered: `--bundle F "question"` is `--bundle F answer "question"`."""
    at = 2 if given[:1] == ["--bundle"] else 0
    word = given[at] if len(given) > at else ""
    return given if word in (*commands, "-h", "--help") else [*given[:at], "answer", *given[at:]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description="Ask the model of this bundle.")
    parser.add_argument("--bundle", type=Path, default=HERE, help="a bundle's folder; the one in this package")
    verbs = parser.add_subparsers(dest="command", required=True)
    answer = verbs.add_parser("answer", help="answer one question (also without this word)")
    answer.add_argument("question", nargs="?", help="read from stdin when left out")
    serve = verbs.add_parser("serve", help="answer over a Unix socket")
    serve.add_argument("--socket", type=Path, help="its path; a socket that systemd passes comes first")
    for verb in (answer, serve):
        verb.add_argument("--max-tokens", type=int, default=256)
        verb.add_argument("--temperature", type=float, default=0.0)
        verb.add_argument("--threads", type=int)
        verb.add_argument("--context", type=int)
        verb.add_argument("--adapter", type=Path, help="the folder of an adapter's bundle")
    verbs.add_parser("about", help="the bundle's facts, as JSON")
    verbs.add_parser("check", help="read every file again, and look at the engine")
    ask = verbs.add_parser("ask", help="put a question to a model that is served")
    ask.add_argument("--socket", type=Path, required=True)
    ask.add_argument("question", nargs="?", help="read from stdin when left out")
    return parser


def _answer(options: argparse.Namespace) -> None:
    question = _question(options)
    with _load(options) as model:
        with _native_errors_hidden():  # a tokenizer is opened when a question first needs it
            pieces = model.stream(question, max_tokens=options.max_tokens, temperature=options.temperature)
        _write(pieces)


def _about(options: argparse.Namespace) -> None:
    facts = dataclasses.asdict(read_about(options.bundle))
    sys.stdout.write(json.dumps(facts, indent=2, ensure_ascii=True) + "\n")


def _check(options: argparse.Namespace) -> None:
    about = read_about(options.bundle)
    checked = check_files(options.bundle, about, again=True)
    require_engine(about)
    sys.stdout.write(
        f"{_plain(about.name)} {_plain(about.version)}: {checked.read} files are what was measured, and "
        f"{about.engine.package} {about.engine.version} is installed\n"
    )


def _serve(options: argparse.Namespace) -> None:
    from .serving import serve, supported

    if not supported():
        raise BundleError("there are no Unix sockets here")
    with _load(options) as model:
        serve(model, options.socket, max_tokens=options.max_tokens, temperature=options.temperature)


def _ask(options: argparse.Namespace) -> None:
    from .serving import ask

    _write(ask(options.socket, _question(options)))


def _load(options: argparse.Namespace) -> Model:
    with _native_errors_hidden():
        return load(options.bundle, threads=options.threads, context=options.context, adapter=options.adapter)


@contextlib.contextmanager
def _native_errors_hidden() -> Iterator[None]:
    """Keep off the screen what the engine's libraries write on stderr as they open files; what goes wrong is raised."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # stderr is closed: nothing to hide
            kept = os.dup(2)
            stack.callback(os.close, kept)
            with Path(os.devnull).open("wb") as nothing:
                os.dup2(nothing.fileno(), 2)
            stack.callback(os.dup2, kept, 2)
        yield


def _question(options: argparse.Namespace) -> str:
    return options.question if options.question is not None else sys.stdin.read().removesuffix("\n")


def _write(pieces: Iterable[str]) -> None:
    for piece in pieces:
        sys.stdout.write(_plain(piece, keep="\n\t"))
        sys.stdout.flush()
    sys.stdout.write("\n")


def _plain(text: str, keep: str = "") -> str:
    """Without what could steer a terminal."""
    return "".join(
        letter if letter in keep or unicodedata.category(letter) not in ("Cc", "Cs") else "\ufffd" for letter in text
    )


if __name__ == "__main__":
    sys.exit(main())
