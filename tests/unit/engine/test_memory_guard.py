"""An export that would not fit is refused with its prediction, before it starts."""

from __future__ import annotations

import pytest

from edgeshrink.core.reading import Estimate, Unmeasured
from edgeshrink.devices.memory import available_ram
from edgeshrink.engine.memory_guard import require_memory
from edgeshrink.errors import PlanError


def test_more_than_is_free_is_refused_and_said() -> None:
    needed = Estimate(2.0 * available_ram() + 2**40, "weights three times")
    with pytest.raises(PlanError, match=r"exporting x needs about \d+\.\d GiB of RAM and .* is free") as caught:
        require_memory("x", needed, otherwise="try y")
    assert "try y" in caught.value.hint and "weights three times" in caught.value.message


def test_what_fits_and_what_is_not_predicted_may_go_on() -> None:
    require_memory("x", Estimate(1.0, ""), otherwise="")
    require_memory("x", Unmeasured("unknown"), otherwise="")
