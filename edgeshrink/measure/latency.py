"""Time prefill and decode of a loaded session.

TTFT: from handing the prompt's ids to an empty context until the first id is chosen (greedy). Tokenizing, template
and loading are not in it. Inter-token latency: one decode step and the greedy choice after it. Memory is looked at
between timed stretches only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from edgeshrink.measure.loading import Emit
from edgeshrink.measure.memory import Recorder
from edgeshrink.measure.power.here import PowerHere
from edgeshrink.measure.statistics import SAMPLES_NEEDED, percentile
from edgeshrink.runtimes.interface import Session

LEAST_REPETITIONS = 5
TOP_UP_S = 40.0
"""Time for repetitions beyond the asked ones, so that p95 has its samples; where they would not fit, there are none."""
DECODE_S = 30.0
"""A model so slow that decode would take longer decodes fewer tokens a repetition, not fewer repetitions."""
_SAMPLE_EVERY_S = 0.25
_WARM_UP_TOKENS = 8


def warm_up(session: Session, ids: Sequence[int]) -> float:
    """Touch every weight and let clocks rise; not counted. Returns milliseconds of a decode step."""
    session.reset()
    token = _greedy(session.prefill(ids[: max(1, min(len(ids), session.context - _WARM_UP_TOKENS))]))
    steps = []
    for _ in range(min(_WARM_UP_TOKENS, session.context - session.position)):
        began = time.perf_counter()
        token = _greedy(session.decode(token))
        steps.append(time.perf_counter() - began)
    return 1e3 * percentile(steps, 50) if steps else 0.0


def time_prefill(
    session: Session,
    ids: Sequence[int],
    lengths: Sequence[int],
    repetitions: int,
    recorder: Recorder,
    emit: Emit,
) -> dict[int, list[float]]:
    """TTFT in ms of every repetition at each length, from an empty context each time.

    Every length gets `repetitions`; then, in the given order, those that p95 lacks, if they fit what is left of
    TOP_UP_S.
    """
    samples: dict[int, list[float]] = {length: [] for length in lengths}

    def once(length: int) -> None:
        session.reset()
        began = time.perf_counter()
        _greedy(session.prefill(ids[:length]))
        samples[length].append(1e3 * (time.perf_counter() - began))
        recorder.sample()
        emit({"event": "prefill", "prompt_tokens": length, "ms": samples[length][-1]})

    for length in lengths:
        for _ in range(max(LEAST_REPETITIONS, repetitions)):
            once(length)
    left = TOP_UP_S
    for length in lengths:
        missing = SAMPLES_NEEDED[95] - len(samples[length])
        cost = missing * percentile(samples[length], 50) / 1e3
        if 0 < cost <= left:
            left -= cost
            for _ in range(missing):
                once(length)
    return samples


def decode_tokens_within(seconds: float, step_ms: float, asked: int, repetitions: int) -> int:
    """Tokens a repetition so that all of them take about `seconds`, never fewer than p99 needs in all, or asked."""
    least = min(asked, -(-SAMPLES_NEEDED[99] // repetitions))
    affordable = int(1e3 * seconds / repetitions / step_ms) if step_ms > 0 else asked
    return max(least, min(asked, affordable))


def time_decode(
    session: Session,
    ids: Sequence[int],
    tokens: int,
    repetitions: int,
    recorder: Recorder,
    power: PowerHere,
    emit: Emit,
) -> list[list[float]]:
    """`repetitions` times: fill an empty context with `ids`, then time `tokens` greedy steps, milliseconds of each.

    A stop id does not stop it: every repetition decodes the same number of tokens.
    """
    runs = []
    for _ in range(repetitions):
        session.reset()
        token = _greedy(session.prefill(ids))
        run: list[float] = []
        recorder.sample()
        power.begin()
        looked = time.perf_counter()
        for _ in range(tokens):
            began = time.perf_counter()
            token = _greedy(session.decode(token))
            ended = time.perf_counter()
            run.append(1e3 * (ended - began))
            power.look()
            if ended - looked > _SAMPLE_EVERY_S:
                recorder.sample()
                looked = time.perf_counter()
        power.end(tokens)
        recorder.sample()
        runs.append(run)
        emit({"event": "decode", "steps_ms": run})
    return runs


def _greedy(logits: np.ndarray) -> int:
    return int(np.argmax(logits))
