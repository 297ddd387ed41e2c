"""What all tests of smaller models share."""

from __future__ import annotations

import pytest
from shrunk_models import KINDS, shrinkable

from edgeshrink.core.model import ModelFacts


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFacts]:
    """The facts of each kind."""
    return {kind: shrinkable(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}
