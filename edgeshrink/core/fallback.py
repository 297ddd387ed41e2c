"""When a compressed model should hand over: a threshold on its confidence, fitted on held-out items."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Fallback:
    """Hand over where the answer's confidence, at `temperature`, is below `threshold`.

    `risk` is the share of wrong answers among those that were kept, `coverage` the share that is kept.
    """

    threshold: Share
    temperature: Annotated[float, Field(gt=0)]
    risk: Share
    coverage: Share
