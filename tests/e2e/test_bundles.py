"""From the demo's build to signed bundles of every kind, as a stranger would make, check and remake them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shell import Shell

from edgeshrink.core.bundle import BundleManifest
from edgeshrink.core.values import from_json


@pytest.fixture(scope="module")
def keys(warm_shell: Shell) -> Path:
    made = warm_shell.run("keys", "new", "-o", "keys")
    assert made.returncode == 0, made.stderr
    return warm_shell.folder / "keys"


@pytest.fixture(scope="module")
def bundle(built_demo: subprocess.CompletedProcess[str], warm_shell: Shell, keys: Path) -> Path:
    """The demo for a laptop, signed."""
    made = warm_shell.run("bundle", "demo-out", "-o", "bundle", "--key", keys / "edgeshrink.key", "--signer", "tests")
    assert made.returncode == 0, made.stderr
    assert "disk" in made.stderr
    return warm_shell.folder / "bundle"


def payload(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != "signature"
    }


def test_a_bundle_carries_what_a_developer_and_a_lawyer_ask_for(bundle: Path) -> None:
    manifest = from_json(BundleManifest, bundle / "bundle.json")
    assert (manifest.kind, manifest.name, manifest.format) == ("laptop", "demo", "gguf")
    assert manifest.source is not None
    assert (manifest.engine.project, manifest.engine.version) == ("llama.cpp", manifest.tools["llama-cpp-python"])
    assert manifest.chat is not None
    assert manifest.chat.stop == ("<|end|>",)
    assert {note.part for note in manifest.licences} == {"model", "runtime"}
    for name in ("report.html", "MODEL_CARD.md", "provenance.json", "bom.cdx.json", "edgeshrink.lock", "README.md"):
        assert (bundle / name).stat().st_size > 100
    listed = {file.name: file.bytes for file in manifest.files}
    assert all((bundle / name).stat().st_size == nbytes for name, nbytes in listed.items())


def test_verify_proves_it_and_says_who_signed(bundle: Path, keys: Path, warm_shell: Shell) -> None:
    found = warm_shell.run("verify", bundle, "--key", keys / "edgeshrink.pub", "--json")
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert told["claims"]["signer"] == "tests"
    assert told["findings"] == []


def test_an_added_gitignore_is_found(bundle: Path, keys: Path, warm_shell: Shell, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / ".gitignore").write_text("*\n")
    found = warm_shell.run("verify", copy, "--key", keys / "edgeshrink.pub")
    assert found.returncode == 1
    assert ".gitignore" in found.stdout


def test_a_rebuild_gives_the_same_bytes(bundle: Path, warm_shell: Shell) -> None:
    again = warm_shell.run("rebuild", bundle / "bundle.json")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "byte for byte" in again.stdout


def test_a_rebuild_names_the_byte_that_differs(bundle: Path, warm_shell: Shell, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    model = next((copy / "model").iterdir())
    data = bytearray(model.read_bytes())
    data[1_000_000] ^= 1
    model.write_bytes(data)
    again = warm_shell.run("rebuild", copy, "--json")
    assert again.returncode == 1, again.stderr
    found = {entry["name"]: entry["offset"] for entry in json.loads(again.stdout)["differences"]}
    assert found == {f"model/{model.name}": 1_000_000}


def test_a_rebuild_writes_nothing_outside_whatever_a_report_says(
    bundle: Path, warm_shell: Shell, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    report = json.loads((copy / "report.json").read_text())
    report["artifact"]["file"] = str(tmp_path / "planted.gguf")
    (copy / "report.json").write_text(json.dumps(report))
    again = warm_shell.run("rebuild", copy)
    assert again.returncode == 2, again.stdout
    assert "no file inside a bundle" in " ".join(again.stderr.split())
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_another_folder_umask_locale_and_time_zone_give_the_same_bytes(bundle: Path, warm_shell: Shell) -> None:
    script = 'umask 077; mkdir -p else; cp -R demo-out "else/the build"; exec "$@"'
    command = ["sh", "-c", script, "-", *_edgeshrink("bundle", "else/the build", "-o", "else/bundle")]
    environment = {**warm_shell.environment(), "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    subprocess.run(command, cwd=warm_shell.folder, env=environment, check=True, capture_output=True)
    assert payload(warm_shell.folder / "else" / "bundle") == payload(bundle)


def _edgeshrink(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "edgeshrink", *arguments]


@pytest.mark.parametrize("kind", ["android", "ios", "jetson"])
def test_every_other_kind_is_written_signed_and_verified(
    kind: str, built_demo: subprocess.CompletedProcess[str], warm_shell: Shell, keys: Path
) -> None:
    options = ["--parts", "module,ai-pack"] if kind == "android" else []
    if kind == "jetson":
        runner = warm_shell.folder / "no-runner"
        runner.write_bytes(b"not a program")
        refused = warm_shell.run("bundle", "demo-out", "--for", kind, "-o", "b-jetson", "--runner", runner)
        assert refused.returncode == 2
        assert "ELF" in refused.stderr
        assert not (warm_shell.folder / "b-jetson").exists()
        return
    made = warm_shell.run(
        "bundle", "demo-out", "--for", kind, "-o", f"b-{kind}", "--key", keys / "edgeshrink.key", *options
    )
    assert made.returncode == 0, made.stderr
    found = warm_shell.run("verify", f"b-{kind}", "--key", keys / "edgeshrink.pub")
    assert found.returncode == 0, found.stdout


def test_a_build_that_was_changed_is_not_bundled_and_nothing_is_left(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell, tmp_path: Path
) -> None:
    copy = tmp_path / "out"
    shutil.copytree(warm_shell.folder / "demo-out", copy)
    model = next(copy.glob("*.gguf"))
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    refused = warm_shell.run("bundle", copy, "-o", tmp_path / "bundle")
    assert refused.returncode == 2
    assert "is not as it was built" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_budget_line_stops_the_bundle_until_it_is_accepted(
    built_demo: subprocess.CompletedProcess[str], shell: Shell
) -> None:
    profiles = shell.folder / "profiles"
    profiles.mkdir()
    shipped = Path(__file__).resolve().parents[2] / "profiles" / "laptop-4core-8gb.toml"
    tight = shipped.read_text(encoding="utf-8").replace('id = "laptop-4core-8gb"', 'id = "tiny"')
    limit = next(line for line in tight.splitlines() if line.startswith("artifact_bytes_max"))
    (profiles / "tiny.toml").write_text(tight.replace(limit, 'artifact_bytes_max = "1MiB"'), encoding="utf-8")
    built = shell.run("build", "--profile", "tiny", "--scheme", "Q4_K_M", "-o", "out")
    assert built.returncode == 1, built.stderr
    refused = shell.run("bundle", "out", "-o", "bundle")
    assert refused.returncode == 2
    assert "--accept-verdict" in refused.stderr
    assert not (shell.folder / "bundle").exists()
    assert shell.run("bundle", "out", "-o", "bundle", "--accept-verdict").returncode == 0


def test_a_licence_that_forbids_to_pass_the_model_on_stops_the_bundle(shell: Shell, demo_model: Path) -> None:
    model = shell.folder / "model"
    shutil.copytree(demo_model, model)
    card = (model / "README.md").read_text(encoding="utf-8").replace("license: cc0-1.0", "license: cc-by-nc-nd-4.0")
    assert "cc-by-nc-nd-4.0" in card
    (model / "README.md").write_text(card, encoding="utf-8")
    (model / "LICENSE").write_text("Do not pass it on.\n")
    built = shell.run("build", "model", "--scheme", "Q8_0", "-o", "out")
    assert built.returncode == 0, built.stderr
    refused = shell.run("bundle", "out", "-o", "bundle")
    assert refused.returncode == 2
    assert "--accept-license" in refused.stderr
    assert "cc-by-nc-nd-4.0" in refused.stderr
    accepted = shell.run("bundle", "out", "-o", "bundle", "--accept-license")
    assert accepted.returncode == 0, accepted.stderr
    manifest = from_json(BundleManifest, shell.folder / "bundle" / "bundle.json")
    assert manifest.licence_accepted
    texts = [name for note in manifest.licences if note.part == "model" for name in note.files]
    assert [(shell.folder / "bundle" / name).read_text() for name in texts] == ["Do not pass it on.\n"]


def test_a_folder_that_is_no_bundle_is_not_replaced(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    refused = warm_shell.run("bundle", "demo-out", "-o", tmp_path / "mine")
    assert refused.returncode == 2
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_locked_build_gives_the_same_artifact_and_refuses_drift(
    built_demo: subprocess.CompletedProcess[str], warm_shell: Shell, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(warm_shell.folder / "demo-out", out)
    model = next(out.glob("*.gguf"))
    before = model.read_bytes(), (out / "edgeshrink.lock").read_bytes()
    locked = warm_shell.run("build", "--locked", "-o", out)
    assert locked.returncode == 0, locked.stderr
    assert (model.read_bytes(), (out / "edgeshrink.lock").read_bytes()) == before
    lock = json.loads((out / "edgeshrink.lock").read_text(encoding="utf-8"))
    lock["versions"]["numpy"] = "1.0"
    lock["model"]["digest"] = "0" * 64
    (tmp_path / "drifted.lock").write_text(json.dumps(lock))
    refused = warm_shell.run("build", "--locked", "--lock", tmp_path / "drifted.lock", "-o", out)
    assert refused.returncode == 2
    assert "version of numpy" in refused.stderr
    assert "model digest" in refused.stderr
    assert model.read_bytes() == before[0]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--name", "Not A Slug"], "--name"),
        (["--version", "one"], "--version"),
        (["--parts", "nonsense"], "nonsense"),
        (["--for", "toaster"], "toaster"),
        (["--key", "nowhere.key"], "nowhere.key"),
    ],
)
def test_a_wrong_flag_is_refused_with_its_name(
    arguments: list[str], word: str, built_demo: subprocess.CompletedProcess[str], warm_shell: Shell
) -> None:
    refused = warm_shell.run("bundle", "demo-out", "-o", "never", *arguments)
    assert refused.returncode == 2
    assert word in refused.stderr
    assert not (warm_shell.folder / "never").exists()
