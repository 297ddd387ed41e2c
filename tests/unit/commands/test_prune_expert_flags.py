"""What `prune` says of options of experts that mean nothing together."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from edgeshrink.commands.prune import command
from edgeshrink.core.shrinking_request import ExpertsWanted, PruneRequest
from edgeshrink.errors import UsageError


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--expert-method", "usage"], "how many experts"),
        (["--merge-experts", "--params", "0.5"], "how many experts"),
        (["--experts", "4", "--heal", "routers"], "mixture of experts that learns"),
        (["--params", "0.5", "--heal", "routers", "--data", "x", "--steps", "1"], "mixture of experts that learns"),
    ],
)
def test_what_means_nothing_is_refused(flags: list[str], words: str) -> None:
    result = CliRunner().invoke(command, ["model", "-o", "out", *flags])
    assert isinstance(result.exception, UsageError)
    assert words in str(result.exception)


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ([], None),
        (["--experts", "4"], ExpertsWanted(4)),
        (["--expert-ffn", "32", "--drop-experts"], ExpertsWanted(ffn=32, merge=False)),
        (
            ["--experts", "4", "--expert-method", "attribution", "--merge-experts"],
            ExpertsWanted(4, None, "attribution", True),
        ),
    ],
)
def test_options_become_what_is_wanted(
    flags: list[str], wanted: ExpertsWanted | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[PruneRequest] = []

    def prune(request: PruneRequest, **_: object) -> None:
        seen.append(request)
        raise UsageError("seen")

    monkeypatch.setattr("edgeshrink.engine.shrink.prune.prune", prune)
    CliRunner().invoke(command, ["model", "-o", "out", *flags])
    assert [request.experts for request in seen] == [wanted]
