"""What can be wrong with a bundle, one class each, so that an app can say the right thing."""

from __future__ import annotations


class BundleError(Exception):
    """Base of all: the message says what is wrong and where."""


class BundleMissing(BundleError):
    """There is no bundle.json in the folder."""


class BundleInvalid(BundleError):
    """bundle.json is not of this schema, or names a file that would lie outside the bundle."""


class FileMissing(BundleError):
    """A file that bundle.json lists is not there."""


class DigestMismatch(BundleError):
    """A file's size or bytes are not those that were measured."""


class EngineMismatch(BundleError):
    """The engine that is installed is not the one that the artifact was measured with."""


class ModelUnopenable(BundleError):
    """The engine refused the model, or failed while it computed."""


class WrongBase(BundleError):
    """An adapter and a model that do not belong together."""


class QuestionRefused(BundleError, ValueError):
    """The question does not fit the context, or is no text."""
