"""The Jetson bundle: `root/` as it is installed, a .deb made of it, and how to use them."""

from __future__ import annotations

from collections.abc import Mapping

from edgeshrink.bundle.archives.entries import in_order, tree
from edgeshrink.bundle.cargo import Cargo, settle_modes
from edgeshrink.bundle.jetson.control import control_entries
from edgeshrink.bundle.jetson.deb import refuse_larger, write_deb
from edgeshrink.bundle.jetson.facts import PackageFacts
from edgeshrink.bundle.jetson.program import DeviceProgram, device_program, speaks
from edgeshrink.bundle.jetson.python_runtime import check_python_runtime
from edgeshrink.bundle.jetson.tree import ROOT, lay_tree, refuse_odd_names
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.core.events import Listener
from edgeshrink.errors import ToolMissing, UsageError

_PYTHON_RUNTIMES = ("onnx", "executorch")


class JetsonBundler:
    def check(self, manifest: BundleManifest, options: BundleOptions) -> None:
        facts = _facts(manifest, options)
        refuse_odd_names(manifest)
        if options.archives:
            refuse_larger(facts.deb, sum(file.bytes for file in manifest.files))

    def copies(self, manifest: BundleManifest, options: BundleOptions) -> int:
        return int(options.archives)

    def tools(self, options: BundleOptions) -> Mapping[str, str]:
        return {}

    def write(self, cargo: Cargo, options: BundleOptions, listener: Listener) -> tuple[str, ...]:
        facts = _facts(cargo.manifest, options)
        said = lay_tree(cargo, facts, options, listener)
        settle_modes(cargo.folder / ROOT)
        if options.archives:
            data = in_order(tree(cargo.folder / ROOT))
            control = control_entries(facts, data, facts.values(0), listener)
            write_deb(cargo.folder / facts.deb, control, data, listener)
        return said


def _facts(manifest: BundleManifest, options: BundleOptions) -> PackageFacts:
    if manifest.base_sha256 is not None:
        raise UsageError("an adapter is no package of its own: it goes to a device as the small bundle that it is")
    own = options.python is not None
    if manifest.engine.runtime in _PYTHON_RUNTIMES:
        return PackageFacts(manifest, None, check_python_runtime(manifest, options), own, options.threads)
    return PackageFacts(manifest, _program(manifest, options), "", False, options.threads)


def _program(manifest: BundleManifest, options: BundleOptions) -> DeviceProgram:
    if options.runner is None:
        raise ToolMissing(
            "a GGUF on a Jetson needs a native runner in the package",
            hint="--runner FILE names one (arm64 Linux, static); without it one is built for the device profile",
        )
    program = device_program(options.runner)
    if not speaks(options.runner, manifest.engine.version):
        raise UsageError(
            f"{options.runner} is no runner of {manifest.engine.project} {manifest.engine.version}, "
            "with which the model was measured",
            hint="artifact and engine are a pair: build the runner with this installation of edgeshrink",
        )
    return program


BUNDLER = JetsonBundler()
