"""The wheel and the tarball: what they hold, that their digests hold, and that their bytes depend on nothing else."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from email.parser import BytesParser
from email.policy import compat32
from pathlib import Path

import pytest
from loaded_bundles import Python
from packaging.metadata import Metadata
from packaging.utils import parse_wheel_filename
from sample_cargo import sample_cargo

from edgeshrink.bundle.archives.entries import Entry
from edgeshrink.bundle.archives.reading import safe_name
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.laptop.bundler import BUNDLER
from edgeshrink.bundle.laptop.names import project_names, requirements
from edgeshrink.bundle.laptop.wheel import licence_expression, write_wheel
from edgeshrink.core.bundle import BundleOptions, Engine
from edgeshrink.core.events import silent
from edgeshrink.errors import UsageError

_WHEEL = "edgeshrink_demo-1.0.0-py3-none-any.whl"


def test_every_file_of_the_wheel_is_as_its_record_says(demo_bundle: Cargo) -> None:
    with zipfile.ZipFile(demo_bundle.folder / _WHEEL) as wheel:
        names = wheel.namelist()
        record = list(csv.reader(io.StringIO(wheel.read(names[-1]).decode())))
        assert names[-1] == "edgeshrink_demo-1.0.0.dist-info/RECORD"
        assert [row[0] for row in record] == names
        for name, digest, size in record[:-1]:
            content = wheel.read(name)
            assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            assert int(size) == len(content)
            assert safe_name(name)
        assert record[-1][1:] == ["", ""]
        assert all(info.compress_type == zipfile.ZIP_STORED for info in wheel.infolist())
        carried = {f"edgeshrink_demo/bundle/{name}" for name in demo_bundle.files}
        assert carried == {name for name in names if name.startswith("edgeshrink_demo/bundle/")}
        assert "edgeshrink_demo/py.typed" in names


def test_its_metadata_is_valid_and_pins_the_engine(demo_bundle: Cargo) -> None:
    with zipfile.ZipFile(demo_bundle.folder / _WHEEL) as wheel:
        raw = wheel.read("edgeshrink_demo-1.0.0.dist-info/METADATA")
        tags = BytesParser(policy=compat32).parsebytes(wheel.read("edgeshrink_demo-1.0.0.dist-info/WHEEL"))
        assert wheel.read("edgeshrink_demo-1.0.0.dist-info/licenses/licenses/model/LICENSE")
    said = Metadata.from_email(raw, validate=True)
    assert said.name == "edgeshrink-demo"
    assert [str(each) for each in said.requires_dist or ()] == ["llama-cpp-python==0.3.36", "numpy"]
    assert said.license_expression == "Apache-2.0"
    assert said.license_files == ["licenses/model/LICENSE"]
    assert tags["Tag"] == "py3-none-any"
    assert tags["Root-Is-Purelib"] == "true"
    assert parse_wheel_filename(_WHEEL)[0] == "edgeshrink-demo"


def test_the_model_stands_on_the_disk_once_besides_the_archives(demo_bundle: Cargo) -> None:
    plain = demo_bundle.folder / "model" / "demo.gguf"
    packaged = demo_bundle.folder / "python" / "edgeshrink_demo" / "bundle" / "model" / "demo.gguf"
    assert plain.samefile(packaged)
    assert BUNDLER.copies(demo_bundle.manifest, BundleOptions()) == 2
    assert BUNDLER.copies(demo_bundle.manifest, BundleOptions(archives=False)) == 0


def test_the_tarball_works_wherever_it_is_unpacked(demo_bundle: Cargo, tmp_path: Path) -> None:
    with tarfile.open(demo_bundle.folder / "edgeshrink-demo-1.0.0.tar.gz") as archive:
        assert {member.name.split("/")[0] for member in archive} == {"edgeshrink-demo-1.0.0"}
        archive.extractall(tmp_path / "some where", filter="data")
    root = tmp_path / "some where" / "edgeshrink-demo-1.0.0"
    assert (root / "README.md").read_bytes() == (demo_bundle.folder / "README.md").read_bytes()
    python = Python(Path(sys.executable), (), tmp_path / "memory")
    environment = {**python.environment(), "PYTHON": sys.executable}
    del environment["PYTHONDONTWRITEBYTECODE"]  # the launcher itself sees to it
    for arguments, said in (
        (["check"], "files are what was measured"),
        (["What is 3 plus 4?", "--threads", "1"], "\n"),
    ):
        done = subprocess.run(
            [root / "bin" / "edgeshrink-demo", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert said in done.stdout
    assert len(done.stdout) > 1
    assert not list(root.rglob("__pycache__"))


def test_a_changed_byte_of_the_unpacked_model_is_found(demo_bundle: Cargo, tmp_path: Path) -> None:
    with zipfile.ZipFile(demo_bundle.folder / _WHEEL) as wheel:
        wheel.extractall(tmp_path / "site")
    model = tmp_path / "site" / "edgeshrink_demo" / "bundle" / "model" / "demo.gguf"
    with model.open("r+b") as stream:
        stream.seek(1_000_000)
        byte = stream.read(1)
        stream.seek(1_000_000)
        stream.write(bytes((byte[0] ^ 4,)))
    python = Python(Path(sys.executable), (tmp_path / "site",), tmp_path / "memory")
    done = python.run("-m", "edgeshrink_demo", "hello", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("DigestMismatch: ")


_WRITE = """
import hashlib, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
os.umask(int(sys.argv[3], 8))
from sample_cargo import sample_cargo
from edgeshrink.bundle.cargo import settle_modes
from edgeshrink.bundle.laptop.bundler import BUNDLER
from edgeshrink.core.bundle import BundleOptions
from edgeshrink.core.events import silent
root = Path(sys.argv[1])
cargo = sample_cargo(root, b"GGUF" + bytes(range(256)) * 50)
runner = root.with_name("runner")
runner.write_bytes(b"\\x7fELF")
BUNDLER.write(cargo, BundleOptions(runner=runner), silent)
settle_modes(root)
for path in sorted(root.rglob("*")):
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    print(path.relative_to(root).as_posix(), oct(path.stat().st_mode), digest)
"""


def test_the_same_bytes_in_another_folder_with_another_umask_zone_and_locale(tmp_path: Path) -> None:
    here = str(Path(__file__).parents[3])
    said = []
    for folder, mask, zone, locale in (
        ("one", "022", "UTC", "C"),
        ("zwei/ drei", "077", "Pacific/Chatham", "tr_TR.UTF-8"),
    ):
        (tmp_path / folder).mkdir(parents=True)
        environment = {**os.environ, "TZ": zone, "LC_ALL": locale, "LANG": locale, "PYTHONHASHSEED": mask}
        arguments = [sys.executable, "-c", _WRITE, str(tmp_path / folder / "bundle"), here, mask]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1]
    assert "edgeshrink_tiny-1.0.0-py3-none-any.whl" in said[0]
    assert "bin/edgeshrink-runner 0o100755" in said[0]


def test_a_bundle_with_a_runner_says_how_to_use_it(tmp_path: Path, demo_bundle: Cargo) -> None:
    runner = tmp_path / "runner"
    runner.write_bytes(b"\x7fELF")
    cargo = sample_cargo(tmp_path / "bundle", b"GGUF", chat=demo_bundle.manifest.chat)
    BUNDLER.write(cargo, BundleOptions(runner=runner, archives=False), silent)
    text = (cargo.folder / "README.md").read_text()
    assert "--before chat/before.txt --after chat/after.txt --stop-ids" in text
    assert "$" not in text.replace("$PWD", "")
    assert (cargo.folder / "chat" / "before.txt").read_text() == "<|begin|><|user|>"
    assert not list(cargo.folder.glob("*.whl"))


def test_names_are_those_that_the_registries_normalize_to(demo_bundle: Cargo) -> None:
    names = project_names(replace(demo_bundle.manifest, name="a-b-2", version="01.2"))
    assert (names.project, names.module, names.version) == ("edgeshrink-a-b-2", "edgeshrink_a_b_2", "1.2")
    project, version, _, tags = parse_wheel_filename(names.wheel)
    assert (project, str(version), {str(tag) for tag in tags}) == ("edgeshrink-a-b-2", "1.2", {"py3-none-any"})
    assert names.metadata == "edgeshrink_a_b_2-1.2.dist-info"


def test_what_the_engine_does_not_bring_is_required_in_the_version_that_was_used(demo_bundle: Cargo) -> None:
    engine = Engine("executorch", "executorch", "executorch", "1.5.1")
    manifest = replace(demo_bundle.manifest, engine=engine, tools={"torch": "2.13.0+cpu"})
    assert requirements(manifest) == ("executorch==1.5.1", "torch==2.13.0", "pytorch-tokenizers", "numpy")


@pytest.mark.parametrize(
    ("stated", "expression"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("mit", "Apache-2.0 AND MIT"),
        ("mit OR gpl-2.0-only", "(MIT OR GPL-2.0-only) AND Apache-2.0"),
        ("llama3.2", None),
        ("", None),
    ],
)
def test_only_a_licence_that_spdx_knows_is_an_expression(
    demo_bundle: Cargo, stated: str, expression: str | None
) -> None:
    note = replace(demo_bundle.manifest.licences[0], id=stated)
    assert licence_expression(replace(demo_bundle.manifest, licences=(note,))) == expression


def test_a_model_that_needs_zip64_goes_into_a_wheel(
    tmp_path: Path, demo_bundle: Cargo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a limit of 100 kB instead of 4 GiB, which take a minute to write."""
    model = tmp_path / "model.gguf"
    model.write_bytes(bytes(120_000))
    names = project_names(demo_bundle.manifest)
    name = f"{names.module}/bundle/model/model.gguf"
    carried = [Entry(name, model), Entry(f"{names.module}/bundle/licenses/model/LICENSE", b"text")]
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100_000)
    manifest = demo_bundle.manifest
    wheel = write_wheel(tmp_path, names, manifest, carried, {name: "ab" * 32}, description="", listener=silent)
    monkeypatch.undo()
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        assert archive.getinfo(name).extract_version == 45
        assert f"{name},sha256=" in archive.read(f"{names.metadata}/RECORD").decode()  # a known digest: not read again


@pytest.mark.parametrize(
    ("format", "engine"),
    [
        ("coreml", Engine("coreml", "coreml", "coremltools", "9.0")),
        ("gguf", Engine("onnx", "onnxruntime", "onnxruntime", "1.31.1")),
    ],
)
def test_what_no_laptop_opens_is_refused(demo_bundle: Cargo, format: str, engine: Engine) -> None:
    with pytest.raises(UsageError, match="laptop"):
        BUNDLER.check(replace(demo_bundle.manifest, format=format, engine=engine), BundleOptions())


def test_a_runner_for_what_it_cannot_open_is_refused(demo_bundle: Cargo, tmp_path: Path) -> None:
    engine = Engine("onnx", "onnxruntime-genai", "onnxruntime-genai", "0.18.0")
    manifest = replace(demo_bundle.manifest, format="onnx", engine=engine)
    with pytest.raises(UsageError, match="native runner"):
        BUNDLER.check(manifest, BundleOptions(runner=tmp_path))
