"""The AAR and the Maven repository: what is in them, where it lies, and that nothing else decides their bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from java_programs import API, needs
from sample_cargo import DEMO_CHAT, sample_cargo

from edgeshrink.bundle.android.bundler import BUNDLER
from edgeshrink.bundle.android.maven import write_maven
from edgeshrink.bundle.android.naming import names_of
from edgeshrink.bundle.android.pages import PAGE_BYTES, places
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import BundleOptions
from edgeshrink.core.events import silent

ASSETS = "assets/edgeshrink/tiny/"


@pytest.fixture(scope="module")
def cargo(tmp_path_factory: pytest.TempPathFactory) -> Cargo:
    """Written once: the tests read it."""
    needs("javac")
    folder = tmp_path_factory.mktemp("aar") / "bundle"
    cargo = sample_cargo(folder, bytes(range(256)) * 300, kind="android", chat=DEMO_CHAT)
    options = BundleOptions(parts=("aar",), application_id="com.acme.app")
    BUNDLER.check(cargo.manifest, options)
    BUNDLER.write(cargo, options, silent)
    return cargo


def written(cargo: Cargo) -> Path:
    return cargo.folder / "android" / "aar" / "tiny-1.0.0.aar"


def test_all_that_an_aar_must_have_is_in_it(cargo: Cargo) -> None:
    with zipfile.ZipFile(written(cargo)) as aar:
        names = aar.namelist()
        assert {"AndroidManifest.xml", "classes.jar", "R.txt", "res/"} <= set(names)
        assert names == sorted(names)
        assert {name.removeprefix(ASSETS) for name in names if name.startswith(ASSETS)} == set(cargo.files)
        assert aar.read(ASSETS + "model/tiny.gguf") == (cargo.folder / "model/tiny.gguf").read_bytes()
        assert all(info.compress_type == zipfile.ZIP_STORED for info in aar.infolist())
        manifest = ElementTree.fromstring(aar.read("AndroidManifest.xml"))
        assert manifest.get("package") == "dev.edgeshrink.bundles.tiny_model"
    assert subprocess.run(["unzip", "-tqq", written(cargo)], check=False).returncode == 0


def test_the_model_lies_on_a_page_and_the_rest_on_four_bytes(cargo: Cargo) -> None:
    found = {place.name: place.offset for place in places(written(cargo))}
    assert found[ASSETS + "model/tiny.gguf"] % PAGE_BYTES == 0
    assert {offset % 4 for offset in found.values()} == {0}


def test_the_jar_has_the_api_for_java_8_and_no_stand_in_for_android(cargo: Cargo) -> None:
    with zipfile.ZipFile(written(cargo)) as aar, zipfile.ZipFile(io.BytesIO(aar.read("classes.jar"))) as jar:
        names = jar.namelist()
        assert names[0] == "META-INF/MANIFEST.MF"
        assert all(name.startswith("dev/edgeshrink/bundle/") for name in names[1:])
        for source in API.rglob("*.java"):
            assert f"dev/edgeshrink/bundle/{source.stem}.class" in names
        versions = {int.from_bytes(jar.read(name)[6:8], "big") for name in names[1:]}
    assert versions == {52}  # Java 8


WRITE = """
import os, sys
from pathlib import Path
os.umask(int(sys.argv[2], 8))
sys.path.insert(0, {tests!r})
from sample_cargo import DEMO_CHAT, sample_cargo
from edgeshrink.bundle.android.bundler import BUNDLER
from edgeshrink.bundle.cargo import settle_modes
from edgeshrink.core.bundle import BundleOptions
cargo = sample_cargo(Path(sys.argv[1]), b"weights" * 1000, kind="android", chat=DEMO_CHAT)
BUNDLER.write(cargo, BundleOptions(), lambda _: None)
settle_modes(cargo.folder)
"""


def test_another_folder_umask_time_zone_and_locale_give_the_same_bytes(tmp_path: Path) -> None:
    needs("javac")
    script = WRITE.format(tests=str(Path(__file__).parents[3]))
    seen = []
    for folder, umask, zone, locale in (("a", "022", "UTC", "C"), ("b c ä", "077", "Asia/Kathmandu", "tr_TR.UTF-8")):
        place = tmp_path / folder / "bundle"
        place.parent.mkdir()
        environment = os.environ | {"TZ": zone, "LC_ALL": locale, "PYTHONUTF8": "1", "TMPDIR": str(place.parent)}
        command = [sys.executable, "-W", "error", "-c", script, place, umask]
        subprocess.run(command, check=True, env=environment)
        seen.append(
            {
                path.relative_to(place).as_posix(): (
                    hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
                    path.stat().st_mode,
                )
                for path in sorted(place.rglob("*"))
            }
        )
    assert seen[0] == seen[1]
    assert "android/aar/tiny-1.0.0.aar" in seen[0]


@pytest.mark.parametrize(("kind", "tool"), [("sha1", "sha1sum"), ("sha256", "sha256sum"), ("md5", "md5sum")])
def test_the_repositorys_checksums_are_those_of_other_tools(cargo: Cargo, kind: str, tool: str) -> None:
    needs(tool)
    files = [
        path for path in (cargo.folder / "android" / "maven").rglob("*") if path.suffix in (".aar", ".pom", ".xml")
    ]
    assert len(files) == 3
    for path in files:
        said = subprocess.run([tool, path], capture_output=True, text=True, check=True).stdout.split()[0]
        assert path.with_name(f"{path.name}.{kind}").read_text() == said


def test_the_pom_says_its_coordinates_where_gradle_looks_for_them(cargo: Cargo) -> None:
    aar = written(cargo)
    home = cargo.folder / "android/maven/com/acme/app/tiny"
    assert (home / "1.0.0/tiny-1.0.0.aar").samefile(aar)
    pom = ElementTree.parse(home / "1.0.0/tiny-1.0.0.pom").getroot()
    space = "{http://maven.apache.org/POM/4.0.0}"
    assert [pom.findtext(space + tag) for tag in ("groupId", "artifactId", "version", "packaging")] == [
        "com.acme.app",
        "tiny",
        "1.0.0",
        "aar",
    ]
    assert pom.findtext(f"{space}licenses/{space}license/{space}name") == "apache-2.0"
    metadata = ElementTree.parse(home / "maven-metadata.xml").getroot()
    assert metadata.findtext("versioning/release") == "1.0.0"
    assert metadata.find("versioning/lastUpdated") is None  # the time would differ each time


def test_a_licence_of_any_words_leaves_the_pom_readable(tmp_path: Path) -> None:
    cargo = sample_cargo(tmp_path / "bundle", b"weights", kind="android")
    hostile = "</name><url>x</url>\x00\x1b[2J\ufffe\uffff & ${project.version} $group"
    licences = (dataclasses.replace(cargo.manifest.licences[0], id=hostile, name=hostile),)
    said = Cargo(cargo.folder, dataclasses.replace(cargo.manifest, licences=licences))
    write_maven(said, names_of(said.manifest, BundleOptions()), cargo.folder / "model" / "tiny.gguf", silent)
    (pom,) = cargo.folder.rglob("*.pom")
    space = "{http://maven.apache.org/POM/4.0.0}"
    (licence,) = ElementTree.parse(pom).getroot().findall(f"{space}licenses/{space}license")
    assert [child.tag for child in licence] == [f"{space}name", f"{space}comments"]
    assert (licence[0].text or "").startswith("</name><url>x</url>\ufffd")
