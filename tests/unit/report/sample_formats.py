"""Reports of other formats and of networks, and comparisons of several: built as the engine builds them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from edgeshrink.core.delegation import Delegation
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.measurement import InferencePoint
from edgeshrink.core.plan import Candidate, Predictions
from edgeshrink.core.quality import Check, LayerError, NetworkQuality
from edgeshrink.core.reading import Estimate, Measured, Unmeasured
from edgeshrink.core.report import (
    COMPARISON_SCHEMA,
    Artifact,
    Comparison,
    Compression,
    FormatOutcome,
    Report,
    Rung,
    SourceSummary,
)
from edgeshrink.judging import judge

from .sample import BUDGET, MIB, sample_report

NOT_A_TEXT = "a network generates no text"
NOT_LOWERED = "no meter is on this machine"
EXPORT_FAILED = "torch.export gave up: data-dependent branch in layer 3\nhint: build another format"
SHAPES = "pixel_values 1x3x32x32"
FILES = (
    "chat_template.jinja",
    "genai_config.json",
    "model.onnx",
    "model.onnx.data",
    "tokenizer.json",
    "tokenizer_config.json",
)


def sample_onnx_report() -> Report:
    """The demo model as ONNX: a folder of six files, everything on the CPU; larger and slower than the GGUF."""
    report = sample_report()
    assert report.quality is not None and report.measurements is not None and report.predictions is not None
    artifact = replace(
        report.artifact,
        file="demo-int4-onnx",
        format="onnx",
        scheme="int4",
        sha256="6f" * 32,
        nbytes=report.artifact.nbytes + 1_510_000,
        files=FILES,
        delegation=Delegation("cpu", 122, 122, 3_000_000, 3_000_000, (), (("lm_head.weight", 1_048_576),), True),
    )
    quality = replace(report.quality, mean_kl=Measured(0.0371, 8192, 0.0352, 0.0390))
    seen = replace(
        report.measurements,
        decode_tok_s=Measured(268.4, 5, 262.0, 271.1),
        runtime=replace(report.measurements.runtime, name="onnxruntime-genai", version="0.18.0", backend="cpu"),
        memory=replace(
            report.measurements.memory,
            peak_rss_bytes=Measured(171.25 * MIB),
            baseline_rss_bytes=Measured(118.5 * MIB),
        ),
    )
    verdict = judge(
        BUDGET,
        artifact_bytes=artifact.nbytes,
        measurements=seen,
        quality=quality,
        predictions=report.predictions,
        delegate="cpu",
    )
    ladder = (replace(report.ladder[-1], scheme="int4", artifact_bytes=artifact.nbytes, mean_kl=quality.mean_kl),)
    return replace(
        report, artifact=artifact, quality=quality, measurements=seen, verdict=verdict, ladder=ladder, candidates=()
    )


def sample_executorch_report() -> Report:
    """The demo model as .pte: nearly everything delegated to XNNPACK, a tied tensor stored twice."""
    report = sample_onnx_report()
    assert report.measurements is not None
    left = (("aten.embedding", 1), ("aten.index_put", 8), ("aten.view", 4))
    twice = (("lm_head.weight", 1_179_648),)
    artifact = replace(
        report.artifact,
        file="demo-8da4w-executorch",
        format="executorch",
        scheme="8da4w",
        sha256="7a" * 32,
        nbytes=3_904_512,
        files=("model.pte", "tokenizer.json"),
        delegation=Delegation("xnnpack", 186, 199, 2_990_000, 2_996_000, left, twice, True),
    )
    runtime = replace(report.measurements.runtime, name="ExecuTorch", version="1.5.1", backend="xnnpack")
    seen = replace(report.measurements, decode_tok_s=Measured(331.0, 5, 324.0, 335.2), runtime=runtime)
    verdict = judge(
        BUDGET,
        artifact_bytes=artifact.nbytes,
        measurements=seen,
        quality=report.quality or Unmeasured("not compared"),
        predictions=report.predictions,
        delegate="xnnpack",
    )
    stages = (("load", 3.1), ("quantize", 5.42), ("export", 20.1), ("lower", 34.0))
    times = ExportTimes(stages, 240 * MIB)
    return replace(report, artifact=artifact, measurements=seen, verdict=verdict, export_times=times)


def sample_apart_report() -> Report:
    """The demo model lowered for Core ML on a machine that has none: inspected, never run."""
    report = sample_executorch_report()
    nothing = Unmeasured("lowered for coreml, which this machine does not have")
    verdict = judge(
        BUDGET,
        artifact_bytes=report.artifact.nbytes,
        measurements=nothing,
        quality=nothing,
        predictions=report.predictions,
        delegate="coreml",
    )
    delegation = Delegation("coreml", 199, 199, 2_996_000, 2_996_000, (), (), False)
    return replace(
        report,
        target="apple-silicon",
        profile="macbook-air-m2-8gb",
        profile_name="MacBook Air M2, 8 GB",
        on_device=False,
        artifact=replace(report.artifact, delegation=delegation),
        quality=None,
        measurements=None,
        verdict=verdict,
        ladder=(),
    )


def sample_network_report(*, points: int = 2) -> Report:
    """A ResNet-20 with int8 weights and activations as ONNX: one layer kept in float, one shape or more timed."""
    report = sample_report()
    assert report.measurements is not None
    chance = random.Random(11)
    quality = NetworkQuality(
        reference="the float32 network in torch",
        data="1000 images of ../shared/data/images",
        data_sha256="0c" * 32,
        samples=1000,
        cosine_mean=Measured(0.99874, 1000, 0.99861, 0.99885, "bootstrap"),
        cosine_min=Measured(0.97312, 1000),
        max_difference=Measured(1.214, 1000),
        sqnr_db=Measured(25.93, 1000),
        same_top_share=Measured(0.983, 1000, 0.973, 0.989, "Wilson"),
        score=Measured(0.9182, 1000),
        reference_score=Measured(0.9231, 1000),
        layers=(
            LayerError("layer1.0.conv1", "Conv", 0.0421, True),
            *(LayerError(f"layer{1 + i // 6}.{i % 6}.conv2", "Conv", 0.0087 / (i + 1), False) for i in range(11)),
            LayerError("fc", "Gemm", 1.2e-6, False),
        ),
        checks=(Check("same inputs and outputs", "ok", "1 input, 1 output"), Check("backend", "ok", "cpu ran")),
    )
    inference = tuple(
        _timed(shapes, middle, chance) for shapes, middle in ((SHAPES, 1.84), ("pixel_values 8x3x32x32", 12.6))[:points]
    )
    no_text = Unmeasured(NOT_A_TEXT)
    seen = replace(
        report.measurements,
        runtime=replace(report.measurements.runtime, name="onnxruntime", version="1.31.1", backend="cpu", context=0),
        prefill=(),
        decode_tok_s=no_text,
        inter_token_p50_ms=no_text,
        inter_token_p95_ms=no_text,
        inter_token_p99_ms=no_text,
        inter_token_samples_ms=(),
        energy_mj_per_token=no_text,
        inference=inference,
        memory=replace(
            report.measurements.memory,
            timeline=tuple(
                replace(sample, phase={"prefill": "run", "decode": "run"}.get(sample.phase, sample.phase))
                for sample in report.measurements.memory.timeline
            ),
        ),
    )
    artifact = Artifact("resnet20-int8.onnx", "onnx", "int8", "8b" * 32, 311_296, 273_000, 8.02, ())
    artifact = replace(artifact, delegation=Delegation("cpu", 41, 41, 273_000, 273_000, (), (), True))
    predictions = _network_predictions(308_000.0)
    budget = BUDGET.model_copy(update={"inference_p95_ms_max": 20.0})
    verdict = judge(
        budget,
        artifact_bytes=artifact.nbytes,
        measurements=seen,
        quality=quality,
        predictions=predictions,
        delegate="cpu",
    )
    return replace(
        report,
        context=0,
        source=SourceSummary(
            "resnet20:make_model", "function", "module", "ab" * 32, None, None, None, 272_474, "float32"
        ),
        artifact=artifact,
        compression=Compression("int8: static, scales from the data", "none", "calibration.npz", "cd" * 32, 256),
        candidates=(
            Candidate("int8", 8.4, predictions, True, ""),
            Candidate("fp32", 32.0, _network_predictions(1_098_000.0), True, ""),
        ),
        ladder=(
            Rung("int8", 305_000, None, Measured(0.961, 1000), None, "FAIL", "on: the score drops too far",
                 cosine=Measured(0.98412, 1000)),
            Rung("int8, 1 layers float", artifact.nbytes, None, quality.same_top_share, None, verdict.outcome,
                 "stop: no line failed", cosine=quality.cosine_mean),
        ),
        predictions=predictions,
        quality=quality,
        measurements=seen,
        verdict=verdict,
        traded_away=("32 bits per weight became 8.4.",),
        folder=Path("/tmp/edgeshrink-out/resnet20-laptop-cpu"),
    )  # fmt: skip


def sample_encoder_report() -> Report:
    """An encoder without a scorer whose runs have long shapes; nothing had to be kept in float."""
    report = sample_network_report()
    assert isinstance(report.quality, NetworkQuality) and report.measurements is not None
    nothing = Unmeasured("the network brings no scorer")
    quality = replace(report.quality, score=nothing, reference_score=nothing, same_top_share=nothing, layers=())
    long = "input_ids 1x{0}, attention_mask 1x{0}, token_type_ids 1x{0}"
    points = tuple(
        replace(point, shapes=long.format(length))
        for point, length in zip(report.measurements.inference, (16, 128), strict=True)
    )
    source = SourceSummary("minilm", "huggingface", "bert", "ef" * 32, None, None, "apache-2.0", 9_000_000, "float32")
    return replace(report, source=source, quality=quality, measurements=replace(report.measurements, inference=points))


def sample_comparison() -> Comparison:
    """GGUF fits best, ONNX is over its RAM, ExecuTorch could not be exported."""
    return Comparison(
        schema=COMPARISON_SCHEMA,
        version="0.1.0",
        target="laptop-cpu",
        profile="this-machine",
        profile_name="This machine",
        model="edgeshrink/_demo",
        outcomes=(
            FormatOutcome("gguf", sample_report(), ""),
            FormatOutcome("onnx", sample_onnx_report(), ""),
            FormatOutcome("executorch", None, EXPORT_FAILED),
        ),
        best="gguf",
        why="the only one that fails no line",
        folder=Path("/tmp/edgeshrink-out/demo-laptop-cpu-all"),
    )


def sample_full_comparison() -> Comparison:
    """All three were built."""
    comparison = sample_comparison()
    built = FormatOutcome("executorch", sample_executorch_report(), "")
    return replace(comparison, outcomes=(*comparison.outcomes[:2], built))


def sample_network_comparison() -> Comparison:
    """A network in two formats."""
    report = sample_network_report()
    assert isinstance(report.quality, NetworkQuality) and report.measurements is not None
    slower = tuple(
        replace(point, p95_ms=Measured(point.p95_ms.value * 1.7, point.p95_ms.n))
        for point in report.measurements.inference
        if isinstance(point.p95_ms, Measured)
    )
    other = replace(
        report,
        artifact=replace(report.artifact, file="resnet20-int8.pte", format="executorch", nbytes=324_096),
        quality=replace(report.quality, cosine_mean=Measured(0.99921, 1000, 0.99911, 0.99930)),
        measurements=replace(report.measurements, inference=slower),
    )
    return replace(
        sample_comparison(),
        model="resnet20:make_model",
        outcomes=(FormatOutcome("onnx", report, ""), FormatOutcome("executorch", other, "")),
        best="onnx",
        why="it passes every line, and its tightest line, peak RAM, uses 70% of the budget; executorch 70% (peak RAM)",
    )


def _timed(shapes: str, middle: float, chance: random.Random) -> InferencePoint:
    samples = tuple(round(middle * chance.lognormvariate(0, 0.04), 4) for _ in range(120))
    ordered = sorted(samples)
    return InferencePoint(
        shapes, Measured(ordered[60], 120), Measured(ordered[114], 120), Measured(ordered[118], 120), samples,
        Unmeasured(NOT_LOWERED),
    )  # fmt: skip


def _network_predictions(size: float) -> Predictions:
    no_text = Unmeasured(NOT_A_TEXT)
    return Predictions(
        artifact_bytes=Estimate(size, "weights and graph"),
        peak_rss_bytes=Estimate(size + 45 * MIB, "weights, activations and runtime"),
        decode_tok_s=no_text,
        ttft_p95_ms=no_text,
        build_s=Estimate(21.0, "measured exports"),
        host_ram_bytes=Estimate(900.0 * MIB, "torch and the export"),
        host_disk_bytes=Estimate(size * 3, "artifact and store"),
    )
