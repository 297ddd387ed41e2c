"""Whatever is touched in a signed bundle is found, and named."""

from __future__ import annotations

import json

import pytest
from signed_bundles import SignedBundle

from edgeshrink.bundle.signing.names import SIGNATURE_NAME
from edgeshrink.bundle.signing.verify import verify
from tools.tamper import KINDS, tamper


@pytest.mark.parametrize("seed", [1, 20261121])
def test_hundreds_of_random_touches_are_all_found_and_named(pristine: SignedBundle, seed: int) -> None:
    tally = tamper(pristine.folder, pristine.public, 250, seed=seed)
    assert tally.missed == []
    assert set(tally.tried) == set(KINDS)
    assert tally.found == tally.named == tally.tried


def test_no_byte_of_the_signature_file_can_be_another(bundle: SignedBundle) -> None:
    path = bundle.folder / SIGNATURE_NAME
    content = path.read_bytes()
    payload = json.loads(content)["dsseEnvelope"]["payload"].encode()
    begin = content.index(payload)
    # What is signed is all alike: its ends and a few of it. Around it each field is different.
    places = [
        *range(begin + 8),
        *range(begin + 8, begin + len(payload) - 8, 397),
        *range(begin + len(payload) - 8, len(content)),
    ]
    unnoticed = []
    for place in places:
        for flipped in (content[place] ^ 0x01, content[place] ^ 0x20):
            path.write_bytes(content[:place] + bytes([flipped]) + content[place + 1 :])
            findings = verify(bundle.folder, key=bundle.public).findings
            if [(finding.kind, finding.name) for finding in findings] != [("signature", SIGNATURE_NAME)]:
                unnoticed.append((place, chr(flipped), findings))
    assert unnoticed == []
