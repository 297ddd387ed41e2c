"""Which suite a request asks for, and what it must be kept apart from."""

from __future__ import annotations

import os

from edgeshrink.catalog.texts import Text
from edgeshrink.core.request import Request
from edgeshrink.core.suite import Suite
from edgeshrink.evaluate.kept_apart import refuse_leaks
from edgeshrink.evaluate.suite_files import load_suite

ENVIRONMENT = "EDGESHRINK_SUITE"
_DEFAULT, NONE = "standard", "none"


def chosen_suite(request: Request) -> Suite | None:
    """The suite of `request`; None where it asks for none. UsageError or DataError where it cannot be read."""
    words = request.suite if request.suite is not None else os.environ.get(ENVIRONMENT) or _DEFAULT
    return None if words == NONE else load_suite(words)


def keep_apart(suite: Suite, calibration: Text) -> None:
    """DataError where what is evaluated with stands in what is calibrated with."""
    refuse_leaks(suite, calibration)
