"""Which of a session's figures may be held against a budget: emulated is not measured."""

from __future__ import annotations

from dataclasses import replace

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Unmeasured


def countable(
    measured: Measurements, *, elsewhere: str = "", emulation: str = "", anyway: bool = False
) -> Measurements | Unmeasured:
    """What a verdict may rest on. `elsewhere`: why the machine that measured is not the profile's device: nothing.

    `emulation`: what runs there instead of the hardware: its memory counts, its speed and power do not. `anyway`:
    somebody asked for the comparison all the same.
    """
    if anyway:
        return measured
    if elsewhere:
        return Unmeasured(elsewhere)
    if not emulation:
        return measured
    label = Unmeasured(f"{emulation}: its speed and power are not the device's (--judge-anyway compares them)")
    return replace(
        measured,
        load_cold_ms=label,
        load_warm_ms=label,
        prefill=tuple(
            replace(point, ttft_p50_ms=label, ttft_p95_ms=label, prefill_tok_s=label) for point in measured.prefill
        ),
        decode_tok_s=label,
        inter_token_p50_ms=label,
        inter_token_p95_ms=label,
        inter_token_p99_ms=label,
        energy_mj_per_token=label,
        inference=tuple(
            replace(point, p50_ms=label, p95_ms=label, p99_ms=label, energy_mj=label) for point in measured.inference
        ),
    )
