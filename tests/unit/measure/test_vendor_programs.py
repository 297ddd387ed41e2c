"""The vendor's program: what is named, what is refused before it is brought, and what is seen of its memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import device_lines as lines
import pytest
from lab.programs import arm64_program

from edgeshrink.errors import DeviceError, UsageError
from edgeshrink.measure.device.vendor.program import check_program, is_script, named_program
from edgeshrink.measure.device.vendor.prompt import prompt_of
from edgeshrink.measure.device.vendor.watched import _WATCH, Look


def test_a_path_on_the_device_is_a_whole_one() -> None:
    program = named_program("device:/data/local/tmp/llama_main")
    assert (program.name, program.on_device) == ("llama_main", True)
    assert program.place == "device:/data/local/tmp/llama_main"
    with pytest.raises(UsageError, match="no path on a device"):
        named_program("device:llama_main")
    with pytest.raises(UsageError, match="there is no such file"):
        named_program("/not/there/llama_main")


@pytest.fixture
def glibc_program() -> str:
    python = Path(sys.executable).resolve()
    if "ld-linux" not in python.read_bytes()[:4096].decode("latin-1"):
        pytest.skip("this Python has no glibc loader")
    return str(python)


def test_a_glibc_program_is_refused_for_android_before_it_is_brought(glibc_program: str) -> None:
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()
    program = named_program(glibc_program)
    check_program(program, lines.device(machine=machine))
    with pytest.raises(DeviceError, match="Android has no glibc and not its loader") as caught:
        check_program(program, lines.device(machine=machine, system="android"))
    assert "NDK" in caught.value.hint
    with pytest.raises(DeviceError, match=f"built for {machine}, and ssh:me@board is riscv64"):
        check_program(program, lines.device(machine="riscv64"))


def test_a_static_program_goes_to_any_system_of_its_machine(tmp_path: Path) -> None:
    file = tmp_path / "llama_main"
    file.write_bytes(arm64_program("none"))
    for system in ("linux", "android"):
        check_program(named_program(str(file)), lines.device(system=system))
    assert not is_script(named_program(str(file)))


def test_a_script_is_known_for_one(tmp_path: Path) -> None:
    file = tmp_path / "llama_main"
    file.write_text("#!/bin/sh\n")
    check_program(named_program(str(file)), lines.device())
    assert is_script(named_program(str(file)))


def watched(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    call = ["sh", "-c", _WATCH, "sh", "said.txt", *argv]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)


def test_memory_is_read_from_outside_and_the_status_is_the_programs(tmp_path: Path) -> None:
    hold = "import time; held = bytearray(64 << 20); print('held', flush=True); time.sleep(0.7); raise SystemExit(9)"
    done = watched(tmp_path, sys.executable, "-c", hold)
    looks = [look for line in done.stdout.splitlines() if (look := Look.read(line))]
    assert done.returncode == 9
    assert (tmp_path / "said.txt").read_text() == "held\n"
    assert len(looks) >= 3
    peak = max(look.hwm or 0 for look in looks)
    assert 64 << 20 < peak < 128 << 20
    assert max(look.anon or 0 for look in looks) > 64 << 20
    assert all(look.at_s is not None for look in looks)


def test_a_program_that_is_killed_says_so_as_a_shell_does(tmp_path: Path) -> None:
    assert watched(tmp_path, "sh", "-c", "kill -9 $$").returncode == 137
    assert watched(tmp_path, "./not-there").returncode == 127


def test_the_watch_ends_its_program_with_itself(tmp_path: Path) -> None:
    call = ["sh", "-c", _WATCH, "sh", "said.txt", "sh", "-c", "echo $$; exec sleep 60"]
    with subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = tmp_path / "said.txt"
        while process.stdout.readline() and not (said.exists() and said.read_text()):
            pass
        number = said.read_text().strip()
        process.terminate()
        process.wait(10)
    state = Path(f"/proc/{number}/stat")
    assert not state.exists() or state.read_text().split(")")[1].split()[0] == "Z"


@pytest.mark.parametrize(
    "line", ["", "1 2 3", "1.0 - - - -", "x - - - - -", "1.0 1e9 - - - -", "1.0 " + "9" * 13 + " - - - -"]
)
def test_other_lines_are_no_looks(line: str) -> None:
    assert Look.read(line) is None


def test_a_system_that_does_not_split_memory_shows_what_it_has() -> None:
    look = Look.read("12.34 100 90 - - -")
    assert look == Look(12.34, 100 << 10, 90 << 10, None, None)
    assert Look.read("- - - - - -") == Look(None, None, None, None, None)


@pytest.mark.parametrize("tokens", [1, 7, 64, 300])
def test_a_prompt_has_the_tokens_that_were_asked_for(demo_model: Path, tokens: int) -> None:
    from tokenizers import Tokenizer

    text = prompt_of(demo_model, tokens)
    counted = Tokenizer.from_file(str(demo_model / "tokenizer.json")).encode(text, add_special_tokens=False)
    assert len(counted.ids) == tokens


def test_without_a_tokenizer_a_prompt_is_about_as_long(tmp_path: Path) -> None:
    assert len(prompt_of(tmp_path, 100)) == 400
