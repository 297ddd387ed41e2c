"""What a bundle is called as a Python project, and what that project needs."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import Version

from edgeshrink.core.bundle import BundleManifest

REQUIRES_PYTHON = ">=3.10"
# What the loader imports beside its engine, and which the engine does not bring.
_BESIDE = {"llama_cpp": (), "onnx": (), "executorch": ("torch", "pytorch-tokenizers")}
_LANGUAGE_MODEL_MARKS = ("genai_config.json", "tokenizer.json", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class ProjectNames:
    """Names by PEP 503 (project), PEP 8 (module), and the binary distribution format (wheel and its folders)."""

    project: str
    module: str
    version: str

    @property
    def wheel(self) -> str:
        return f"{self.module}-{self.version}-py3-none-any.whl"

    @property
    def metadata(self) -> str:
        return f"{self.module}-{self.version}.dist-info"

    @property
    def tree(self) -> str:
        return f"{self.project}-{self.version}"

    @property
    def tarball(self) -> str:
        return f"{self.tree}.tar.gz"


def project_names(manifest: BundleManifest) -> ProjectNames:
    """`manifest.name` is a slug; the version is written as PEP 440 normalizes it."""
    module = f"edgeshrink_{manifest.name.replace('-', '_')}"
    return ProjectNames(f"edgeshrink-{manifest.name}", module, str(Version(manifest.version)))


def requirements(manifest: BundleManifest) -> tuple[str, ...]:
    """The engine, in its version alone, and what the loader imports beside it: in the tools' versions, where known."""
    found = [f"{manifest.engine.package}=={manifest.engine.version}"]
    for package in _BESIDE.get(manifest.engine.runtime, ()):
        version = manifest.tools.get(package, "").partition("+")[0]  # a local label names a build of the same version
        found.append(f"{package}=={version}" if version else package)
    return (*found, "numpy")


def is_network(manifest: BundleManifest) -> bool:
    """Whether the artifact generates no text: no tokenizer lies beside it."""
    names = {file.name for file in manifest.files}
    marks = (f"{manifest.main}/{mark}" for mark in _LANGUAGE_MODEL_MARKS)
    return manifest.engine.runtime != "llama_cpp" and not any(mark in names for mark in marks)
