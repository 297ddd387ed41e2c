"""16 KiB pages: a library built for 4 KiB and an entry at the wrong place are found in anybody's archive."""

from __future__ import annotations

import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from java_programs import needs
from sample_cargo import sample_cargo

from edgeshrink.bundle.android import aar as aar_module
from edgeshrink.bundle.android.bundler import BUNDLER
from edgeshrink.bundle.android.pages import check_archive_pages, check_library_pages, is_mapped, places
from edgeshrink.bundle.archives.entries import Entry
from edgeshrink.bundle.archives.zip import write_zip
from edgeshrink.core.bundle import BundleOptions
from edgeshrink.core.events import silent
from edgeshrink.errors import DataError

LIBRARY = "lib/arm64-v8a/libx.so"


def linked(folder: Path, page: int, compiler: str = "aarch64-linux-gnu-gcc") -> Path:
    needs(compiler)
    source, library = folder / "x.c", folder / f"libx-{page}.so"
    source.write_text("int x[5000]; int f(void) { return x[3]; }\n")
    command = [compiler, "-shared", "-fPIC", "-nostdlib", f"-Wl,-z,max-page-size={page}", source, "-o", library]
    subprocess.run(command, check=True)
    return library


def zipped(path: Path, *entries: tuple[str, bytes, int]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, method in entries:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def zipaligned(source: Path, target: Path, *options: str) -> Path:
    needs("zipalign")
    subprocess.run(["zipalign", "-f", *options, source, target], check=True)
    return target


def test_a_library_for_small_pages_is_named(tmp_path: Path) -> None:
    check_library_pages(linked(tmp_path, 16384))
    with pytest.raises(DataError, match=r"pages of 4096 bytes") as refused:
        check_library_pages(linked(tmp_path, 4096))
    assert "-Wl,-z,max-page-size=16384" in refused.value.hint


def test_a_library_for_small_pages_is_found_in_an_archive_stored_or_not(tmp_path: Path) -> None:
    content = linked(tmp_path, 4096).read_bytes()
    for name, method in (("stored", zipfile.ZIP_STORED), ("packed", zipfile.ZIP_DEFLATED)):
        apk = zipped(tmp_path / f"{name}.apk", (LIBRARY, content, method))
        with pytest.raises(DataError, match="aligned to pages of 4096"):
            check_archive_pages(zipaligned(apk, tmp_path / f"{name}-aligned.apk", "16384"))


def test_what_zipalign_s_old_page_option_leaves_is_found(tmp_path: Path) -> None:
    library = linked(tmp_path, 16384).read_bytes()
    apk = zipped(tmp_path / "a.apk", ("a", bytes(6000), 0), (LIBRARY, library, zipfile.ZIP_STORED))
    old = zipaligned(apk, tmp_path / "old.apk", "-p", "4")
    with pytest.raises(DataError, match=rf"{LIBRARY} lies at \d+, no multiple of 16384"):
        check_archive_pages(old)
    check_archive_pages(zipaligned(apk, tmp_path / "new.apk", "16384"))


def test_a_packed_library_need_not_lie_on_a_page(tmp_path: Path) -> None:
    library = linked(tmp_path, 16384).read_bytes()
    check_archive_pages(zipped(tmp_path / "a.apk", ("a", b"123", 0), (LIBRARY, library, zipfile.ZIP_DEFLATED)))


def test_a_model_that_is_stored_off_a_page_is_found(tmp_path: Path) -> None:
    name = "assets/edgeshrink/tiny/model/tiny.gguf"
    with pytest.raises(DataError, match=r"tiny\.gguf lies at"):
        check_archive_pages(zipped(tmp_path / "a.aar", (name, b"weights", zipfile.ZIP_STORED)))


@pytest.mark.parametrize(
    ("name", "mapped"),
    [
        (LIBRARY, True),
        ("jni/x86_64/libx.so", True),
        ("lib/armeabi-v7a/libx.so", False),
        ("assets/edgeshrink/tiny/model/a/b.onnx", True),
        ("assets/edgeshrink/tiny/MODEL_CARD.md", False),
        ("assets/model/x", False),
        ("classes.jar", False),
    ],
)
def test_libraries_of_64_bits_and_models_are_mapped(name: str, mapped: bool) -> None:
    assert is_mapped(name) is mapped


def test_places_are_those_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    contents = {"b/a.bin": b"A" * 1000, "c": b"", "ä": b"C" * 3}
    write_zip(path, [Entry(name, content) for name, content in contents.items()], align=lambda _: 64)
    data = path.read_bytes()
    for place in places(path):
        content = contents[place.name]
        assert place.stored
        assert data[place.offset : place.offset + len(content)] == content


def test_entries_beyond_2_gib_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)  # what is larger, or begins later, is written as if beyond 2 GiB
    path = tmp_path / "a.zip"
    entries = [Entry("a", bytes(5000)), Entry("b", b"small"), Entry("c", b"C" * 3000)]
    write_zip(path, entries, align=lambda _: 4096)
    data = path.read_bytes()
    found = {place.name: place.offset for place in places(path)}
    assert all(offset % 4096 == 0 for offset in found.values())
    assert data[found["b"] :][:5] == b"small"
    assert data[found["c"] :][:3000] == b"C" * 3000


