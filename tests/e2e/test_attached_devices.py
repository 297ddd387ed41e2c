"""The real command against devices: arm64 roots over the real ssh and adb, this machine, and nothing at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from built_gguf import build_gguf
from built_runners import ready_runner
from lab.adb_device import AndroidDevice
from lab.device import LabDevice
from lab.ssh_devices import SshDevice
from shell import Shell

import edgeshrink
from edgeshrink.core.session import SessionOptions
from edgeshrink.report.json import report_from_json, sessions_from_json

QUICK = ("--context", "160", "--prompt-tokens", "16", "--decode-tokens", "20", "--threads", "1")


@pytest.fixture(scope="module")
def model(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    ready_runner("arm64-dotprod")
    return build_gguf(demo_model, tmp_path_factory.mktemp("model") / "demo.gguf", "Q8_0").path


@pytest.fixture
def nothing_attached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An adb that lists no device, on a server port of its own."""
    silent = tmp_path / "adb"
    silent.write_text("#!/bin/sh\ncase $1 in devices) echo 'List of devices attached';; *) exit 0;; esac\n")
    silent.chmod(0o755)
    monkeypatch.setenv("EDGESHRINK_ADB", str(silent))


def outcome(report: Any, name: str) -> tuple[str, str]:
    line = next(line for line in report.verdict.lines if line.name == name)
    return line.outcome, line.why


def test_emulated_speed_is_judged_only_when_asked(shell: Shell, adb_device: AndroidDevice, model: Path) -> None:
    asked = ("profile", model, "--device", adb_device.address, "--profile", "pixel-8", *QUICK, "--json")
    label = outcome(report_from_json(shell.run(*asked).stdout), "decode speed")
    judged = outcome(report_from_json(shell.run(*asked, "--judge-anyway").stdout), "decode speed")
    assert label[0] == "UNKNOWN"
    assert judged[0] in ("PASS", "FAIL")


def test_several_devices_at_once_and_one_that_is_not_there(
    shell: Shell, ssh_device: SshDevice, adb_device: AndroidDevice, model: Path
) -> None:
    gone = "ssh:nobody@127.0.0.1:9"
    devices = ",".join((ssh_device.address, adb_device.address, gone))
    done = shell.run("profile", model, "--device", devices, *QUICK, "--json", "-o", "told")
    assert done.returncode == 2, done.stderr
    found = {entry.device: entry for entry in sessions_from_json(done.stdout).outcomes}
    for device, system in ((ssh_device, "linux"), (adb_device, "android")):
        report = found[device.address].report
        assert report is not None, found[device.address].error
        seen = report.measurements
        assert seen is not None and seen.device is not None
        assert (seen.device.machine, seen.device.system) == ("aarch64", system)
        assert seen.greedy_parity.kind == "measured" and seen.greedy_parity.value == 1.0
        assert outcome(report, "decode speed")[0] == "UNKNOWN"
        assert not device.wait_until_clean()
    board = found[ssh_device.address].report
    assert board is not None and board.profile == "jetson-orin-nano-8gb", "the root calls itself one"
    assert len(list((shell.folder / "told").glob("*/report.html"))) == 2
    assert found[gone].report is None
    assert "refused" in found[gone].error


def test_a_build_is_judged_by_what_the_device_measured(
    ssh_device: SshDevice, model: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGESHRINK_CACHE", str(shell.store))
    session = SessionOptions(prompt_tokens=(16,), decode_tokens=20)
    report = edgeshrink.build(
        target="jetson",
        delegate="cpu",
        scheme="Q8_0",
        context=160,
        threads=1,
        device=ssh_device.address,
        session=session,
        judge_anyway=True,
        out=shell.folder / "out",
    )
    assert report.measurements is not None and report.measurements.device is not None
    assert report.measurements.device.address == ssh_device.address
    assert report.quality is not None
    assert outcome(report, "peak RAM")[0] == "PASS"
    assert outcome(report, "decode speed")[0] in ("PASS", "FAIL")


def test_two_artifacts_in_turn_on_one_device(shell: Shell, model: Path, demo_model: Path, tmp_path: Path) -> None:
    small = build_gguf(demo_model, tmp_path / "small.gguf", "Q4_K_M").path
    done = shell.run("profile", model, "--against", small, "--device", "local", "--rounds", "6", *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["a"], told["b"], told["rounds"]) == ("demo.gguf", "small.gguf", 6)
    assert any("decode" in row[0] for row in told["rows"])


def test_ctrl_c_leaves_the_device_clean(shell: Shell, x86_ssh_device: LabDevice, model: Path) -> None:
    process = shell.start("profile", model, "--device", x86_ssh_device.address, *QUICK, "--sustain", "2")
    said = shell.interrupt(process, once=lambda: x86_ssh_device.processes() != (), otherwise="the runner never started")
    assert process.returncode == 130, said
    assert not x86_ssh_device.wait_until_clean()


def test_with_nothing_attached_the_list_is_friendly(shell: Shell, nothing_attached: None) -> None:
    done = shell.run("devices")
    assert done.returncode == 0, done.stderr
    assert "No other device is attached" in done.stdout


def test_with_nothing_attached_all_is_an_error_that_says_what_to_do(
    shell: Shell, nothing_attached: None, model: Path
) -> None:
    done = shell.run("profile", model, "--device", "all")
    assert done.returncode == 2
    assert "no device is attached" in done.stderr
    assert "ssh:USER@HOST" in done.stderr


def test_attached_devices_are_listed_with_the_profile_they_match(
    shell: Shell, adb_device: AndroidDevice, ssh_device: SshDevice
) -> None:
    listed = {row["address"]: row for row in json.loads(shell.run("devices", "--json").stdout)}
    assert "local" in listed
    assert listed[adb_device.address]["probed"]["system"] == "android"
    board = json.loads(shell.run("devices", "--device", ssh_device.address, "--json").stdout)
    assert [row["profile"] for row in board] == ["jetson-orin-nano-8gb"]


def test_an_unknown_device_gets_a_profile_of_its_own(
    shell: Shell, adb_device: AndroidDevice, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(shell.folder / "config"))
    done = shell.run("devices", "--device", adb_device.address, "--save")
    assert done.returncode == 0, done.stderr
    (file,) = (shell.folder / "config" / "edgeshrink" / "profiles").glob("*.toml")
    assert "memory_bandwidth_bytes_s" in file.read_text()
    again = shell.run("devices", "--device", adb_device.address, "--save")
    assert again.returncode == 2
    assert "--replace" in again.stderr
    assert file.stem in shell.run("targets").stdout


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--device", "usb:1"), "is no device"),
        (("--device", "ssh:-oProxyCommand=true"), "is no device"),
        (("--device", "local", "--cool-down", "cold"), "no cool-down"),
        (("--device", "local", "--depths", "1,x"), "whole numbers"),
        (("--xctest", "here", "--import", "there"), "three different things"),
    ],
)
def test_wrong_flags_are_refused_before_any_work(shell: Shell, model: Path, flags: tuple[str, ...], word: str) -> None:
    done = shell.run("profile", model, *flags)
    assert done.returncode == 2
    assert word in done.stderr
