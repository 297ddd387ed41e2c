"""iOS and macOS: Swift packages for the model, for its runtime, and a sample. SwiftPM takes folders, so no archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

from edgeshrink.bundle.cargo import Cargo
from edgeshrink.bundle.interface import Bundler
from edgeshrink.bundle.ios.engines import llama_pin
from edgeshrink.bundle.ios.glue import (
    check_executorch,
    check_llama,
    executorch_revision_of,
    write_executorch,
    write_llama,
)
from edgeshrink.bundle.ios.names import module_name
from edgeshrink.bundle.ios.packages import SWIFT, template_folder, write_measuring_code, write_package
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.core.events import Listener, Progress
from edgeshrink.errors import UnsupportedModel

_LARGEST_APP = 4 * 10**9
"""The most that App Store Connect takes of an iOS app, uncompressed."""

_APP = " `App/ModelApp.swift` there, in place\n  of the App file of a new Xcode project, asks `{}`."


@dataclass(frozen=True, slots=True)
class _Glue:
    """What was written between model and runtime. `package` is "" and `kind` "core" where nothing was."""

    kind: str
    package: str
    note: str
    values: dict[str, str]


class IosBundler:
    """The one for the kind `ios`."""

    def check(self, manifest: BundleManifest, options: BundleOptions) -> None:
        if manifest.format == "gguf":
            check_llama(options)
        elif manifest.format == "executorch":
            check_executorch(manifest, options)
        else:
            raise UnsupportedModel(
                f"a bundle for iOS and macOS holds a GGUF or a .pte, and this artifact is {manifest.format}",
                hint="build with --format gguf or --format executorch",
            )

    def copies(self, manifest: BundleManifest, options: BundleOptions) -> int:
        return 0

    def tools(self, options: BundleOptions) -> Mapping[str, str]:
        return {}

    def write(self, cargo: Cargo, options: BundleOptions, listener: Listener) -> tuple[str, ...]:
        module = module_name(cargo.manifest.name)
        write_package(cargo, "model", module)
        write_measuring_code(
            cargo, "Sources/EdgeshrinkMeasure", f"{module}/Tests/{module}Measure", "Machine.swift", "Memory.swift"
        )
        for done, name in enumerate(files := cargo.files, 1):
            cargo.lay(name, f"{SWIFT}/{module}/Sources/{module}/Model/{name}")
            listener(Progress("laying the model into the Swift package", done, len(files), "files"))
        glue = _write_glue(cargo, options)
        write_package(cargo, "sample", "sample", texts={f"{module}Llama": glue.package})
        if not glue.package:
            app = cargo.folder / SWIFT / "sample" / "App" / "ModelApp.swift"
            app.unlink()
            app.parent.rmdir()  # no signature covers an empty folder
        cargo.write("README.md", _readme(cargo.manifest, glue))
        notes = [glue.note] if glue.note else []
        if cargo.manifest.artifact_bytes > _LARGEST_APP:
            notes.append("the App Store takes no iOS app of more than 4 GB, and the model alone has more: download it")
        return tuple(notes)


def _write_glue(cargo: Cargo, options: BundleOptions) -> _Glue:
    manifest = cargo.manifest
    engine = manifest.engine
    if manifest.base_sha256 is not None:
        return _Glue("core", "", "an adapter is opened by the package of its base", {})
    if manifest.format == "gguf":
        pin = llama_pin(manifest.engine)
        if pin is None:
            unknown = f"no package opens it: it is not known which llama.cpp {engine.package} {engine.version} holds"
            return _Glue("core", "", unknown, {})
        package = write_llama(cargo, pin, options)
        framework = f"The XCFramework comes from\n  {options.xcframework_url}."
        note = ""
        if not options.xcframework_url:
            framework = (
                "Put `llama.xcframework` beside its `Package.swift` first: on a Mac,\n"
                f"  `./build-xcframework.sh` in a checkout of github.com/ggml-org/llama.cpp at {pin.commit}."
            )
            note = f"put the llama.xcframework of llama.cpp {pin.commit} into swift/{package}; README.md says how"
        return _Glue("llama", package, note, {"commit": pin.commit, "ggml": pin.ggml, "framework": framework})
    revision = executorch_revision_of(manifest, options)
    if revision is None:
        missing = (
            f"no package opens it: --executorch-revision has to name the commit of ExecuTorch's Swift package "
            f"{engine.version} (the head of branch swiftpm-{engine.version} of github.com/pytorch/executorch)"
        )
        return _Glue("core", "", missing, {})
    return _Glue("executorch", write_executorch(cargo, revision), "", {"revision": revision})


def _readme(manifest: BundleManifest, glue: _Glue) -> str:
    folder = template_folder() / "readme"
    module = module_name(manifest.name)
    package = glue.package or module
    values = {
        "name": manifest.name,
        "version": manifest.version,
        "module": module,
        "package": package,
        "choose": f"`swift/{package}`",
        "engine": f"{manifest.engine.project} {manifest.engine.version}",
        "measured": f"{manifest.engine.package} {manifest.engine.version}",
        "project": manifest.engine.project,
        "engine_version": manifest.engine.version,
        "context": str(manifest.context),
        "memory": "not known"
        if manifest.memory_bytes is None
        else f"{manifest.memory_bytes >> 20} MiB, {manifest.memory_how}",
        "app": _APP.format(glue.package) if glue.package else "",
        "fallback": ""
        if manifest.fallback is None
        else f", the confidence below which to hand over\n({manifest.fallback.threshold:g})",
        **glue.values,
    }
    parts = (folder / f"{glue.kind}.md").read_text(encoding="utf-8").split("---\n")
    for name, part in zip(("glue", "use", "test"), parts, strict=True):
        values[name] = Template(part).substitute(values)
    return Template((folder / "bundle.md").read_text(encoding="utf-8")).substitute(values).rstrip("\n") + "\n"


BUNDLER: Bundler = IosBundler()
