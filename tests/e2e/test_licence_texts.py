"""The licence texts of a model travel into the folder of its build."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from shell import Shell

from edgeshrink.report.manifest import read_manifest, verify_manifest


def digests(folder: Path) -> dict[str, str]:
    return {file.name: file.sha256 for file in read_manifest(folder).files}


def build(shell: Shell, source: Path) -> Path:
    done = shell.run("build", source, "--scheme", "Q8_0", "-o", "licensed", "--imatrix", "none", "--json")
    assert done.returncode == 0, done.stderr
    return shell.folder / "licensed"


def test_they_are_listed_change_no_digest_and_go_when_they_are_gone(
    warm_shell: Shell, stories: Path, tmp_path: Path
) -> None:
    source = tmp_path / "tiny"
    shutil.copytree(stories, source, copy_function=shutil.copyfile)
    (source / "LICENSE").write_bytes(b"Terms\r\nof a model\n")
    (source / "USE_POLICY.md").write_text("policy", encoding="utf-8")
    (source / "LICENSE.py").write_text("raise SystemExit", encoding="utf-8")
    out = build(warm_shell, source)
    assert verify_manifest(out) == ()
    assert (out / "licenses" / "LICENSE").read_bytes() == b"Terms\r\nof a model\n"
    found = digests(out)
    assert {name for name in found if name.startswith("licenses")} == {"licenses/LICENSE", "licenses/USE_POLICY.md"}
    manifest = (out / "manifest.json").read_bytes()
    build(warm_shell, source)
    assert (out / "manifest.json").read_bytes() == manifest

    (source / "LICENSE").unlink()
    (source / "USE_POLICY.md").unlink()
    build(warm_shell, source)
    assert all(step["reused"] for step in json.loads(warm_shell.run("cache", "why", "--json").stdout))
    assert digests(out) == {name: digest for name, digest in found.items() if not name.startswith("licenses")}
    assert not (out / "licenses").exists()
