"""What every way to a device promises, and what a workspace on one promises: local, ssh and adb alike."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from lab.device import LabDevice

from edgeshrink.core.device import parse_address
from edgeshrink.core.events import Progress
from edgeshrink.devices import workspace as workspaces
from edgeshrink.devices.removal import end_process
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.devices.workspace import Workspace, open_workspace
from edgeshrink.errors import DeviceError, DeviceLost, NoSpace, ToolMissing

LINKS = {"local": "", "ssh": "x86_ssh_device", "arm64 ssh": "ssh_device", "adb": "adb_device"}
REMOTE = [name for name in LINKS if name != "local"]


@dataclass
class Link:
    """An open transport, a folder on its device that may be written to, and the device where it is not this machine."""

    transport: Transport
    folder: str
    device: LabDevice | None
    leftovers: Path

    def processes(self) -> tuple[str, ...]:
        """What of ours runs there: on this machine, in a workspace."""
        if self.device is not None:
            return tuple(words for words in self.device.processes() if _is_program(words))
        return tuple(_local_processes())

    def wait_for_no_process(self) -> None:
        end = time.monotonic() + 20
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.05)
        assert not left

    def is_there(self, path: str) -> bool:
        return self.transport.run(("test", "-e", path)).status == 0

    @contextmanager
    def workspace(self, *, keep: bool = False) -> Iterator[Workspace]:
        with open_workspace(self.transport, keep=keep, leftovers=self.leftovers) as workspace:
            yield workspace

    def notes(self) -> list[Path]:
        return sorted(self.leftovers.glob("*")) if self.leftovers.exists() else []


def _is_program(words: str) -> bool:
    """ssh's connection itself is a `cat` that lives as long as the transport does."""
    return bool(words) and words.split() not in (["cat"], ["/usr/bin/cat"])


def _local_processes() -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            if "/edgeshrink-" in process.cwd():
                yield " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


