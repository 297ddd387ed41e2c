"""Which measuring session a budget asks for."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.budget import Budget
from edgeshrink.core.request import Request
from edgeshrink.devices.local import host_facts
from edgeshrink.engine.steps.measuring import Measure
from edgeshrink.runtimes.registry import runtime

# Beside the budget's own prompt length: a short question, and lengths that show how prefill grows.
_PROMPT_TOKENS = (32, 128, 512)


def session_lengths(budget: Budget, asked: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The budget's prompt length comes first: it is what is judged. Beside it those that were asked for, or ours."""
    return tuple(dict.fromkeys((budget.ttft_prompt_tokens, *(asked or _PROMPT_TOKENS))))


def session_step(
    request: Request,
    artifact: Path,
    sha256: str,
    context: int,
    budget: Budget,
    power_sources: tuple[str, ...],
    *,
    runtime_name: str,
    delegate: str,
) -> Measure:
    """The step that measures `artifact` as `budget` wants it judged."""
    return Measure(
        artifact=artifact,
        artifact_sha256=sha256,
        runtime=runtime_name,
        delegate=delegate,
        context=context,
        threads=request.threads,
        gpu_layers=request.gpu_layers,
        prompt_tokens=session_lengths(budget),
        power_sources=power_sources,
        runtime_build=runtime(runtime_name).build_id(),
        host_id=host_facts().id,
    )
