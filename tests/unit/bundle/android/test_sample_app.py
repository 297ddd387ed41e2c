"""The sample app: its code compiles, and an APK of it and the AAR is read by Android's own tools."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest
from java_programs import API, COMPILE_STUBS, JAVA, compile_for_tests, needs
from sample_cargo import DEMO_CHAT, sample_cargo

from edgeshrink.bundle.android.bundler import BUNDLER
from edgeshrink.bundle.android.pages import check_archive_pages
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import BundleOptions
from edgeshrink.core.events import silent
from edgeshrink.errors import DataError

FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")


@pytest.fixture(scope="module")
def cargo(tmp_path_factory: pytest.TempPathFactory) -> Cargo:
    needs("javac", "aarch64-linux-gnu-gcc")
    folder = tmp_path_factory.mktemp("sample")
    runner, source = folder / "runner", folder / "r.c"
    source.write_text("int main(void) { return 0; }\n")
    command = ["aarch64-linux-gnu-gcc", "-static", "-Wl,-z,max-page-size=16384", source, "-o", runner]
    subprocess.run(command, check=True)
    cargo = sample_cargo(folder / "bundle", bytes(100_000), kind="android", chat=DEMO_CHAT)
    options = BundleOptions(runner=runner, application_id="com.acme.app")
    BUNDLER.check(cargo.manifest, options)
    BUNDLER.write(cargo, options, silent)
    return cargo


def test_the_activity_compiles_against_android_and_the_api(cargo: Cargo, tmp_path: Path) -> None:
    classes = tmp_path / "classes"
    classes.mkdir()
    activity = cargo.folder / "android/sample/app/src/main/java/dev/edgeshrink/sample/MainActivity.java"
    compile_for_tests(classes, [activity], API, COMPILE_STUBS, JAVA / "stubs")
    assert (classes / "dev" / "edgeshrink" / "sample" / "MainActivity.class").is_file()


def linked_apk(cargo: Cargo, folder: Path) -> Path:
    """What the Android Gradle Plugin does to the sample and the AAR, but for the classes: there is no d8 here."""
    manifest = folder / "AndroidManifest.xml"
    written = (cargo.folder / "android/sample/app/src/main/AndroidManifest.xml").read_text()
    manifest.write_text(written.replace("<manifest ", '<manifest package="com.acme.app" ', 1))
    unpacked = folder / "aar"
    with zipfile.ZipFile(cargo.folder / "android/maven/com/acme/app/tiny/1.0.0/tiny-1.0.0.aar") as aar:
        aar.extractall(unpacked)
    apk = folder / "linked.apk"
    command = ["aapt2", "link", "-o", apk, "-I", FRAMEWORK, "--manifest", manifest, "-A", unpacked / "assets"]
    sdk = ["--min-sdk-version", "28", "--target-sdk-version", "35", "--version-code", "1", "--version-name", "1.0.0"]
    subprocess.run([*command, *sdk, "-0", ".gguf", "-0", ".json"], check=True, capture_output=True)
    with zipfile.ZipFile(apk, "a") as archive:
        library = unpacked / "jni/arm64-v8a/libedgeshrink_runner.so"
        archive.write(library, "lib/arm64-v8a/libedgeshrink_runner.so", zipfile.ZIP_STORED)
    return apk


def test_an_apk_of_it_is_signed_and_read_by_android_s_tools(cargo: Cargo, tmp_path: Path) -> None:
    needs("aapt2", "zipalign", "apksigner", "keytool")
    if not FRAMEWORK.is_file():
        pytest.skip(f"there is no {FRAMEWORK} (Debian: android-framework-res)")
    linked, old, apk, key = linked_apk(cargo, tmp_path), *(tmp_path / n for n in ("old.apk", "sample.apk", "key.p12"))
    subprocess.run(["zipalign", "-f", "-p", "4", linked, old], check=True)
    with pytest.raises(DataError, match="no multiple of 16384"):
        check_archive_pages(old)
    subprocess.run(["zipalign", "-f", "16384", linked, apk], check=True)
    made = ["keytool", "-genkeypair", "-keystore", key, "-alias", "test", "-storepass", "secret", "-keyalg", "EC"]
    subprocess.run([*made, "-dname", "CN=test"], check=True, capture_output=True)
    subprocess.run(["apksigner", "sign", "--ks", key, "--ks-pass", "pass:secret", apk], check=True)
    verified = subprocess.run(["apksigner", "verify", "-v", apk], capture_output=True, text=True, check=True).stdout
    assert "Verified using v3 scheme (APK Signature Scheme v3): true" in verified
    check_archive_pages(apk)
    badging = subprocess.run(["aapt2", "dump", "badging", apk], capture_output=True, text=True, check=True).stdout
    assert "package: name='com.acme.app' versionCode='1' versionName='1.0.0'" in badging
    assert "launchable-activity: name='dev.edgeshrink.sample.MainActivity'" in badging
    assert "native-code: 'arm64-v8a'" in badging
    with zipfile.ZipFile(apk) as opened:
        info = opened.getinfo("assets/edgeshrink/tiny/model/tiny.gguf")
        assert info.compress_type == zipfile.ZIP_STORED
        assert opened.read(info) == (cargo.folder / "model" / "tiny.gguf").read_bytes()
