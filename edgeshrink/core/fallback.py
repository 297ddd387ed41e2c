"""When a compressed model should hand over: a threshold on its confidence, fitted on held-out items."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from edgeshrink.core.reading import Reading

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Operating:
    """One point of the coverage/risk curve: at `threshold` the share `coverage` is kept, `risk` of those is wrong."""

    threshold: Share
    coverage: Share
    risk: Share


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Fallback:
    """Hand over where the answer's confidence, at `temperature`, is below `threshold`.

    The confidence of an answer is the smallest probability, softmax(logits / temperature), of any token chosen in it,
    its stop token included. `risk` is the share of wrong answers among those that were kept, `coverage` the share that
    is kept; `curve` has both at other thresholds, in rising order.
    """

    threshold: Share
    temperature: Annotated[float, Field(gt=0)]
    risk: Share
    coverage: Share
    curve: tuple[Operating, ...] = ()


@dataclass(frozen=True, slots=True)
class FallbackFit:
    """How a threshold was found: fitted on some items, checked on others.

    `stated_risk`: what was asked for; `guarantee`: the confidence with which the fitted risk stays below it.
    `checked_risk`, `checked_coverage`: on `checked_on` items that were not used to fit. `kept`: whether the
    check's interval allows the stated risk.
    """

    fallback: Fallback
    stated_risk: Share
    guarantee: Share
    fitted_on: int
    checked_on: int
    checked_risk: Reading
    checked_coverage: Reading
    kept: bool
