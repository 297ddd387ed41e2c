"""Options that say who signs: whole, or refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.commands.passphrases import seal_of
from edgeshrink.core.request import Request
from edgeshrink.engine.opened import network_of
from edgeshrink.errors import UsageError

KEY = Path("edgeshrink.key")


def test_a_key_signs_with_its_passphrase_and_the_name_given(tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text("secret\nmore\n")
    seal = seal_of(KEY, False, tmp_path / "passphrase", "me")
    assert seal is not None
    assert (seal.key, seal.passphrase, seal.signer) == (KEY, "secret", "me")


def test_nobody_signs_where_nothing_is_said() -> None:
    assert seal_of(None, False, None, "") is None


def test_an_identity_signs_without_a_key() -> None:
    seal = seal_of(None, False, None, "me", keyless=True)
    assert seal is not None
    assert seal.key is None


@pytest.mark.parametrize(
    ("ask", "file", "signer"), [(True, None, ""), (False, Path("passphrase"), ""), (False, None, "me")]
)
def test_a_passphrase_or_a_signer_without_a_key_is_refused(ask: bool, file: Path | None, signer: str) -> None:
    with pytest.raises(UsageError, match="nothing would be signed"):
        seal_of(None, ask, file, signer)


def test_a_key_and_an_identity_together_are_refused() -> None:
    with pytest.raises(UsageError, match="both say who signs"):
        seal_of(KEY, False, None, "", keyless=True)


@pytest.mark.parametrize("model", [None, "."])
def test_a_revision_of_what_is_not_on_the_hub_is_refused(model: str | None) -> None:
    with pytest.raises(UsageError, match="--revision"):
        network_of(Request(model=model, revision="main"))
