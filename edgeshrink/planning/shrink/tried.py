"""A shape and a scheme that were really built, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.shape import Shape


@dataclass(frozen=True, slots=True)
class Tried:
    """`quality` and `fits` are None where a line could not be judged. `mean_kl` to the teacher, nats a token.

    `failed`: names of the gates that failed, beside the floor of mean KL. `measured`: (name, value) of what was
    measured, by the names of `Predictions` (artifact_bytes, peak_rss_bytes, decode_tok_s, ttft_p95_ms).
    """

    scheme: str
    shape: Shape
    quality: bool | None
    fits: bool | None
    mean_kl: float | None = None
    failed: tuple[str, ...] = ()
    measured: tuple[tuple[str, float], ...] = ()
