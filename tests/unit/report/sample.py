"""Reports with the figures of a plausible build: measured, estimated, unmeasured. Seeded, so always the same."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from edgeshrink.core.budget import Budget, QualityFloor
from edgeshrink.core.measurement import (
    HostFacts,
    HostState,
    Measurements,
    Memory,
    MemorySample,
    PrefillPoint,
    RuntimeFacts,
)
from edgeshrink.core.plan import Candidate, Predictions, TensorPlan
from edgeshrink.core.quality import Check, Quality
from edgeshrink.core.reading import Estimate, Measured, Unmeasured
from edgeshrink.core.report import REPORT_SCHEMA, Artifact, Compression, Report, Rung, SourceSummary, StepRecord
from edgeshrink.judging import judge

NO_POWER = "no power source: /sys/class/powercap is not there"
NO_SENSOR = "no thermal zone is exposed"
NOT_HERE = "the Pixel 8 is another device: nothing was measured on it"
NO_PREFILL = "prefill speed of this device is not known"
TOO_FEW = "p99 needs at least 100 samples, there are 60"
MIB = 1024 * 1024
BUDGET = Budget(
    artifact_bytes_max=4 * MIB,
    peak_rss_bytes_max=96 * MIB,
    ttft_p95_ms_max=500,
    ttft_prompt_tokens=256,
    decode_tok_s_min=100,
    inter_token_p99_ms_max=40,
    energy_mj_per_token_max=50,
    quality=QualityFloor(mean_kl_max=0.05, same_top_share_min=0.9, perplexity_ratio_max=1.05),
)
SCHEMES = {
    "Q2_K": 3.16, "Q3_K_S": 3.5, "Q3_K_M": 3.9, "Q3_K_L": 4.2, "IQ4_XS": 4.4, "Q4_0": 4.6, "IQ4_NL": 4.62,
    "Q4_K_S": 4.68, "Q4_K_M": 4.95, "Q5_K_S": 5.6, "Q5_K_M": 5.75, "Q6_K": 6.6, "Q8_0": 8.5, "F16": 16.0,
}  # fmt: skip
PARAMETERS = 4_720_896


def sample_tensors(layers: int = 4) -> tuple[TensorPlan, ...]:
    """The tensors of a 256-wide llama with 4,096 tokens at Q4_K_M."""
    base = "Q4_K_M's default type"
    found = [TensorPlan("token_embd.weight", "model.embed_tokens.weight", (4096, 256), "Q6_K", "tied to the output")]
    for layer in range(layers):
        source, more = f"model.layers.{layer}.", "Q6_K" if layer in (0, layers - 1) else "Q4_K"
        bits = f"Q4_K_M gives more bits to layer {layer}" if more == "Q6_K" else base
        found += [
            TensorPlan(
                f"blk.{layer}.attn_norm.weight", source + "input_layernorm.weight", (256,), "F32", "1-D stays F32"
            ),
            TensorPlan(f"blk.{layer}.attn_q.weight", source + "self_attn.q_proj.weight", (256, 256), "Q4_K", base),
            TensorPlan(f"blk.{layer}.attn_k.weight", source + "self_attn.k_proj.weight", (128, 256), "Q4_K", base),
            TensorPlan(f"blk.{layer}.attn_v.weight", source + "self_attn.v_proj.weight", (128, 256), more, bits),
            TensorPlan(f"blk.{layer}.attn_output.weight", source + "self_attn.o_proj.weight", (256, 256), "Q4_K", base),
            TensorPlan(f"blk.{layer}.ffn_gate.weight", source + "mlp.gate_proj.weight", (768, 256), "Q4_K", base),
            TensorPlan(f"blk.{layer}.ffn_up.weight", source + "mlp.up_proj.weight", (768, 256), "Q4_K", base),
            TensorPlan(f"blk.{layer}.ffn_down.weight", source + "mlp.down_proj.weight", (256, 768), more, bits),
            TensorPlan(
                f"blk.{layer}.ffn_norm.weight",
                source + "post_attention_layernorm.weight",
                (256,),
                "F32",
                "1-D stays F32",
            ),
        ]
    return (*found, TensorPlan("output_norm.weight", "model.norm.weight", (256,), "F32", "1-D stays F32"))


def sample_candidates(parameters: int = PARAMETERS) -> tuple[Candidate, ...]:
    return tuple(_candidate(scheme, bits, parameters) for scheme, bits in SCHEMES.items())


def sample_report(*, layers: int = 4) -> Report:
    """A demo model at Q4_K_M on this machine: one rung failed on quality, energy was not measured."""
    tensors = sample_tensors(layers)
    quality, measurements = _quality(), _measurements()
    predictions = _candidate("Q4_K_M", SCHEMES["Q4_K_M"], PARAMETERS).predictions
    tensor_bytes = sum(tensor.nbytes for tensor in tensors)
    artifact = Artifact(
        "demo-Q4_K_M.gguf", "gguf", "Q4_K_M", "5e" * 32, tensor_bytes + 98_432, tensor_bytes, 4.95, tensors
    )
    predictions = replace(predictions, artifact_bytes=Estimate(float(artifact.nbytes), "sum of tensors and header"))
    return Report(
        schema=REPORT_SCHEMA,
        version="0.1.0",
        created_at="2026-11-21T12:00:00Z",
        target="laptop-cpu",
        profile="this-machine",
        profile_name="This machine",
        on_device=True,
        context=512,
        source=SourceSummary(
            "edgeshrink/_demo", "huggingface", "llama", "ab" * 32, None, None, "apache-2.0", PARAMETERS, "BF16"
        ),
        artifact=artifact,
        compression=Compression(
            "round to nearest within llama.cpp block types, weighted by an importance matrix",
            "auto: collected through llama.cpp on the calibration text",
            "edgeshrink/_demo/calibration.txt",
            "cd" * 32,
            16_384,
        ),
        candidates=sample_candidates(),
        ladder=(
            Rung(
                "Q3_K_M",
                2_450_000,
                Measured(0.0843, 8192, 0.0801, 0.0886),
                Measured(0.871, 8192),
                Measured(1.081, 8192),
                "FAIL",
                "mean KL above 0.05, and the budget has room: up to Q4_K_M",
            ),
            Rung(
                "Q4_K_M",
                artifact.nbytes,
                quality.mean_kl,
                quality.same_top_share,
                quality.perplexity_ratio,
                "UNKNOWN",
                "no line failed: stop",
            ),
        ),
        predictions=predictions,
        quality=quality,
        measurements=measurements,
        verdict=judge(
            BUDGET,
            artifact_bytes=artifact.nbytes,
            measurements=measurements,
            quality=quality,
            predictions=predictions,
        ),
        host=measurements.host,
        steps=(
            StepRecord("importance", "22" * 32, "2026-11-20T17:02:11Z", 12.6),
            StepRecord("write_gguf", "33" * 32, "2026-11-21T11:58:02Z", 1.84),
            StepRecord("evaluate", "44" * 32, "2026-11-21T11:58:24Z", 21.4),
            StepRecord("measure", "55" * 32, "2026-11-21T11:59:20Z", 38.2),
        ),
        notes=("The host's load was 1.9 before measuring: speeds are a lower bound.",),
        traded_away=(
            "2.1 % of the most probable tokens differ from the source's.",
            "Context of 512 tokens only, as the model was trained.",
        ),
        folder=Path("/tmp/edgeshrink-out/demo-laptop-cpu"),
    )


def sample_profile_report() -> Report:
    """What `edgeshrink profile FILE.gguf` for another device gives: no source, no quality, nothing measured."""
    report = sample_report()
    verdict = judge(
        BUDGET,
        artifact_bytes=report.artifact.nbytes,
        measurements=Unmeasured(NOT_HERE),
        quality=Unmeasured("no reference: the source of this file is not known"),
        predictions=report.predictions,
    )
    return replace(
        report,
        target="android",
        profile="pixel-8",
        profile_name="Google Pixel 8",
        on_device=False,
        source=None,
        compression=None,
        candidates=(),
        ladder=(),
        quality=None,
        measurements=None,
        verdict=verdict,
        traded_away=(),
        notes=(),
        steps=(),
        folder=None,
    )


def sample_failed_report() -> Report:
    """The decode speed is below its limit, and one check does not hold."""
    report = sample_report()
    assert report.quality is not None
    checks = (*report.quality.checks, Check("stop ids", "failed", "source has 2 and 7, the file has 2"))
    quality = replace(report.quality, checks=checks)
    verdict = judge(
        BUDGET.model_copy(update={"decode_tok_s_min": 900.0}),
        artifact_bytes=report.artifact.nbytes,
        measurements=report.measurements or Unmeasured("not measured"),
        quality=quality,
        predictions=report.predictions,
    )
    return replace(report, verdict=verdict, quality=quality)


def _candidate(scheme: str, bits: float, parameters: int) -> Candidate:
    size = parameters * bits / 8 + 98_432
    decode = 2.5e9 / size
    fits = None if scheme == "F16" else scheme not in ("Q8_0",)
    return Candidate(
        scheme,
        bits,
        Predictions(
            artifact_bytes=Estimate(size, "sum of tensors and header"),
            peak_rss_bytes=Estimate(size + 48 * MIB, "weights + KV cache + compute buffers + runtime"),
            decode_tok_s=Estimate(decode, "bytes read a token over the calibrated cache bandwidth"),
            ttft_p95_ms=Unmeasured(NO_PREFILL) if fits is None else Estimate(71.0, "multiply-adds"),
            build_s=Estimate(parameters / 3.1e6, "weights over the calibrated quantizing speed"),
            host_ram_bytes=Estimate(210.0 * MIB, "a slice of the largest tensor"),
            host_disk_bytes=Estimate(size * 2.1, "artifact and store"),
        ),
        fits,
        "the device's RAM is not known" if fits is None else "" if fits else "file of 4.9 MiB > 4.0 MiB",
    )


def _quality() -> Quality:
    return Quality(
        reference="the source in F32 through llama.cpp",
        text="edgeshrink/_demo/evaluation.txt",
        text_sha256="ef" * 32,
        tokens=8192,
        mean_kl=Measured(0.01234, 8192, 0.01171, 0.01302, "bootstrap over 64 chunks"),
        median_kl=Measured(0.0041, 8192),
        p99_kl=Measured(0.142, 8192, 0.121, 0.190),
        same_top_share=Measured(0.9786, 8192, 0.9752, 0.9815, "Wilson"),
        perplexity=Measured(9.871, 8192, 9.42, 10.33),
        reference_perplexity=Measured(9.764, 8192, 9.32, 10.21),
        perplexity_ratio=Measured(1.011, 8192, 1.008, 1.014),
        max_logit_difference=Unmeasured("only the F32 file is compared logit by logit"),
        checks=(
            Check("tokenizer ids", "ok", "214 strings give the same ids"),
            Check("chat template", "ok", "3 conversations render alike"),
            Check("logits against transformers", "skipped", "torch is not installed: pip install 'edgeshrink[torch]'"),
        ),
    )


def _state(load: float) -> HostState:
    nothing = Unmeasured(NO_SENSOR)
    return HostState(Measured(load), Measured(6.2e9), "not exposed", Unmeasured("no cpufreq here"), nothing)


def _measurements() -> Measurements:
    chance = random.Random(7)
    pauses = (2.35 + chance.gammavariate(1.6, 0.045) + (1.4 if chance.random() < 0.012 else 0) for _ in range(640))
    tokens = tuple(round(pause, 4) for pause in pauses)
    ordered = sorted(tokens)
    prefill = []
    for length, middle in ((32, 9.8), (128, 36.0), (256, 72.5), (480, 139.0)):
        samples = tuple(round(middle * chance.lognormvariate(0, 0.03), 3) for _ in range(20))
        rank = sorted(samples)
        prefill.append(
            PrefillPoint(
                length, Measured(rank[10], 20), Measured(rank[18], 20), Measured(length / rank[10] * 1e3, 20), samples
            )
        )
    timeline, at = [], 0.0
    phases = (
        ("load", 0.2, 9, 0),
        ("warm-up", 0.4, 24, 3),
        ("prefill", 2.2, 36, 3.1),
        ("decode", 5.6, 37, 3.1),
        ("unload", 0.2, 20, 0.2),
    )
    anon, mapped = 4.0, 0.1
    for phase, seconds, to_anon, to_file in phases:
        for _ in range(int(seconds / 0.05)):
            anon, mapped = anon + (to_anon - anon) * 0.35, mapped + (to_file - mapped) * 0.5
            timeline.append(MemorySample(round(at, 3), phase, int((18 + anon) * MIB), int((9.5 + mapped) * MIB)))
            at += 0.05
    peak_anon, peak_file = max(s.anon_bytes for s in timeline), max(s.file_bytes for s in timeline)
    return Measurements(
        artifact_sha256="5e" * 32,
        artifact_bytes=3_000_000,
        taken_at="2026-11-21T11:59:20Z",
        repetitions=5,
        host=HostFacts("9f3c1d20a7be", "Linux 6.1 x86_64", "Intel(R) Xeon(R) @ 2.70GHz", 2, 8192 * MIB, "3.11.9"),
        runtime=RuntimeFacts("llama.cpp", "0.3.36", "0c1e570", "CPU", ("AVX2", "AVX512", "FMA"), 2, 0, 512),
        before=_state(1.91),
        after=_state(2.24),
        load_cold_ms=Unmeasured("the page cache cannot be dropped without root"),
        load_warm_ms=Measured(41.3, 5, 39.8, 44.0),
        prefill=tuple(prefill),
        decode_tok_s=Measured(412.4, 5, 405.1, 418.0, "least and greatest of 5"),
        inter_token_p50_ms=Measured(ordered[320], 640),
        inter_token_p95_ms=Measured(ordered[608], 640),
        inter_token_p99_ms=Unmeasured(TOO_FEW),
        inter_token_samples_ms=tokens,
        memory=Memory(
            Measured(float(peak_anon + peak_file), how="sum of both at one moment"),
            Measured(float(peak_anon)),
            Measured(float(peak_file)),
            Unmeasured("smaps_rollup is not readable"),
            Measured(27.5 * MIB, how="before the file was opened"),
            tuple(timeline),
        ),
        energy_mj_per_token=Unmeasured(NO_POWER),
        notes=("2 of 2 cores were busy with another program.",),
    )