def test_an_entry_beyond_any_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    path = tmp_path / "a.zip"
    write_zip(path, [Entry("a", bytes(5000)), Entry("b", b"small")])
    data, place = path.read_bytes(), struct.pack("<HHQ", 1, 8, 5000 + 30 + 20 + 1)
    assert data.count(place) == 1
    path.write_bytes(data.replace(place, struct.pack("<HHQ", 1, 8, (1 << 64) - 1)))
    with pytest.raises(DataError, match="no header for b"):
        places(path)


def test_a_runner_in_the_bundle_lies_on_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("javac")
    monkeypatch.setattr(aar_module, "classes_jar", lambda: b"not asked here")
    runner = linked(tmp_path, 16384)
    cargo = sample_cargo(tmp_path / "bundle", b"weights", kind="android")
    options = BundleOptions(runner=runner)
    BUNDLER.check(cargo.manifest, options)
    BUNDLER.write(cargo, options, silent)
    aar = cargo.folder / "android" / "aar" / "tiny-1.0.0.aar"
    with zipfile.ZipFile(aar) as opened:
        assert opened.read("jni/arm64-v8a/libedgeshrink_runner.so") == runner.read_bytes()
    library = cargo.folder / "android/module/src/main/jniLibs/arm64-v8a/libedgeshrink_runner.so"
    assert library.read_bytes() == runner.read_bytes()
    assert library.stat().st_ino != runner.stat().st_ino
    with pytest.raises(DataError, match="aligned to pages of 4096"):
        BUNDLER.check(cargo.manifest, BundleOptions(runner=linked(tmp_path, 4096)))


def test_broken_archives_are_refused_and_never_crash(tmp_path: Path) -> None:
    sound = zipped(tmp_path / "a.zip", (LIBRARY, b"x" * 50, 0), ("b", b"y" * 50, zipfile.ZIP_DEFLATED)).read_bytes()
    broken = tmp_path / "b.zip"
    refused = 0
    for at in range(len(sound)):
        for content in (sound[:at], sound[:at] + bytes([sound[at] ^ 0xFF]) + sound[at + 1 :]):
            broken.write_bytes(content)
            try:
                places(broken)
            except DataError:
                refused += 1
    assert refused > len(sound)
    end = sound.rfind(b"PK\x05\x06")
    broken.write_bytes(sound[: end + 16] + struct.pack("<I", 0xFFFFFFFF) + sound[end + 20 :])
    with pytest.raises(DataError, match="zip64"):
        places(broken)
