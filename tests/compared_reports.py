"""Reports of two builds, as files: what `edgeshrink compare` reads in a CI job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.measurement import HostFacts, HostState, Measurements, Memory, PrefillPoint, RuntimeFacts
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import REPORT_SCHEMA, Artifact, Report
from edgeshrink.core.verdict import Verdict
from edgeshrink.report.json import report_to_json

NO = Unmeasured("not looked at")
HOST = HostFacts("a laptop", "Linux", "cpu", 6, 8 << 30, "3.11")


def measured(decode: float, peak: float, *, half: float = 0.2) -> Measurements:
    """A session on a laptop; `half` is that of the decode speed's interval."""
    state = HostState(NO, NO, "performance", NO, NO)
    speed = Measured(decode, 5, decode - half, decode + half)
    first = Measured(8000 / decode, 5, 7900 / decode, 8100 / decode)
    return Measurements(
        artifact_sha256="0" * 64,
        artifact_bytes=500,
        taken_at="2026-11-21T12:00:00+00:00",
        repetitions=5,
        host=HOST,
        runtime=RuntimeFacts("llama_cpp", "0", "b", "CPU", (), 6, 0, 512),
        before=state,
        after=state,
        load_cold_ms=NO,
        load_warm_ms=NO,
        prefill=(PrefillPoint(256, first, first, NO, ()),),
        decode_tok_s=speed,
        inter_token_p50_ms=NO,
        inter_token_p95_ms=NO,
        inter_token_p99_ms=NO,
        inter_token_samples_ms=(),
        memory=Memory(Measured(peak), NO, NO, NO, NO, ()),
        energy_mj_per_token=NO,
    )


def report(
    nbytes: int, behaviour: Behaviour | None, measurements: Measurements | None = None, *, sha256: str = "0" * 64
) -> Report:
    artifact = Artifact("model.gguf", "gguf", "Q4_K_M", sha256, nbytes, nbytes, 4.5, ())
    return Report(
        schema=REPORT_SCHEMA,
        version="0",
        created_at="2026-11-21T12:00:00+00:00",
        target="laptop-cpu",
        profile="laptop-4core-8gb",
        profile_name="a laptop",
        on_device=False,
        context=512,
        source=None,
        artifact=artifact,
        compression=None,
        candidates=(),
        ladder=(),
        predictions=None,
        quality=None,
        measurements=measurements,
        verdict=Verdict("UNKNOWN", ()),
        host=HOST,
        steps=(),
        notes=(),
        traded_away=(),
        behaviour=behaviour,
    )


def written(folder: Path, name: str, one: Report) -> Path:
    """The report as `folder`/`name`, a .json."""
    path = folder / name
    path.write_text(report_to_json(one), encoding="utf-8")
    return path


def elsewhere(seen: Measurements) -> Measurements:
    """The same session on another machine."""
    return replace(seen, host=replace(HOST, id="another laptop"))
