"""What the clients of a link say, read: marks of status, adb's listing, ssh's last words, versions."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from edgeshrink.core.device import Address
from edgeshrink.devices.transports.adb import not_ready, parse_listing
from edgeshrink.devices.transports.shell import Marked, last_words, link_broke
from edgeshrink.devices.transports.ssh import explain
from edgeshrink.errors import DeviceError, DeviceLost
from edgeshrink.toolchain import adb, ssh


def test_a_mark_is_found_wherever_it_stands_and_taken_out() -> None:
    command = Marked.of(("true",))
    assert command.read(f"said{command.mark}:7\n") == (7, "said")
    assert command.read(f"said\n{command.mark}:255\r\nlate") == (255, "said\nlate")
    assert command.read("said\n") == (None, "said\n")
    assert command.read(f"{command.mark}:\n")[0] is None
    assert command.read(f"{command.mark}:12345\n")[0] is None
    assert Marked.of(("true",)).mark != command.mark


def test_a_marked_command_keeps_its_words_and_its_status_in_any_posix_shell() -> None:
    words = ("sh", "-c", 'printf %s "$1"; exit 5', "sh", "a'b $HOME\n\"")
    command = Marked.of(words)
    done = subprocess.run(["sh", "-c", command.script], capture_output=True, text=True)
    assert (done.stdout, done.returncode, command.read(done.stderr)) == (words[-1], 5, (5, ""))


def test_a_shells_own_word_does_not_hide_the_status() -> None:
    command = Marked.of(("exit", "3"))
    done = subprocess.run(["sh", "-c", command.script], capture_output=True, text=True)
    assert command.read(done.stderr) == (3, "")


def test_last_words_are_the_last_line_made_safe_and_short() -> None:
    assert last_words("first\n\x1b[31mlast\x07\n\n") == "\ufffd[31mlast\ufffd"
    assert last_words("") == "no reason was given"
    assert len(last_words("x" * 100_000)) < 1000


def test_a_broken_link_quotes_no_mark_of_ours() -> None:
    address = Address("ssh", "me@x")
    for said in ("", f"{'d8' * 16}=dumpsys:thermalservice\n", f"{Marked.of(('true',)).mark}:12"):
        error = link_broke(address, said, "is it on?")
        assert error.message == "ssh:me@x: the link broke: the connection closed"
        assert error.hint.startswith("is it on?. A device that ran out of memory")
    told = link_broke(address, f"Connection reset\n{'d8' * 16}!", "is it on?")
    assert (told.message, told.hint) == ("ssh:me@x: the link broke: Connection reset", "is it on?")


def test_a_phone_that_is_offline_is_attached_already() -> None:
    assert "adb reconnect offline" in not_ready("offline")


def test_hints_name_the_port_that_was_given() -> None:
    refused = explain("ssh:me@x:2222", "me@x", 255, "Permission denied (publickey)", port=2222)
    assert "ssh-copy-id -p 2222 me@x" in refused.hint
    changed = explain("ssh:me@x:2222", "me@x", 255, "Offending ED25519 key in y:1", port=2222)
    assert "ssh-keygen -R '[x]:2222', " in changed.hint and changed.hint.endswith("ssh -p 2222 me@x")
    assert "ssh-keygen -R x, " in explain("ssh:me@x", "me@x", 255, "Offending ED25519 key in y:1").hint


def test_adbs_listing_is_read_in_all_its_forms() -> None:
    text = """* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
R58M12ABCDE            device usb:1-2 product:beyond1 model:SM_G973F device:beyond1 transport_id:3
192.168.1.7:5555       offline transport_id:4
adb-33F1FDH-x._adb-tls-connect._tcp unauthorized transport_id:5
0123456789             no permissions (user in plugdev group; are your udev rules wrong?); see [http://x] usb:1-1
emulator-5554\tdevice
bad\x1b[2Jserial       device

"""
    assert parse_listing(text) == (
        ("R58M12ABCDE", "device"),
        ("192.168.1.7:5555", "offline"),
        ("adb-33F1FDH-x._adb-tls-connect._tcp", "unauthorized"),
        ("0123456789", "no permissions"),
        ("emulator-5554", "device"),
    )
    assert parse_listing("") == parse_listing("List of devices attached\n\n") == ()


@pytest.mark.parametrize(
    ("said", "kind", "meaning"),
    [
        ("ssh: connect to host x port 22: Connection timed out", DeviceLost, "does not answer"),
        ("ssh: connect to host x port 22: No route to host", DeviceLost, "does not answer"),
        ("ssh: Could not resolve hostname x: Name or service not known", DeviceLost, "no host of that name"),
        ("kex_exchange_identification: read: Connection reset by peer", DeviceLost, "closed the connection"),
        ("Received disconnect from x: 2: Too many authentication failures", DeviceError, "too many keys"),
        ("me@x: Permission denied (publickey,password).", DeviceError, "login was refused"),
        ("something new", DeviceLost, "something new"),
    ],
)
def test_sshs_last_words_become_a_sentence(said: str, kind: type[DeviceError], meaning: str) -> None:
    error = explain("ssh:me@x", "me@x", 255, f"banner\n{said}\n")
    assert type(error) is kind
    assert meaning in error.message
    assert said.split(":")[-1].strip() in error.message
    assert error.hint


def test_an_account_that_may_not_run_commands_is_said_so() -> None:
    error = explain("ssh:me@x", "me@x", 1, "This account is currently not available.\n")
    assert type(error) is DeviceError
    assert "not available" in error.message


def _program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_clients_are_found_with_their_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = _program(tmp_path, "my ssh", "echo 'OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19 27 Jan 2026' >&2")
    monkeypatch.setenv("EDGESHRINK_SSH", f"{shlex.quote(str(shell))} -F /a/file")
    assert ssh.command() == (str(shell), "-F", "/a/file")
    found = ssh.find()
    assert found is not None and (found.path, found.version) == (shell, "9.2p1")
    bridge = _program(tmp_path, "adb", "echo 'Android Debug Bridge version 1.0.41'; echo 'Version 29.0.6-debian'")
    monkeypatch.setenv("EDGESHRINK_ADB", str(bridge))
    found = adb.find()
    assert found is not None and (found.path, found.version) == (bridge, "29.0.6-debian")


def test_clients_that_are_not_there_are_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESHRINK_SSH", "/no/ssh")
    monkeypatch.setenv("EDGESHRINK_ADB", "/no/adb")
    assert ssh.find() is adb.find() is None
