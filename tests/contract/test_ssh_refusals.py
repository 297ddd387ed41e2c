"""ssh links that do not come about, and what a person's own configuration asks for."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from lab.device import LabDevice

from edgeshrink.core.device import parse_address
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.errors import DeviceError, DeviceLost, ToolMissing


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
        ("UserKnownHostsFile /dev/null", DeviceError, "host key is not known here", "ssh -p {port} lab@127.0.0.1"),
        ("PubkeyAuthentication no", DeviceError, "login was refused", "ssh-copy-id -p {port} lab@127.0.0.1"),
        ("NoSuchOption yes", DeviceError, "ssh configuration is not accepted", "ssh -p {port} lab@127.0.0.1 true"),
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
    assert hint.format(port=x86_ssh_device.address.rpartition(":")[2]) in refused.value.hint


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


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """One whose path has room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


def test_no_connection_and_no_folder_stays_here_when_an_ssh_link_is_closed(
    x86_ssh_device: LabDevice, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(short_folder))
    children = psutil.Process().children()
    transport = open_transport(parse_address(x86_ssh_device.address))
    transport.run(("true",))
    assert [path.name[:3] for path in short_folder.iterdir()] == ["es-"]
    assert psutil.Process().children() != children
    transport.close()
    assert list(short_folder.iterdir()) == []
    assert psutil.Process().children() == children
