"""A Swift package whose XCTest measures a GGUF on the iPhone, iPad or Mac that runs it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeshrink.catalog.data import shipped_folder

RESOURCES = "Tests/MeasureModel/Model"
"""Not named Resources: a folder of that name changes what a bundle is taken for."""
LEFT_OUT = shutil.ignore_patterns(".build", ".swiftpm", "Package.resolved", "*.xcframework")
"""What a build of a template leaves in it."""


@dataclass(frozen=True, slots=True)
class MeasuringPlan:
    """`session.json` in the package: what its test measures. Fields are those of Plan.swift."""

    artifact_sha256: str
    build: str
    llama: str
    context: int
    threads: int
    gpu_layers: int
    prompt_tokens: tuple[int, ...]
    first_repetitions: int
    depths: tuple[int, ...]
    decode_tokens: int
    repetitions: int


def measuring_template() -> Path:
    """The package as it is shipped; bundles take Swift files from it."""
    return shipped_folder("targets") / "apple-silicon" / "measure"


def write_measuring_package(folder: Path, artifact: Path, plan: MeasuringPlan, text: str) -> None:
    """Fill the existing empty `folder` with the package, the model and `text` to prompt with inside it.

    llama.cpp's XCFramework is the user's to add: the package's README says where it comes from.
    """
    shutil.copytree(measuring_template(), folder, dirs_exist_ok=True, ignore=LEFT_OUT)
    resources = folder / RESOURCES
    resources.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(artifact, resources / "model.gguf")
    (resources / "prompt.txt").write_text(text, encoding="utf-8")
    (resources / "session.json").write_text(json.dumps(asdict(plan), indent=1) + "\n", encoding="utf-8")
