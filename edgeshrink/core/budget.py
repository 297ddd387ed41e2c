"""What a device allows: limits on size, memory, speed, energy and quality. A limit that is absent is not judged."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ByteSize, ConfigDict, Field, WithJsonSchema, field_validator

from edgeshrink.core.gates import ExchangeRate, SliceGate, default_gates

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Bytes = Annotated[
    ByteSize,
    Field(gt=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^\d*\.?\d+ ?([kMGT]i?)?B$"},
            ]
        }
    ),
]


class QualityFloor(BaseModel):
    """How far the artifact may stand from its unquantized reference, on text used for nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean_kl_max: Positive | None = Field(None, description="mean KL divergence to the reference, nats per token")
    same_top_share_min: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="share of positions whose most probable token is the reference's, 0 to 1"
    )
    perplexity_ratio_max: Positive | None = Field(None, description="perplexity / the reference's perplexity")
    output_cosine_min: Annotated[float, Field(gt=0, le=1)] | None = Field(
        0.99, description="mean cosine of a network's outputs to the float network's"
    )
    score_drop_max: Annotated[float, Field(ge=0, le=1)] | None = Field(
        0.01, description="how much less a network may score than the float network, by its own scorer"
    )
    slices: dict[str, SliceGate] = Field(
        default_factory=default_gates, description="pattern of slice names -> what each of them may lose"
    )
    worst_slice: SliceGate | None = Field(None, description="what the slice that lost most may lose, shares only")
    exchange: tuple[ExchangeRate, ...] = Field((), description="what must be gained for quality that is lost")

    @field_validator("slices")
    @classmethod
    def _over_the_defaults(cls, given: dict[str, SliceGate]) -> dict[str, SliceGate]:
        """Gates that are not mentioned stay as they are; an empty one (`{}`) switches its slices off."""
        return {**default_gates(), **given}


class Budget(BaseModel):
    """The lines a build is judged against. Bytes may be written with a unit ("1.5GiB")."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artifact_bytes_max: Bytes | None = Field(None, description="size of the finished file")
    peak_rss_bytes_max: Bytes | None = Field(None, description="peak resident set, anonymous + file-backed")
    ttft_p95_ms_max: Positive | None = Field(None, description="95th percentile of the time to first token")
    ttft_prompt_tokens: Annotated[int, Field(gt=0)] = Field(256, description="prompt length of the TTFT line")
    decode_tok_s_min: Positive | None = Field(None, description="median decode speed, tokens per second")
    inter_token_p99_ms_max: Positive | None = Field(None, description="99th percentile of inter-token latency")
    inference_p95_ms_max: Positive | None = Field(None, description="95th percentile of one run of a network")
    energy_mj_per_token_max: Positive | None = Field(None, description="energy per decoded token, millijoule")
    quality: QualityFloor = Field(default_factory=lambda: QualityFloor())
