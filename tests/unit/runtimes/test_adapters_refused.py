from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.errors import RuntimeFailed


def test_executorch_runs_no_adapter_and_says_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("executorch")
    from edgeshrink.runtimes import executorch

    with pytest.raises(RuntimeFailed, match="runs no adapters beside a") as refused:
        executorch.load(tmp_path / "model.pte", context=8, threads=1, adapter=tmp_path / "skill")
    assert "merged" in refused.value.hint
