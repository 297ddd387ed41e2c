"""What a laptop gets: a Python package with the model inside, as a folder, a wheel and a tarball."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from edgeshrink.bundle.archives.entries import Entry, copy_hashed, in_order, tree
from edgeshrink.bundle.archives.tar import write_tar_gz
from edgeshrink.bundle.cargo import PROGRAM_MODE, Cargo
from edgeshrink.bundle.laptop.loader import launcher, loader_files, readme
from edgeshrink.bundle.laptop.names import ProjectNames, is_network, project_names, requirements
from edgeshrink.bundle.laptop.wheel import write_wheel
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.core.events import Listener
from edgeshrink.errors import UsageError

_RUNTIMES = {"gguf": "llama_cpp", "onnx": "onnx", "executorch": "executorch"}
_PYTHON, _RUNNER = "python", "bin/edgeshrink-runner"
_PYPI_BYTES = 100 << 20
_MANY_LAPTOPS_CORES = 4


class LaptopBundler:
    """See `bundle.interface.Bundler`."""

    def check(self, manifest: BundleManifest, options: BundleOptions) -> None:
        if _RUNTIMES.get(manifest.format) != manifest.engine.runtime:
            raise UsageError(
                f"a laptop's bundle opens {', '.join(_RUNTIMES)}, not {manifest.format} by {manifest.engine.runtime}",
                hint="build with --format gguf, onnx or executorch",
            )
        if options.runner is not None and manifest.format != "gguf":
            raise UsageError(
                f"the native runner opens GGUF files, and this artifact is {manifest.format}",
                hint="leave the runner out: the Python package opens it",
            )

    def copies(self, manifest: BundleManifest, options: BundleOptions) -> int:
        return 2 if options.archives else 0

    def tools(self, options: BundleOptions) -> Mapping[str, str]:
        return {}

    def write(self, cargo: Cargo, options: BundleOptions, listener: Listener) -> tuple[str, ...]:
        names = project_names(cargo.manifest)
        package = f"{_PYTHON}/{names.module}"
        for name, content in loader_files().items():
            cargo.write(f"{package}/{name}", content)
        for name in cargo.files:
            cargo.lay(name, f"{package}/bundle/{name}")
        cargo.write(f"bin/{names.project}", launcher(), program=True)
        cargo.write("requirements.txt", "".join(f"{each}\n" for each in requirements(cargo.manifest)))
        if options.runner is not None:
            self._carry_runner(cargo, options.runner, listener)
        text = self._readme(cargo, names, options)
        cargo.write("README.md", text)
        if not options.archives:
            return ()
        return self._archives(cargo, names, text, listener)

    def _archives(self, cargo: Cargo, names: ProjectNames, text: str, listener: Listener) -> tuple[str, ...]:
        root = cargo.folder
        files = in_order(tree(root / _PYTHON, inside=""))
        known = {f"{names.module}/bundle/{file.name}": file.sha256 for file in cargo.manifest.files}
        wheel = write_wheel(root, names, cargo.manifest, files, known, description=text, listener=listener)
        own = [Entry(name, root / name) for name in ("README.md", "requirements.txt")]
        kept = [*own, *tree(root / "bin", inside="bin/"), *tree(root / _PYTHON, inside=f"{_PYTHON}/")]
        if (root / "chat").is_dir():
            kept += tree(root / "chat", inside="chat/")
        entries = [Entry(f"{names.tree}/{entry.name}", entry.source, entry.program) for entry in in_order(kept)]
        write_tar_gz(root / names.tarball, entries, listener=listener)
        if (nbytes := wheel.stat().st_size) > _PYPI_BYTES:
            return (
                f"{names.wheel} has {nbytes / (1 << 20):.0f} MiB: pypi.org takes 100; hand the file out, "
                "or serve it from an index of your own.",
            )
        return ()

    def _carry_runner(self, cargo: Cargo, runner: Path, listener: Listener) -> None:
        place = cargo.folder / _RUNNER
        copy_hashed(runner, place, listener)
        place.chmod(PROGRAM_MODE)
        if chat := cargo.manifest.chat:
            cargo.write("chat/before.txt", chat.before)
            cargo.write("chat/after.txt", chat.after)

    def _readme(self, cargo: Cargo, names: ProjectNames, options: BundleOptions) -> str:
        manifest = cargo.manifest
        parts = [
            "head",
            "wheel" if options.archives else "folder",
            "network" if is_network(manifest) else "answers",
            *(["runner"] if options.runner is not None else []),
            "verify",
        ]
        memory = manifest.memory_bytes
        return readme(
            *parts,
            name=manifest.name,
            version=manifest.version,
            project=names.project,
            module=names.module,
            wheel=names.wheel,
            tarball=names.tarball,
            package=manifest.engine.package,
            engine_version=manifest.engine.version,
            size=f"{manifest.artifact_bytes:,}",
            memory="not known" if memory is None else f"{memory:,} bytes ({manifest.memory_how})",
            command=_runner_command(manifest, names),
        )


def _runner_command(manifest: BundleManifest, names: ProjectNames) -> str:
    words = [_RUNNER, "answer", "--model", f"{_PYTHON}/{names.module}/bundle/{manifest.main}"]
    words += ["--context", str(manifest.context), "--threads", str(manifest.threads or _MANY_LAPTOPS_CORES)]
    if manifest.chat is not None:
        words += ["--before", "chat/before.txt", "--after", "chat/after.txt"]
        if manifest.chat.stop_ids:
            words += ["--stop-ids", ",".join(map(str, manifest.chat.stop_ids))]
    return shlex.join([*words, "--prompt", "..."])


BUNDLER = LaptopBundler()
