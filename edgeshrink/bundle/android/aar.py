"""The AAR: the Java API compiled, and the bundle's files among the assets, stored where a device can map them.

Source: https://developer.android.com/studio/projects/android-library, "Anatomy of an AAR file".
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from edgeshrink.bundle.android.naming import Names
from edgeshrink.bundle.android.pages import PAGE_BYTES
from edgeshrink.bundle.android.templates import api_sources, filled, template
from edgeshrink.bundle.archives.entries import Entry, in_order, tree
from edgeshrink.bundle.archives.zip import write_zip
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import MODEL_FOLDER
from edgeshrink.core.events import Listener, Progress
from edgeshrink.toolchain.javac import compile_java

RUNNER_LIBRARY: Final = "libedgeshrink_runner.so"
"""Android extracts what is called lib*.so, and lets an app start it from there."""
ABI: Final = "arm64-v8a"
_JAR_MANIFEST = b"Manifest-Version: 1.0\r\n\r\n"
_OTHERS_ALIGNMENT = 4  # as zipalign does it


def write_aar(cargo: Cargo, names: Names, runner: Path | None, listener: Listener) -> Path:
    """Write `android/aar/<name>-<version>.aar` and return it."""
    listener(Progress("compiling the Java API", 0, 1))
    classes = classes_jar()
    listener(Progress("compiling the Java API", 1, 1))
    path = cargo.folder / "android" / "aar" / names.aar
    assets = f"assets/{names.assets}/"
    entries = [
        Entry("AndroidManifest.xml", filled("aar", "AndroidManifest.xml", **_manifest_values(names)).encode()),
        Entry("R.txt", b""),
        Entry("classes.jar", classes),
        Entry("res/", b""),
        *(Entry(assets + name, cargo.folder / name) for name in cargo.files),
    ]
    if runner is not None:
        entries.append(Entry(f"jni/{ABI}/{RUNNER_LIBRARY}", runner))

    def alignment(entry: Entry) -> int:
        mapped = entry.name.startswith((f"{assets}{MODEL_FOLDER}/", "jni/"))
        return PAGE_BYTES if mapped else _OTHERS_ALIGNMENT

    write_zip(path, in_order(entries), align=alignment, listener=listener)
    return path


def classes_jar() -> bytes:
    """The API's classes as a jar; equal for equal compilers."""
    with TemporaryDirectory(prefix="edgeshrink-classes-") as scratch:
        classes, jar = Path(scratch, "classes"), Path(scratch, "classes.jar")
        classes.mkdir()
        compile_java([path for _, path in api_sources()], beside=template("stubs"), folder=classes)
        write_zip(jar, [Entry("META-INF/MANIFEST.MF", _JAR_MANIFEST), *in_order(_plain(classes))])
        return jar.read_bytes()


def _plain(classes: Path) -> list[Entry]:
    """Without the modes that the umask gave them."""
    return [Entry(entry.name, entry.source) for entry in tree(classes)]


def _manifest_values(names: Names) -> dict[str, object]:
    return {"namespace": names.namespace, "min_sdk": names.min_sdk}
