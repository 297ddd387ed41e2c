"""Which parts are written, and what each of them cannot carry."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from edgeshrink.core.bundle import BUNDLE_NAME, MODEL_FOLDER, BundleManifest, BundleOptions
from edgeshrink.errors import DataError, UsageError

PARTS: Final = ("aar", "module", "ai-pack", "sample")
PACK_BYTES_MAX: Final = 1_500_000_000
"""Play's limit for one AI pack, of the compressed download; weights hardly compress, so their bytes are counted.

Source: https://developer.android.com/google/play/on-device-ai, "Considerations", as is the next one.
"""
APP_BYTES_MAX: Final = 4_000_000_000
ZIP_BYTES_MAX: Final = (4 << 30) - (64 << 20)
"""A zip file without zip64, which Android does not read, less what headers and code take."""
PLAY_BASE_BYTES: Final = 200_000_000
"""What Play takes in an app's base module (https://support.google.com/googleplay/android-developer/answer/9859372)."""
_LIMITS: Final = {"aar": min(APP_BYTES_MAX, ZIP_BYTES_MAX), "module": APP_BYTES_MAX, "ai-pack": PACK_BYTES_MAX}
_WHY: Final = {
    "aar": "an app, and a zip file that Android reads, holds at most 4 GB",
    "module": "an app holds at most 4 GB",
    "ai-pack": "a Play AI pack holds at most 1.5 GB",
}


def parts_of(options: BundleOptions) -> tuple[str, ...]:
    """The parts to write, in their order. UsageError: an unknown one, or the sample with nothing to take it from."""
    for part in options.parts:
        if part not in PARTS:
            raise UsageError(f"{part!r} is no part of an Android bundle", hint=f"known: {', '.join(PARTS)}")
    asked = options.parts or PARTS
    if not options.archives and "aar" in options.parts:
        raise UsageError("an AAR was asked for, and no archives are to be written", hint="drop one of the two options")
    parts = tuple(part for part in PARTS if part in asked and (part != "aar" or options.archives))
    if "sample" in parts and not {"aar", "module"} & set(parts):
        raise UsageError("the sample takes its model from the AAR or the module", hint="--parts sample,module")
    return parts


def check_sizes(manifest: BundleManifest, parts: tuple[str, ...]) -> None:
    """DataError: a part that cannot carry that many bytes; it says which parts can."""
    nbytes = sum(file.bytes for file in manifest.files)
    too_small = [part for part in parts if nbytes > _LIMITS.get(part, nbytes)]
    if not too_small:
        return
    left = [part for part in parts if part not in too_small]
    if not {"aar", "module"} & set(left):
        left = [part for part in left if part != "sample"]
    part = too_small[0]
    raise DataError(
        f"{manifest.name} has {nbytes / 1e9:.2f} GB: {_WHY[part]}",
        hint=f"leave it out: --parts {','.join(left)}"
        if left
        else "no way into an app is this large: build a smaller one, or let the app download the model's plain files",
    )


def check_names(manifest: BundleManifest) -> None:
    """DataError: a file that Android's packaging would leave out or unpack in silence.

    Source: aapt2's default pattern of ignored assets (hidden files, folders that begin with _, names that end in ~),
    and the merging of assets, which unpacks .gz.
    """
    for file in manifest.files:
        *folders, name = PurePosixPath(file.name).parts
        hidden = any(part.startswith(".") for part in (*folders, name)) or any(f.startswith("_") for f in folders)
        if hidden or name.endswith(("~", ".gz", ".scc")) or name.lower() in ("thumbs.db", "picasa.ini"):
            raise DataError(
                f"{file.name}: Android's packaging leaves out or unpacks files of such a name",
                hint="rename the file in the build's output, or bundle for another kind",
            )


def no_compress(manifest: BundleManifest) -> tuple[str, ...]:
    """Endings of the files that must be stored: the model's, and bundle.json's."""
    names = [file.name for file in manifest.files if file.name.startswith(f"{MODEL_FOLDER}/")]
    return tuple(sorted({ending(name) for name in (*names, BUNDLE_NAME)}))


def ending(name: str) -> str:
    """The name's last part after the dot; the whole name where it has none."""
    path = PurePosixPath(name)
    return path.suffix.removeprefix(".") or path.name
