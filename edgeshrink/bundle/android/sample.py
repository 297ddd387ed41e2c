"""The sample app: a Gradle project that takes the model from the Maven repository, or from the module."""

from __future__ import annotations

from edgeshrink.bundle.android.naming import Names
from edgeshrink.bundle.android.parts import no_compress
from edgeshrink.bundle.android.templates import filled, kotlin_list, template
from edgeshrink.bundle.cargo import Cargo

_FOLDER = "android/sample"
_MAVEN = '        maven { url = uri("../maven") }\n'
_MODULE = 'include(":model")\nproject(":model").projectDir = file("../module")\n'


def write_sample(cargo: Cargo, names: Names, *, from_maven: bool) -> None:
    """Write `android/sample`."""
    values = {
        "name": names.artifact,
        "version": names.version,
        "application_id": names.application_id,
        "min_sdk": names.min_sdk,
        "no_compress": kotlin_list(no_compress(cargo.manifest)),
        "dependency": f'"{names.coordinates}"' if from_maven else 'project(":model")',
        "repository": _MAVEN if from_maven else "",
        "project": "" if from_maven else _MODULE,
        "from": "`../maven`" if from_maven else "`../module`",
    }
    root = template("sample")
    for path in sorted(file for file in root.rglob("*") if file.is_file()):
        place = path.relative_to(root)
        cargo.write(f"{_FOLDER}/{place.as_posix()}", filled("sample", *place.parts, **values))
