"""A signed bundle for the tests of signing and verifying."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from signed_bundles import SignedBundle, signed_bundle

pytest.importorskip("model_signing", reason="bundles are signed by the extra `bundle`")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> SignedBundle:
    """Not to be touched."""
    return signed_bundle(tmp_path_factory.mktemp("signed"))


@pytest.fixture
def bundle(pristine: SignedBundle, tmp_path: Path) -> SignedBundle:
    """A copy to touch."""
    folder = tmp_path / "bundle"
    shutil.copytree(pristine.folder, folder)
    return SignedBundle(folder, pristine.key, pristine.public, pristine.claims)
