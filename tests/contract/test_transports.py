"""What every way to a device promises: local, ssh and adb alike."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from device_links import Link, Stop, some_file

from edgeshrink.errors import DeviceError, DeviceLost

# A command


@pytest.mark.parametrize(
    "word",
    ["", "two words", "'", '"', "a\nb", "$(id) `id` $HOME", "\\n*?[a-z]", "zwölf € 日本", "-n", "#x", "!", ";&|<>"],
)
def test_every_word_arrives_as_it_is_given(link: Link, word: str) -> None:
    assert link.transport.run(("printf", "<%s>", word, "end")).stdout == f"<{word}><end>"


def test_the_exit_status_is_the_programs(link: Link) -> None:
    for status in (0, 1, 3, 126, 127, 255):
        assert link.transport.run(("sh", "-c", f"exit {status}")).status == status


def test_a_program_that_a_signal_ended_has_128_and_its_number(link: Link) -> None:
    for name, number in (("KILL", 9), ("ILL", 4), ("SEGV", 11)):
        assert link.transport.run(("sh", "-c", f"kill -{name} $$")).status == 128 + number


def test_a_program_that_is_not_there_or_may_not_run_is_told_apart(link: Link) -> None:
    assert link.transport.run(("no-such-program-anywhere",)).status == 127
    assert link.transport.run(("/etc",)).status == 126


def test_stdout_and_stderr_stay_apart(link: Link) -> None:
    done = link.transport.run(("sh", "-c", "printf out; printf err >&2; echo more; exit 3"))
    assert (done.status, done.stdout) == (3, "outmore\n")
    assert done.stderr == "err"


def test_stdin_arrives_whole_and_ends(link: Link) -> None:
    data = bytes(range(1, 255)) * 2000
    assert link.transport.run(("sha256sum",), stdin=data).stdout.split()[0] == hashlib.sha256(data).hexdigest()
    assert link.transport.run(("cat",)).stdout == ""


def test_a_program_that_does_not_read_its_stdin_ends_all_the_same(link: Link) -> None:
    assert link.transport.run(("sh", "-c", "exec <&-; exit 4"), stdin=b"x" * 3_000_000).status == 4


def test_undecodable_bytes_are_replaced(link: Link) -> None:
    assert link.transport.run(("printf", r"a\377b\n")).stdout == "a\ufffdb\n"


def test_lines_come_while_the_program_runs_and_the_last_needs_no_newline(link: Link) -> None:
    lines: list[str] = []

    def stop_at_second(line: str) -> None:
        lines.append(line)
        if line == "second":
            raise Stop

    with pytest.raises(Stop):  # the program never ends by itself while its stdin is held
        link.transport.run(
            ("sh", "-c", "echo first; echo second; cat; echo third"), hold_stdin=True, on_line=stop_at_second
        )
    assert lines == ["first", "second"]
    lines.clear()
    done = link.transport.run(("printf", r"a\n\nb"), on_line=lines.append)
    assert lines == ["a", "", "b"]
    assert done.stdout == ""


def test_a_program_with_held_stdin_sees_its_end_when_the_client_is_ended(link: Link) -> None:
    sign = f"{link.folder}/saw-the-end"

    def stop(_: str) -> None:
        raise Stop

    with pytest.raises(Stop):
        script = f"trap '' TERM HUP; echo here; cat; : > {sign}"
        link.transport.run(("sh", "-c", script), hold_stdin=True, on_line=stop)
    if link.device is None:
        return  # the program is the client, and ends as such
    end = time.monotonic() + 20
    while not link.is_there(sign) and time.monotonic() < end:
        time.sleep(0.1)
    assert link.transport.run(("rm", sign)).status == 0


def test_more_output_than_allowed_is_refused_and_the_program_ends(link: Link) -> None:
    with link.workspace() as workspace:
        for script in ("exec yes", "exec yes >&2"):
            with pytest.raises(DeviceError, match="more than 100000 bytes"):
                workspace.run(("sh", "-c", script), on_line=lambda _: None, limit_bytes=100_000)
            link.wait_for_no_process()


def test_a_command_that_does_not_end_and_one_that_falls_silent_are_lost(link: Link) -> None:
    with pytest.raises(DeviceLost, match=r"no end after 0\.5 s"):
        link.transport.run(("cat",), hold_stdin=True, timeout_s=0.5)
    with pytest.raises(DeviceLost, match=r"silent for 0\.5 s"):
        link.transport.run(("sh", "-c", "echo once; exec cat"), hold_stdin=True, silence_s=0.5)
    link.wait_for_no_process()
    assert link.transport.run(("echo", "still here")).stdout == "still here\n"


def test_closing_twice_is_allowed(link: Link) -> None:
    link.transport.close()
    link.transport.close()


# Files


def test_a_file_goes_there_and_back_unchanged(link: Link, tmp_path: Path) -> None:
    target = f"{link.folder}/a file's name"
    for size in (0, 1, 5 << 20):
        source, _ = some_file(tmp_path, size)
        link.transport.push(source, target)
        link.transport.pull(target, tmp_path / "back", limit_bytes=size)
        assert (tmp_path / "back").read_bytes() == source.read_bytes()
    assert link.transport.run(("rm", target)).status == 0


def test_a_file_takes_the_place_of_one_that_is_there(link: Link, tmp_path: Path) -> None:
    longer, _ = some_file(tmp_path, 5000, "longer")
    shorter, _ = some_file(tmp_path, 10, "shorter")
    target = f"{link.folder}/target"
    link.transport.push(longer, target)
    link.transport.push(shorter, target)
    link.transport.pull(target, tmp_path / "back", limit_bytes=10)
    assert (tmp_path / "back").read_bytes() == shorter.read_bytes()
    assert link.transport.run(("rm", target)).status == 0


def test_what_cannot_be_pulled_leaves_no_file_here(link: Link, tmp_path: Path) -> None:
    target = f"{link.folder}/long"
    link.transport.push(some_file(tmp_path, 1000)[0], target)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DeviceError, match="larger than the 999 bytes"):
        link.transport.pull(target, tmp_path / "back", limit_bytes=999)
    with pytest.raises(DeviceError, match="cannot be read"):
        link.transport.pull(f"{link.folder}/not there", tmp_path / "back", limit_bytes=999)
    with pytest.raises(DeviceError, match="cannot be read"):
        link.transport.pull(link.folder, tmp_path / "back", limit_bytes=999)
    assert sorted(tmp_path.iterdir()) == before
    assert link.transport.run(("rm", target)).status == 0


def test_a_place_that_may_not_be_written_to_is_named(link: Link, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="/proc/x cannot be written"):
        link.transport.push(some_file(tmp_path, 10)[0], "/proc/x")


def test_a_probe_says_what_the_device_is(link: Link) -> None:
    probe = link.transport.probe(("/proc/version",), ("sh",))
    assert probe.device.machine in ("x86_64", "aarch64", "arm64")
    assert "Linux" in probe.shown["/proc/version"]
    assert probe.shown["command:sh"].endswith("/sh")
