"""How the runner ends when it cannot, or must not, go on."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from native_runner import LONGEST_S, Runner

from edgeshrink.errors import ToolMissing
from edgeshrink.toolchain.runner import compiling
from edgeshrink.toolchain.runner.installed import llama_headers, llama_libraries
from edgeshrink.toolchain.runner.program import SHIPPED

COMPUTE = ("--context", 256, "--threads", 1)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("info", "--wings", "2"),
        ("info", "--model"),
        ("bench", "--context", "256", "--threads", "1"),
        ("bench", "--model", "a.gguf", "--context", "256"),
        ("bench", "--model", "a.gguf", "--context", "many", "--threads", "1"),
        ("bench", "--model", "a.gguf", "--context", "1.5", "--threads", "1"),
        ("bench", "--model", "a.gguf", "--context", "0x10", "--threads", "1"),
        ("bench", "--model", "a.gguf", "--context", "256", "--threads", "0"),
        ("bench", "--model", "a.gguf", "--context", "256", "--threads", "1", "--prompts", "8,,9"),
        ("greedy", "--model", "a.gguf", "--context", "256", "--threads", "1", "--prompt-tokens", "4"),
        ("bandwidth",),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_2_with_one_line_on_stderr(runner: Runner, arguments: tuple[str, ...]) -> None:
    spoken = runner(*arguments)
    assert spoken.code == 2
    assert [(event["event"], event["code"]) for event in spoken.events] == [("error", "usage")]
    assert spoken.stderr == spoken.one("error")["what"] + "\n"


def test_missing_cpu_features_are_3_before_anything_else(tmp_path: Path) -> None:
    """Built by CMake, linked to the installed libraries."""
    try:
        kind, make = compiling.generator()
        cmake = compiling.cmake_program()
    except ToolMissing as error:
        pytest.skip(error.message)
    definitions = {
        "LLAMA_CPP": llama_headers().parent,
        "LLAMA_LIBS": llama_libraries(),
        "EDGESHRINK_REQUIRES": "nosuchfeature,nosuchother",
    }
    configure = [cmake, "-G", kind, *make, "-S", str(SHIPPED), "-B", str(tmp_path)]
    configure += [f"-D{name}={value}" for name, value in definitions.items()]
    for command in (configure, [cmake, "--build", str(tmp_path)]):
        subprocess.run(command, check=True, timeout=LONGEST_S, stdout=subprocess.DEVNULL)
    spoken = Runner(tmp_path / "edgeshrink-runner")("bench", "--nonsense")
    assert spoken.code == 3
    assert spoken.events == ({"event": "missing", "features": ["nosuchfeature", "nosuchother"]},)


def test_the_deadline_is_4_whatever_goes_on(runner: Runner, demo: Callable[[str], Path]) -> None:
    spoken = runner("bench", "--model", demo("Q8_0"), *COMPUTE, "--idle-s", 600, "--deadline-s", 0.3)
    assert spoken.code == 4
    assert [event["event"] for event in spoken.events] == ["hello", "memory"]


def test_a_reader_who_leaves_is_5(runner: Runner, demo: Callable[[str], Path]) -> None:
    with runner.start(
        "bench", "--model", demo("Q8_0"), *COMPUTE, "--sustain-s", 600, "--sample", "/proc/uptime"
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(LONGEST_S) == 5


def test_a_held_stdin_that_ends_is_5(runner: Runner, demo: Callable[[str], Path]) -> None:
    arguments = (*COMPUTE, "--sustain-s", 600, "--hold-stdin")
    with runner.start("bench", "--model", demo("Q8_0"), *arguments) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"whatever is said\n")
        process.stdin.flush()
        while b'"sustained"' not in process.stdout.readline():
            assert process.poll() is None
        process.stdin.close()
        assert process.wait(LONGEST_S) == 5


def test_without_hold_stdin_an_ended_stdin_means_nothing(runner: Runner) -> None:
    assert runner("info").code == 0  # stdin is /dev/null in all these tests


@pytest.mark.parametrize(("keep", "words"), [(0.5, "file bounds"), (0.01, ""), (0.0, "")])
def test_a_torn_file_is_an_error(
    runner: Runner, demo: Callable[[str], Path], tmp_path: Path, keep: float, words: str
) -> None:
    whole = demo("Q8_0").read_bytes()
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(whole[: int(keep * len(whole))])
    spoken = runner("bench", "--model", torn, *COMPUTE)
    assert spoken.code == 1
    assert spoken.one("error")["code"] == "model"
    assert str(torn) in spoken.one("error")["what"] and words in spoken.one("error")["what"]
    assert spoken.events[-1]["event"] == "error"


@pytest.mark.parametrize(
    "name", ["none.gguf", ".", "bad\xff.gguf".encode("latin-1").decode("utf-8", "surrogateescape")]
)
def test_what_is_no_file_is_an_error(runner: Runner, tmp_path: Path, name: str) -> None:
    spoken = runner("loads", "--model", tmp_path / name, *COMPUTE)
    assert spoken.code == 1
    assert spoken.one("error")["code"] == "model"


def test_tokens_that_do_not_fit_are_an_error(runner: Runner, demo: Callable[[str], Path]) -> None:
    spoken = runner("bench", "--model", demo("Q8_0"), *COMPUTE, "--depths", 250, "--decode", 7)
    assert (spoken.code, spoken.one("error")["code"]) == (1, "context")
    assert "257 tokens do not fit a context of 256" in spoken.one("error")["what"]


def test_memory_that_is_not_there_is_an_error(runner: Runner, demo: Callable[[str], Path]) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    spoken = runner("bench", "--model", demo("Q8_0"), "--context", 4_000_000, "--threads", 1, limit=limit)
    assert (spoken.code, spoken.one("error")["code"]) == (1, "memory")


def test_a_text_that_cannot_be_read_is_an_error(runner: Runner, demo: Callable[[str], Path], tmp_path: Path) -> None:
    spoken = runner("bench", "--model", demo("Q8_0"), *COMPUTE, "--text", tmp_path / "none.txt")
    assert (spoken.code, spoken.one("error")["code"]) == (1, "text")


def test_the_library_s_own_words_stay_off_stdout_and_stderr(runner: Runner, demo: Callable[[str], Path]) -> None:
    assert runner("bench", "--model", demo("Q8_0"), *COMPUTE).stderr == ""
    assert "llama" in runner("bench", "--model", demo("Q8_0"), *COMPUTE, "--verbose").stderr
