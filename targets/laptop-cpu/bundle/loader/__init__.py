# SPDX-License-Identifier: Apache-2.0
"""A model that was measured, and what opens it: `model = load(); print(model.answer("..."))`."""

from __future__ import annotations

from .about import About, Chat, Engine, Fallback, Licence, Operating
from .errors import (
    BundleError,
    BundleInvalid,
    BundleMissing,
    DigestMismatch,
    EngineMismatch,
    FileMissing,
    ModelUnopenable,
    QuestionRefused,
    WrongBase,
)
from .model import Model, load

__all__ = [
    "About",
    "BundleError",
    "BundleInvalid",
    "BundleMissing",
    "Chat",
    "DigestMismatch",
    "Engine",
    "EngineMismatch",
    "Fallback",
    "FileMissing",
    "Licence",
    "Model",
    "ModelUnopenable",
    "Operating",
    "QuestionRefused",
    "WrongBase",
    "load",
]
