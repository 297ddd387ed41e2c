"""Whether what ran is what was asked for."""

from __future__ import annotations

import pytest

from edgeshrink.core.backends import backend_is


@pytest.mark.parametrize(
    ("asked", "backend", "same"),
    [
        ("cpu", "CPU", True),
        ("cpu", "CPU+BLAS", True),
        ("cpu", "CUDA0+CPU", False),
        ("cuda", "CUDA0+CPU", True),
        ("cuda", "cpu", False),
        ("metal", "MTL0+CPU+Accelerate", True),
        ("metal", "CPU+Accelerate", False),
        ("xnnpack", "xnnpack", True),
        ("xnnpack", "portable", False),
        ("coreml", "xnnpack", False),
        ("gpu", "Vulkan0+CPU", True),
        ("gpu", "CPU+BLAS", False),
        ("cpu", "", False),
        ("cuda", "cuda+cpu (12 of 340 nodes)", True),
        ("cuda", "cuda+cpu (339 of 340 nodes)", False),
        ("cpu", "cuda+cpu (12 of 340 nodes)", False),
    ],
)
def test_a_backend_is_recognized_by_any_of_its_names(asked: str, backend: str, same: bool) -> None:
    assert backend_is(asked, backend) is same
