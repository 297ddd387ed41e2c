"""`keys` and `verify` as a person runs them: words, exit codes, JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shell import Shell
from signed_bundles import sign_again, write_bundle

from edgeshrink.core.manifest import Manifest, ManifestFile, ManifestPlan
from edgeshrink.core.values import to_json

pytest.importorskip("model_signing", reason="bundles are signed by the extra `bundle`")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, tmp_path / "store")


@pytest.fixture
def signed(shell: Shell) -> Path:
    """A bundle, its keys made by the command."""
    assert shell.run("keys", "new", "-o", "keys").returncode == 0
    folder = write_bundle(shell.folder / "tiny")
    sign_again(folder, shell.folder / "keys" / "edgeshrink.key")
    return folder


def test_who_signed_what_and_when(shell: Shell, signed: Path) -> None:
    ran = shell.run("verify", "tiny", "--key", "keys/edgeshrink.pub")
    assert ran.returncode == 0, ran.stderr
    for told in (
        "is what was signed, byte for byte",
        "tiny 1.0.0, for laptop",
        "gguf Q4_K_M, 16.0 KiB",
        "llama.cpp 0.3.36",
        "the tests",
        "2026-11-21T20:00:00+00:00",
        "model-signing 1.1.1",
        "11 files",
    ):
        assert told in ran.stdout
    assert ran.stderr == ""


def test_what_is_not_as_it_was_signed_is_named_and_nothing_else_is_told(shell: Shell, signed: Path) -> None:
    (signed / ".gitignore").write_text("*\n")
    (signed / "model" / "tiny.gguf").rename(signed / "model" / "TINY.gguf")
    ran = shell.run("verify", "tiny", "--key", "keys/edgeshrink.pub")
    assert ran.returncode == 1
    assert "2 things differ" in ran.stdout
    assert "renamed from model/tiny.gguf" in ran.stdout
    assert ".gitignore" in ran.stdout
    assert "the tests" not in ran.stdout
    as_json = shell.run("verify", "tiny", "--key", "keys/edgeshrink.pub", "--json")
    assert as_json.returncode == 1
    assert {(f["kind"], f["name"]) for f in json.loads(as_json.stdout)["findings"]} == {
        ("added", ".gitignore"),
        ("renamed", "model/TINY.gguf"),
    }


def test_another_key_is_not_taken(shell: Shell, signed: Path) -> None:
    assert shell.run("keys", "new", "-o", "keys", "--name", "other").returncode == 0
    ran = shell.run("verify", "tiny", "--key", "keys/other.pub")
    assert ran.returncode == 1
    assert "was made by another key" in " ".join(ran.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("tiny",), "needs the public key"),
        (("tiny", "--key", "keys/edgeshrink.key"), "is a private key"),
        (("tiny", "--key", "keys/none.pub"), "the key keys/none.pub cannot be read"),
        (("none", "--key", "keys/edgeshrink.pub"), "none is no folder"),
        (("tiny", "--identity", "me@example.org"), "needs the public key"),
        (("keys",), "is no bundle and no build"),
    ],
)
def test_what_cannot_be_checked_is_an_error(shell: Shell, signed: Path, arguments: tuple[str, ...], told: str) -> None:
    ran = shell.run("verify", *arguments)
    assert ran.returncode == 2
    assert told in ran.stderr
    assert ran.stdout == ""


def test_a_build_is_whole_or_not_and_that_is_all_that_is_said(shell: Shell, signed: Path) -> None:
    out = shell.folder / "out"
    out.mkdir()
    shutil.copyfile(signed / "report.json", out / "report.json")
    content = (out / "report.json").read_bytes()
    report = ManifestFile("report.json", hashlib.sha256(content).hexdigest(), len(content))
    plan = ManifestPlan("laptop-cpu", "this-machine", "gguf", "Q4_K_M", 512, "none", {})
    manifest = Manifest("edgeshrink-manifest-1", "2026-11-21T20:00:00+00:00", None, plan, {}, report.sha256, (report,))
    (out / "manifest.json").write_text(to_json(manifest))
    ran = shell.run("verify", "out")
    assert ran.returncode == 0, ran.stderr
    assert "not who made it" in ran.stdout
    assert shell.run("verify", "out", "--key", "keys/edgeshrink.pub").returncode == 1
    (out / "manifest.json").write_text(to_json(dataclasses.replace(manifest, report_sha256="0" * 64)))
    ran = shell.run("verify", "out", "--json")
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["problems"]


def test_keys_are_made_with_a_passphrase_from_a_file(shell: Shell) -> None:
    (shell.folder / "secret").write_text("open sesame\n")
    ran = shell.run("keys", "new", "-o", "keys", "--passphrase-file", "secret", "--json")
    made = json.loads(ran.stdout)
    assert made["encrypted"] is True
    assert (shell.folder / "keys" / "edgeshrink.key").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert "open sesame" not in ran.stdout + ran.stderr
    again = shell.run("keys", "new", "-o", "keys")
    assert again.returncode == 2
    assert "a key is never overwritten" in again.stderr


def test_a_passphrase_is_asked_for_on_a_terminal_alone(shell: Shell) -> None:
    ran = shell.run("keys", "new", "-o", "keys", "--passphrase")
    assert ran.returncode == 2
    assert "is asked for on a terminal" in ran.stderr
    assert not (shell.folder / "keys").exists()


def test_offline_keys_need_no_network(shell: Shell, signed: Path) -> None:
    command = [sys.executable, "-m", "edgeshrink", "verify", "tiny", "--key", "keys/edgeshrink.pub"]
    cut_off = ["unshare", "--net", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*cut_off, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here")
    ran = subprocess.run(
        [*cut_off, *command], cwd=shell.folder, env={**os.environ}, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
