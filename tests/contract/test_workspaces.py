"""What a workspace on a device promises: checked files, and nothing of ours that stays, whatever happens."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from device_links import LINKS, Link, Stop, count_pushes, some_file

from edgeshrink.core.events import Progress, notice
from edgeshrink.devices import leftovers as leftover_notes
from edgeshrink.devices import workspace as workspaces
from edgeshrink.devices.removal import end_process
from edgeshrink.devices.transports.interface import Done
from edgeshrink.errors import DeviceError, DeviceLost, NoSpace


@pytest.mark.parametrize("link", LINKS, indirect=True)
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
    pushes = count_pushes(link.transport, monkeypatch)
    source, sha256 = some_file(tmp_path, 100_000)
    with link.workspace() as workspace:
        path = workspace.put(source, sha256=sha256, name="model.bin")
        assert workspace.put(source, sha256=sha256, name="model.bin") == path
        assert len(pushes) == 1
        assert workspace.run(("sh", "-c", 'echo damage >> "$1"', "sh", path)).status == 0
        workspace.put(source, sha256=sha256, name="model.bin")
        assert len(pushes) == 2
        assert link.transport.run(("sha256sum", path)).stdout.split()[0] == sha256


def test_a_file_that_arrives_damaged_is_refused(link: Link, tmp_path: Path) -> None:
    source, _ = some_file(tmp_path, 100)
    with link.workspace() as workspace:
        with pytest.raises(DeviceError, match="arrived damaged"):
            workspace.put(source, sha256="0" * 64, name="model.bin")
        assert not link.transport.run(("sh", "-c", f"echo {workspace.folder}/model*")).stdout.count("part")


def test_kept_files_are_there_for_the_next_session(link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pushes = count_pushes(link.transport, monkeypatch)
    source, sha256 = some_file(tmp_path, 1000)
    paths = []
    for _ in range(2):
        with link.workspace(keep=True) as workspace:
            paths.append(workspace.put(source, sha256=sha256, name="model.bin"))
        assert not link.is_there(workspace.folder)
    assert len(set(paths)) == len(pushes) == 1
    assert paths[0].rpartition("/")[0].endswith("/edgeshrink-keep")
    assert link.transport.run(("rm", "-r", paths[0].rpartition("/")[0])).status == 0
    assert link.notes() == []


def test_what_the_device_will_not_have_removed_is_told(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Progress] = []

    def refuse(_: object, folder: str) -> None:
        raise DeviceError(f"somewhere: {folder} could not be removed: busy")

    with monkeypatch.context() as refusing:
        refusing.setattr(workspaces, "remove", refuse)
        with link.workspace(listener=said.append) as workspace:
            assert workspace.left_behind == ""
        assert said == [notice(workspace.left_behind)]
        assert workspace.folder in workspace.left_behind and "busy" in workspace.left_behind
        refusing.setattr(leftover_notes, "remove", refuse)
        with link.workspace(listener=said.append):
            assert workspace.folder in said[1].task
    with link.workspace() as last:
        assert not link.is_there(workspace.folder)
    assert last.left_behind == ""


def test_kept_files_go_when_no_session_used_them_for_a_week(link: Link, tmp_path: Path) -> None:
    used, sha_of_used = some_file(tmp_path, 1000, "used")
    forgotten, sha_of_forgotten = some_file(tmp_path, 1000, "forgotten")
    os.utime(used, (1e9, 1e9))  # adb brings a file's time along: it does not count
    long_ago = ("touch", "-t", "202001010000")
    with link.workspace(keep=True) as workspace:
        kept = workspace.put(used, sha256=sha_of_used, name="used")
        gone = workspace.put(forgotten, sha256=sha_of_forgotten, name="forgotten")
    with link.workspace(keep=True) as workspace:
        assert link.is_there(kept) and link.is_there(gone)
        assert link.transport.run((*long_ago, kept, gone)).status == 0
        assert workspace.put(used, sha256=sha_of_used, name="used") == kept
    with link.workspace(keep=True):
        assert link.is_there(kept)
        assert not link.is_there(gone)
    assert link.transport.run(("rm", "-r", kept.rpartition("/")[0])).status == 0


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
    source, sha256 = some_file(tmp_path, 1000)
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


@pytest.mark.parametrize("link", LINKS, indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_session_that_is_interrupted_or_killed_is_cleaned_up_after(
    link: Link, tmp_path: Path, number: signal.Signals
) -> None:
    source, _ = some_file(tmp_path, 1000)
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


@pytest.mark.parametrize("remote", [*LINKS][1:], indirect=True)
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
    monkeypatch.setattr(remote.transport, "_recover_s", 1.0, raising=False)

    def cut(_: str) -> None:
        device.cut()

    said: list[Progress] = []
    with pytest.raises(DeviceLost), remote.workspace(listener=said.append) as workspace:
        workspace.run(("sh", "-c", "trap '' HUP; echo here; sleep 1000; exec sleep 1000"), on_line=cut)
    assert said == [notice(workspace.left_behind)]
    assert f"{remote.transport.address}: {workspace.folder} could not be removed: " in workspace.left_behind
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
    source, sha256 = some_file(tmp_path, 3 << 20)
    with pytest.raises(DeviceLost), remote.workspace() as workspace:
        remote.device.cut(after_bytes=1 << 20)
        try:
            workspace.put(source, sha256=sha256, name="model.bin")
        finally:
            remote.device.restore()
    assert not remote.is_there(workspace.folder)


def test_a_full_device_is_said_so_before_and_while_a_file_is_brought(remote: Link, tmp_path: Path) -> None:
    assert remote.device is not None
    source, sha256 = some_file(tmp_path, 12 << 20)
    with remote.workspace() as workspace:
        remote.device.fill(8 << 20)
        with pytest.raises(
            NoSpace, match=r"model\.bin has 12\.0 MiB, .* has room for .*, of which 1\.0 MiB must stay free"
        ):
            workspace.put(source, sha256=sha256, name="model.bin")
        with pytest.raises(NoSpace, match="full"):
            remote.transport.push(source, f"{workspace.folder}/model.bin")


def test_an_interrupt_while_a_file_is_brought_leaves_nothing(
    link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, sha256 = some_file(tmp_path, 100_000)
    half, _ = some_file(tmp_path, 50_000, "half")
    push = link.transport.push

    def interrupted(_: Path, target: str) -> None:
        push(half, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(link.transport, "push", interrupted)
    with pytest.raises(KeyboardInterrupt), link.workspace() as workspace:
        workspace.put(source, sha256=sha256, name="model.bin")
    assert not link.is_there(workspace.folder)
    assert link.notes() == []


def test_two_programs_run_side_by_side_in_one_session(link: Link) -> None:
    with link.workspace() as workspace:
        heard: list[str] = []
        beside: list[Done] = []

        def meanwhile(line: str) -> None:
            heard.append(line)
            thread = threading.Thread(target=lambda: beside.append(workspace.run(("echo", "beside"))))
            thread.start()
            thread.join()

        done = workspace.run(("sh", "-c", "echo one; sleep 0.2; exit 3"), on_line=meanwhile)
    assert (done.status, heard, [other.stdout for other in beside]) == (3, ["one"], ["beside\n"])


def test_a_folder_where_programs_may_not_run_is_told_apart(tmp_path: Path) -> None:
    mounted = 'mount -t tmpfs -o noexec none "$1" || exit 99; exec sh -c "$2" sh "$1/folder"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh", tmp_path, workspaces._MAKE]
    try:
        status = subprocess.run(command, capture_output=True).returncode
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if status in (1, 99):
        pytest.skip("nothing can be mounted here")
    assert status == workspaces._NOEXEC
