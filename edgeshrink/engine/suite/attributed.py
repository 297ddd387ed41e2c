"""Which tensors a suite's losses come from: the suite again, with some of them put back."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.reading import Unmeasured
from edgeshrink.engine.attribution import attribute
from edgeshrink.engine.suite.examination import Examination
from edgeshrink.engine.suite.run import run_suite
from edgeshrink.evaluate.attribution import same_source
from edgeshrink.store import store_root
from edgeshrink.store.digests import file_sha256


def attributed(examination: Examination, behaviour: Behaviour, failed: Collection[str] = ()) -> Behaviour:
    """`behaviour`, with the sources of every slice that lost for certain or `failed` its gate, by the items of its
    first round."""
    suite = replace(examination.suite, looks=1, harness=())
    once = replace(examination, suite=suite)

    def run(file: Path, names: frozenset[str]) -> Behaviour:
        subject = replace(once.candidate.subject, path=file)
        side = replace(once.candidate, subject=subject, sha256=file_sha256(file))
        return run_suite(replace(once, candidate=side, only=names))

    lost = frozenset(one.name for one in behaviour.moved) | frozenset(failed)
    scratch = store_root() / "work"  # as large as the store's disk, and cleared by `cache gc` after a crash
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="graft-", dir=scratch) as folder:
        found = attribute(
            run_suite(replace(once, only=lost)) if lost else behaviour,
            run,
            examination.candidate.subject.path,
            examination.reference.subject.path,
            Path(folder),
            slices=lost,
            listener=examination.listener,
        )
    together = () if isinstance(found, Unmeasured) else same_source(found)
    return replace(behaviour, attributions=found, together=together)
