"""Where a signature stands in the folder that it signs."""

from __future__ import annotations

from typing import Final

from edgeshrink.core.bundle import SIGNATURE_FOLDER

SIGNATURE_NAME: Final = f"{SIGNATURE_FOLDER}/model.sig"
"""The only file of a signed folder that the signature does not cover."""
CLAIMS_NAME: Final = f"{SIGNATURE_FOLDER}/claims.json"