@pytest.fixture(params=LINKS)
def link(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    yield from _link(request, tmp_path, monkeypatch)


@pytest.fixture(params=REMOTE)
def remote(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    """A link that can break."""
    yield from _link(request, tmp_path, monkeypatch)


def _link(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    fixture = LINKS[request.param]
    if not fixture:
        here = tmp_path / "home"
        here.mkdir()
        monkeypatch.setenv("HOME", str(here))
        device, folder = None, str(here)
    else:
        device = request.getfixturevalue(fixture)
        folder = "/data/local/tmp" if request.param == "adb" else "/home/lab"
    transport = open_transport(parse_address(device.address if device else "local"))
    try:
        yield Link(transport, folder, device, tmp_path / "leftovers")
    finally:
        transport.close()


def _file(tmp_path: Path, size: int, name: str = "source") -> tuple[Path, str]:
    path = tmp_path / name
    path.write_bytes(os.urandom(size))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


class Stop(Exception):
    """What a caller's callback raises."""


# A command


@pytest.mark.parametrize(
    "word",
    ["", "two words", "'", '"', "a\nb", "$(id) `id` $HOME", "\\n*?[a-z]", "zwölf € 日本", "-n", "#x", "!", ";&|<>"],
)
def test_every_word_arrives_as_it_is_given(link: Link, word: str) -> None:
    assert link.transport.run(("printf", "<%s>", word, "end")).stdout == f"<{word}><end>"


@pytest.mark.parametrize("status", [0, 1, 3, 126, 127, 255])
def test_the_exit_status_is_the_programs(link: Link, status: int) -> None:
    assert link.transport.run(("sh", "-c", f"exit {status}")).status == status


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("ILL", 4), ("SEGV", 11)])
def test_a_program_that_a_signal_ended_has_128_and_its_number(link: Link, name: str, number: int) -> None:
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
        script = f"trap '' TERM; echo here; cat; : > {sign}"
        link.transport.run(("sh", "-c", script), hold_stdin=True, on_line=stop)
    if link.device is None:
        return  # the program is the client, and ends as such
    end = time.monotonic() + 20
    while not link.is_there(sign) and time.monotonic() < end:
        time.sleep(0.1)
    assert link.transport.run(("rm", sign)).status == 0


def test_more_output_than_allowed_is_refused_and_the_program_ends(link: Link) -> None:
    with pytest.raises(DeviceError, match="more than 100000 bytes"):
        link.transport.run(("yes",), limit_bytes=100_000)
    with pytest.raises(DeviceError, match="more than 100000 bytes"):
        link.transport.run(("sh", "-c", "exec yes >&2"), on_line=lambda _: None, limit_bytes=100_000)
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


@pytest.mark.parametrize("size", [0, 1, 5 << 20])
def test_a_file_goes_there_and_back_unchanged(link: Link, tmp_path: Path, size: int) -> None:
    source, _ = _file(tmp_path, size)
    target = f"{link.folder}/a file's name"
    link.transport.push(source, target)
    link.transport.pull(target, tmp_path / "back", limit_bytes=size)
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    assert link.transport.run(("rm", target)).status == 0


def test_a_file_takes_the_place_of_one_that_is_there(link: Link, tmp_path: Path) -> None:
    longer, _ = _file(tmp_path, 5000, "longer")
    shorter, _ = _file(tmp_path, 10, "shorter")
    target = f"{link.folder}/target"
    link.transport.push(longer, target)
    link.transport.push(shorter, target)
    link.transport.pull(target, tmp_path / "back", limit_bytes=10)
    assert (tmp_path / "back").read_bytes() == shorter.read_bytes()
    assert link.transport.run(("rm", target)).status == 0


def test_what_cannot_be_pulled_leaves_no_file_here(link: Link, tmp_path: Path) -> None:
    target = f"{link.folder}/long"
    link.transport.push(_file(tmp_path, 1000)[0], target)
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
        link.transport.push(_file(tmp_path, 10)[0], "/proc/x")


def test_a_probe_says_what_the_device_is(link: Link) -> None:
    probe = link.transport.probe(("/proc/version",), ("sh",))
    assert probe.device.machine in ("x86_64", "aarch64", "arm64")
    assert "Linux" in probe.shown["/proc/version"]
    assert probe.shown["command:sh"].endswith("/sh")


# A workspace


def test_a_program_is_brought_checked_and_run_and_nothing_stays(link: Link, tmp_path: Path) -> None:
    program = tmp_path / "hello"
    program.write_text("#!/bin/sh\npwd\nexit 7\n")
    sha256 = hashlib.sha256(program.read_bytes()).hexdigest()
    seen: list[Progress] = []
    with link.workspace() as workspace:
        mode = link.transport.run(("stat", "-c", "%a", workspace.folder)).stdout.strip()
        path = workspace.put(program, sha256=sha256, name="hello", executable=True, listener=seen.append)
        done = workspace.run((path,))
        relative = workspace.run(("./hello",))
        assert len(link.notes()) == 2  # a note and its lock
    assert mode == "700"
    assert (done.status, done.stdout) == (7, f"{workspace.folder}\n")
    assert relative == done
    assert [step.done for step in seen] == [0, program.stat().st_size]
    assert not link.is_there(workspace.folder)
    assert link.notes() == []


def test_a_file_that_is_there_is_not_brought_again_unless_it_was_damaged(
    link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes = _count_pushes(link.transport, monkeypatch)
    source, sha256 = _file(tmp_path, 100_000)
    with link.workspace() as workspace:
        path = workspace.put(source, sha256=sha256, name="model.bin")
        assert workspace.put(source, sha256=sha256, name="model.bin") == path
        assert len(pushes) == 1
        assert workspace.run(("sh", "-c", 'echo damage >> "$1"', "sh", path)).status == 0
        workspace.put(source, sha256=sha256, name="model.bin")
        assert len(pushes) == 2
        assert link.transport.run(("sha256sum", path)).stdout.split()[0] == sha256


def test_a_file_that_arrives_damaged_is_refused(link: Link, tmp_path: Path) -> None:
    source, _ = _file(tmp_path, 100)
    with link.workspace() as workspace:
        with pytest.raises(DeviceError, match="arrived damaged"):
            workspace.put(source, sha256="0" * 64, name="model.bin")
        assert not link.transport.run(("sh", "-c", f"echo {workspace.folder}/model*")).stdout.count("part")


def test_kept_files_are_there_for_the_next_session(link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pushes = _count_pushes(link.transport, monkeypatch)
    source, sha256 = _file(tmp_path, 1000)
    paths = []
    for _ in range(2):
        with link.workspace(keep=True) as workspace:
            paths.append(workspace.put(source, sha256=sha256, name="model.bin"))
        assert not link.is_there(workspace.folder)
    assert len(set(paths)) == len(pushes) == 1
    assert paths[0].rpartition("/")[0].endswith("/edgeshrink-keep")
    assert link.transport.run(("rm", "-r", paths[0].rpartition("/")[0])).status == 0
    assert link.notes() == []


def test_an_exception_in_a_session_leaves_nothing(link: Link) -> None:
    def stop(_: str) -> None:
        raise Stop

    with pytest.raises(Stop), link.workspace() as workspace:
        # It ignores what can be ignored, and would stay: held by nothing, ended by its working folder.
        script = "trap '' TERM HUP INT; (trap '' TERM; sleep 1000) & echo here; sleep 1000"
        workspace.run(("sh", "-c", script), on_line=stop)
    link.wait_for_no_process()
    assert not link.is_there(workspace.folder)


def test_a_program_that_outlives_its_command_ends_with_the_session(link: Link) -> None:
    with link.workspace() as workspace:
        workspace.run(("sh", "-c", "sleep 1000 > /dev/null 2>&1 < /dev/null &"))
        assert any("sleep 1000" in words for words in link.processes())
    link.wait_for_no_process()


def test_two_sessions_side_by_side_do_not_meet(link: Link, tmp_path: Path) -> None:
    source, sha256 = _file(tmp_path, 1000)
    with link.workspace() as first:
        path = first.put(source, sha256=sha256, name="model.bin")
        with link.workspace() as second:
            assert second.folder != first.folder
            assert second.put(source, sha256=sha256, name="model.bin") != path
        assert link.is_there(path)
        assert not link.is_there(second.folder)


def test_an_id_that_was_given_to_another_program_is_not_struck(link: Link, tmp_path: Path) -> None:
    with link.workspace() as mine, link.workspace() as other:
        started = other.run(("sh", "-c", "sleep 1000 > /dev/null 2>&1 < /dev/null & echo $!"))
        stranger = started.stdout.strip()
        assert mine.run(("sh", "-c", f"echo {stranger} > pid.7")).status == 0
        end_process(link.transport, mine.folder, "pid.7")
        assert link.transport.run(("kill", "-0", stranger)).status == 0
        end_process(link.transport, other.folder, "pid.1")  # gone by itself: nothing happens
        assert link.transport.run(("kill", "-9", stranger)).status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_session_that_is_interrupted_or_killed_is_cleaned_up_after(
    link: Link, tmp_path: Path, number: signal.Signals
) -> None:
    source, _ = _file(tmp_path, 1000)
    address = str(link.transport.address)
    command = [sys.executable, Path(__file__).with_name("device_session.py"), address, link.leftovers, source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None and session.stderr is not None
        folder = session.stdout.readline().strip()
        assert session.stdout.readline() == "running\n", session.stderr.read()
        assert link.is_there(folder)
        session.send_signal(number)
        assert session.wait(60) == (130 if number == signal.SIGINT else -number), session.stderr.read()
    link.wait_for_no_process()  # a program that was only waited for ends with its session, however that ends
    if number == signal.SIGKILL:
        assert link.is_there(folder)
        with link.workspace():
            assert not link.is_there(folder)
    assert not link.is_there(folder)
    assert link.notes() == []


# Faults of a link and of a device


def test_a_link_that_breaks_in_a_command_is_lost_and_cleaned_up_after_when_it_is_back(remote: Link) -> None:
    assert remote.device is not None
    device = remote.device

    def cut(_: str) -> None:
        device.cut()

    with pytest.raises(DeviceLost, match="the link broke"), remote.workspace() as workspace:
        try:
            workspace.run(("sh", "-c", "echo here; exec sleep 1000"), on_line=cut)
        finally:
            device.restore()
    assert not remote.is_there(workspace.folder)
    remote.wait_for_no_process()
    assert remote.notes() == []


def test_what_a_dead_link_left_behind_is_removed_by_the_next_session(
    remote: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert remote.device is not None
    device = remote.device
    monkeypatch.setattr(workspaces, "WAIT_S", 0.0)

    def cut(_: str) -> None:
        device.cut()

    with pytest.raises(DeviceLost), remote.workspace() as workspace:
        workspace.run(("sh", "-c", "trap '' HUP; echo here; sleep 1000; exec sleep 1000"), on_line=cut)
    assert len(list(remote.leftovers.glob("*.json"))) == 1
    device.restore()
    assert remote.is_there(workspace.folder)
    with remote.workspace():
        assert not remote.is_there(workspace.folder)
    remote.wait_for_no_process()
    assert remote.notes() == []


def test_a_stalled_link_is_noticed(remote: Link) -> None:
    assert remote.device is not None
    device = remote.device

    def stall(_: str) -> None:
        device.stall()

    with pytest.raises(DeviceLost, match="silent for 1 s"), remote.workspace() as workspace:
        try:
            workspace.run(
                ("sh", "-c", "echo here; sleep 1; echo more; exec cat"), hold_stdin=True, on_line=stall, silence_s=1
            )
        finally:
            device.resume()
    remote.wait_for_no_process()


def test_a_link_that_breaks_while_a_file_is_brought_is_lost(remote: Link, tmp_path: Path) -> None:
    assert remote.device is not None
    source, sha256 = _file(tmp_path, 3 << 20)
    with pytest.raises(DeviceLost), remote.workspace() as workspace:
        remote.device.cut(after_bytes=1 << 20)
        try:
            workspace.put(source, sha256=sha256, name="model.bin")
        finally:
            remote.device.restore()
    assert not remote.is_there(workspace.folder)


def test_a_full_device_is_said_so_before_and_while_a_file_is_brought(remote: Link, tmp_path: Path) -> None:
    assert remote.device is not None
    source, sha256 = _file(tmp_path, 12 << 20)
    with remote.workspace() as workspace:
        remote.device.fill(8 << 20)
        with pytest.raises(NoSpace, match=r"model\.bin has 12\.0 MiB, .* has room for"):
            workspace.put(source, sha256=sha256, name="model.bin")
        with pytest.raises(NoSpace, match="full"):
            remote.transport.push(source, f"{workspace.folder}/model.bin")


# Links that do not come about


def _count_pushes(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    pushes: list[str] = []
    push = transport.push

    def counted(source: Path, target: str) -> None:
        pushes.append(target)
        push(source, target)

    monkeypatch.setattr(transport, "push", counted)
    return pushes


def test_without_the_client_program_its_name_and_its_package_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESHRINK_SSH", "no-such-ssh")
    monkeypatch.setenv("EDGESHRINK_ADB", "no-such-adb")
    for address, package in (("ssh:somewhere", "openssh-client"), ("adb:SERIAL", "apt install adb")):
        with pytest.raises(ToolMissing) as missing:
            open_transport(parse_address(address))
        assert package in missing.value.hint


def _ssh_config(device: Any, tmp_path: Path, *lines: str) -> str:
    """The lab's configuration with `lines` before it."""
    lab = Path(device.environment["EDGESHRINK_SSH"].split()[2])
    config = tmp_path / "config"
    config.write_text("\n".join(("Host *", *(f"  {line}" for line in lines), lab.read_text())))
    return f"ssh -F {config}"


@pytest.mark.parametrize(
    ("line", "kind", "message", "hint"),
    [
        ("UserKnownHostsFile /dev/null", DeviceError, "host key is not known here", "ssh lab@127.0.0.1"),
        ("PubkeyAuthentication no", DeviceError, "login was refused", "ssh-copy-id lab@127.0.0.1"),
        ("NoSuchOption yes", DeviceError, "ssh configuration is not accepted", "ssh lab@127.0.0.1 true"),
        ("ProxyCommand false", DeviceLost, "it closed the connection", "is the device on"),
    ],
)
def test_a_refused_ssh_login_says_what_to_do(
    x86_ssh_device: LabDevice,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    kind: type[DeviceError],
    message: str,
    hint: str,
) -> None:
    monkeypatch.setenv("EDGESHRINK_SSH", _ssh_config(x86_ssh_device, tmp_path, line))
    with pytest.raises(DeviceError, match=message) as refused:
        open_transport(parse_address(x86_ssh_device.address))
    assert type(refused.value) is kind
    assert hint in refused.value.hint


def test_a_changed_host_key_is_told_from_an_unknown_one(
    x86_ssh_device: LabDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    port = x86_ssh_device.address.rpartition(":")[2]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {other.with_suffix('.pub').read_text()}")
    command = _ssh_config(x86_ssh_device, tmp_path, f"UserKnownHostsFile {tmp_path / 'known'}")
    monkeypatch.setenv("EDGESHRINK_SSH", command)
    with pytest.raises(DeviceError, match="not the one that is known") as changed:
        open_transport(parse_address(x86_ssh_device.address))
    assert "ssh-keygen -R" in changed.value.hint


def test_an_ssh_host_that_is_not_there_is_lost_with_what_to_check(x86_ssh_device: LabDevice) -> None:
    with pytest.raises(DeviceLost, match="no ssh server answers") as refused:
        open_transport(parse_address("ssh:lab@127.0.0.1:1"))
    assert "systemctl enable --now ssh" in refused.value.hint
    with pytest.raises(DeviceLost, match="no host of that name"):
        open_transport(parse_address("ssh:lab@no-such-host.invalid"))


def test_the_own_configuration_of_a_person_does_not_meet_the_commands(
    x86_ssh_device: LabDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("RemoteCommand echo theirs", "RequestTTY force", "ControlPath /nowhere/%C", "LocalForward 1 localhost:1")
    monkeypatch.setenv("EDGESHRINK_SSH", _ssh_config(x86_ssh_device, tmp_path, *lines))
    transport = open_transport(parse_address(x86_ssh_device.address))
    assert transport.run(("printf", r"a\nb\n")).stdout == "a\nb\n"
    transport.close()


def test_no_connection_and_no_folder_stays_here_when_an_ssh_link_is_closed(
    x86_ssh_device: LabDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    transport = open_transport(parse_address(x86_ssh_device.address))
    transport.run(("true",))
    assert [path.name[:3] for path in tmp_path.iterdir()] == ["es-"]
    transport.close()
    assert list(tmp_path.iterdir()) == []
    assert psutil.Process().children() == []
