"""What a person asks for by format, scheme, width and delegate."""

from __future__ import annotations

import pytest

from edgeshrink.catalog.targets import load_target
from edgeshrink.core.request import Request
from edgeshrink.errors import PlanError
from edgeshrink.planning.requested import (
    delegate_of,
    format_name,
    network_format,
    request_for,
    requested_network_scheme,
    requested_scheme,
)

ANDROID = load_target("android")


def test_without_a_format_the_targets_first_is_built() -> None:
    assert format_name(Request(), ANDROID) == next(iter(ANDROID.formats))


def test_a_network_goes_to_the_first_format_that_takes_networks() -> None:
    assert network_format(Request(), ANDROID) == "executorch"
    with pytest.raises(PlanError, match="gguf") as caught:
        network_format(Request(format="gguf"), ANDROID)
    assert "executorch, onnx" in caught.value.hint


@pytest.mark.parametrize(
    ("format", "width", "scheme"),
    [
        ("gguf", "4bit", "Q4_K_M"),
        ("gguf", "8bit", "Q8_0"),
        ("executorch", "4bit", "8da4w"),
        ("executorch", "FLOAT", "fp32"),
        ("onnx", "4bit", "int4"),
        ("onnx", "8bit", "int8"),
    ],
)
def test_a_width_is_each_formats_own_scheme(format: str, width: str, scheme: str) -> None:
    assert requested_scheme(Request(format=format, scheme=width), ANDROID) == scheme


def test_schemes_named_for_formats_go_to_those_formats_alone() -> None:
    asked = "gguf=q5_k_m, onnx=8bit"
    assert requested_scheme(Request(format="gguf", scheme=asked), ANDROID) == "Q5_K_M"
    assert requested_scheme(Request(format="onnx", scheme=asked), ANDROID) == "int8"
    with pytest.raises(PlanError, match="says nothing of executorch"):
        requested_scheme(Request(format="executorch", scheme=asked), ANDROID)
    assert requested_scheme(Request(format="executorch", scheme="4bit,gguf=Q6_K"), ANDROID) == "8da4w"


def test_all_formats_asks_each_for_its_own_part_of_the_schemes() -> None:
    every = Request(format="all", scheme="gguf=Q6_K,onnx=int8")
    assert [request_for(every, name).scheme for name in ("gguf", "onnx", "executorch")] == ["Q6_K", "int8", None]
    assert request_for(Request(format="all", scheme="4bit"), "executorch").scheme == "4bit"
    assert request_for(every, "gguf").format == "gguf"


def test_an_unknown_scheme_is_refused_with_the_formats_list() -> None:
    with pytest.raises(PlanError, match="executorch has no scheme 'Q4_K_M'") as caught:
        requested_scheme(Request(format="executorch", scheme="Q4_K_M"), ANDROID)
    assert "8da4w" in caught.value.hint
    with pytest.raises(PlanError, match="unknown format 'ggml'"):
        requested_scheme(Request(scheme="ggml=Q4_0"), ANDROID)


def test_a_network_has_schemes_of_its_own() -> None:
    assert requested_network_scheme(Request(format="onnx", scheme="8bit"), ANDROID) == "int8"
    assert requested_network_scheme(Request(format="onnx", scheme="INT8-dynamic"), ANDROID) == "int8-dynamic"
    with pytest.raises(PlanError, match="no 4bit scheme"):
        requested_network_scheme(Request(format="onnx", scheme="4bit"), ANDROID)
    with pytest.raises(PlanError, match="for networks") as caught:
        requested_network_scheme(Request(format="onnx", scheme="int4"), ANDROID)
    assert "int8-weight" in caught.value.hint


def test_a_delegate_is_one_that_the_target_lists() -> None:
    assert delegate_of(Request(), ANDROID, "executorch") == "xnnpack"
    assert delegate_of(Request(delegate="vulkan"), ANDROID, "executorch") == "vulkan"
    with pytest.raises(PlanError, match="coreml") as caught:
        delegate_of(Request(delegate="coreml"), ANDROID, "executorch")
    assert "xnnpack, vulkan" in caught.value.hint
