"""What one package is: names and places, and the values that its scripts and units are filled with."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from edgeshrink.bundle.jetson.program import DeviceProgram
from edgeshrink.core.bundle import BundleManifest

_LANGUAGE_MODEL_MARKS = ("genai_config.json", "tokenizer.json", "tokenizer.model")
_START_S, _SLOWEST_BYTES_S = 120, 10_000_000
"""What starting may take: so long, and every file read at the speed of a poor memory card."""
_ON_CPU = """\
PrivateDevices=yes
MemoryDenyWriteExecute=yes
ProtectClock=yes"""
_IN_PYTHON = """\
PrivateDevices=yes
ProtectClock=yes"""
_ON_GPU = """\
# CUDA reaches the GPU through /dev/nvhost-*, /dev/nvmap and /dev/nvgpu, which these groups may open.
SupplementaryGroups=video render"""


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """One package. `program` is None where a Python runs the model; `python` is its version then, else ""."""

    manifest: BundleManifest
    program: DeviceProgram | None
    python: str
    own_python: bool
    threads: int | None

    @property
    def package(self) -> str:
        return f"edgeshrink-{self.manifest.name}"

    @property
    def home(self) -> str:
        """Where the package stands on the device, without the leading slash."""
        return f"opt/edgeshrink/{self.manifest.name}"

    @property
    def deb(self) -> str:
        return f"{self.package}_{self.manifest.version}_arm64.deb"

    @property
    def answers(self) -> bool:
        """Whether it is a language model: a network generates no text, and no service runs it."""
        names = {file.name for file in self.manifest.files}
        main = self.manifest.main
        return self.program is not None or any(f"{main}/{mark}" in names for mark in _LANGUAGE_MODEL_MARKS)

    def depends(self) -> tuple[str, ...]:
        if self.program is not None:
            return self.program.depends
        if self.own_python:
            return ("libc6 (>= 2.31)", "libstdc++6")
        return ("libc6 (>= 2.31)", "libstdc++6", f"python{self.python} | python3 (>= {self.python})")

    def settings(self) -> str:
        """`settings`: what the launcher knows of this model, as a shell reads it."""
        manifest, engine = self.manifest, self.manifest.engine
        values = {
            "version": manifest.version,
            "main": manifest.main,
            "engine": f"{engine.project} {engine.version}",
            "engine_version": engine.version,
            "answers": "yes" if self.answers else "no",
            "python": self.python,
            "context": str(manifest.context),
            "threads": str(self.threads or manifest.threads or 0),
            "gpu_layers": "999" if self.program is not None and self.program.cuda else "0",
            "stop_ids": ",".join(map(str, manifest.chat.stop_ids)) if manifest.chat else "",
        }
        return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())

    def values(self, file_bytes: int) -> dict[str, str]:
        """For the templates; `file_bytes` is what the service reads before it starts."""
        limit = self.manifest.memory_limit_bytes
        kind = _IN_PYTHON if self.program is None else _ON_GPU if self.program.cuda else _ON_CPU
        return {
            "name": self.manifest.name,
            "package": self.package,
            "version": self.manifest.version,
            "deb": self.deb,
            "engine": f"{self.manifest.engine.project} {self.manifest.engine.version}",
            "context": str(self.manifest.context),
            "python": self.python,
            "answers": "yes" if self.answers else "no",
            "needs_python": "yes" if self.python and not self.own_python else "no",
            "memory": f"MemoryMax={limit}\nMemorySwapMax=0" if limit else "# The profile's budget sets no limit.",
            "devices": kind,
            "start_s": str(_START_S + 2 * file_bytes // _SLOWEST_BYTES_S),
        }
