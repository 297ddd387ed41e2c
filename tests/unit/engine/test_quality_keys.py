"""A quality that was read without a format's own checks is not taken for one with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from edgeshrink.catalog.texts import evaluation_text
from edgeshrink.core.quality import Check
from edgeshrink.core.reading import Unmeasured
from edgeshrink.engine.steps.evaluation import Evaluate


def test_what_evaluate_read_is_not_what_a_build_asks_for() -> None:
    """`evaluate` knows no plan, so it cannot ask whether the tensors in the file are the plan's."""
    told = Evaluate(
        artifact=Path("model.gguf"),
        artifact_sha256="a" * 64,
        source_sha256="b" * 64,
        runtime="llama_cpp",
        tensors=(),
        delegate="cpu",
        own_checks=None,
        facts=cast(Any, None),
        vocabulary=cast(Any, None),
        reference=Unmeasured("too big"),
        text=evaluation_text(),
        context=64,
        threads=1,
        runtime_build="b1",
    )
    built = replace(told, own_checks=lambda _: (Check("tensors", "ok", ""),))
    assert told.key_parts() != built.key_parts()
    assert built.key_parts() == replace(built, threads=8, own_checks=lambda _: ()).key_parts()
