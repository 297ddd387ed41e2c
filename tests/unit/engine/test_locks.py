"""A lock pins what a build's bytes depend on; whatever differs from it is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgeshrink.catalog.profiles import THIS_MACHINE
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.lock import Lock, LockedModel, LockedRequest
from edgeshrink.core.request import Request
from edgeshrink.devices.local import profile_for
from edgeshrink.engine.lock import definitions, drift, lock_text, locked, pinned, pins, read_lock, tool_versions
from edgeshrink.errors import DataError, UsageError

LOCK = Lock(
    schema="edgeshrink-lock-1",
    model=LockedModel(given=None, hub_id=None, revision=None, digest="d" * 64),
    request=LockedRequest("jetson", "jetson-orin-nano-8gb", "gguf", "Q4_K_M", "cpu", 512, "default", (), None),
    data={"calibration": "c" * 64},
    definitions={"target jetson": "e" * 64},
    versions={"numpy": "2.4.6"},
    artifact_sha256="a" * 64,
    artifact_bytes=10,
)


def test_a_lock_reads_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "edgeshrink.lock").write_text(lock_text(LOCK), encoding="utf-8")
    assert read_lock(tmp_path / "edgeshrink.lock") == LOCK


def test_the_request_takes_what_the_lock_decided() -> None:
    request = pinned(Request(target="jetson", calibration=Path("text")), LOCK)
    assert (request.profile, request.format, request.scheme) == ("jetson-orin-nano-8gb", "gguf", "Q4_K_M")
    assert (request.delegate, request.context) == ("cpu", 512)
    assert request.calibration == Path("text")


@pytest.mark.parametrize("scheme", ["Q4_K_M", "q4_k_m", "4bit", "gguf=Q4_K_M,onnx=int8"])
def test_the_scheme_of_the_lock_may_be_asked_for_in_any_words(scheme: str) -> None:
    assert pinned(Request(target="jetson", scheme=scheme), LOCK).scheme == "Q4_K_M"


@pytest.mark.parametrize(
    ("asked", "flag"),
    [
        ({"target": "android"}, "--target"),
        ({"profile": "pixel-8"}, "--profile"),
        ({"format": "onnx"}, "--format"),
        ({"scheme": "Q8_0"}, "--scheme"),
        ({"scheme": "8bit"}, "--scheme"),
        ({"scheme": "gguf=Q8_0,onnx=int4"}, "--scheme"),
        ({"context": 1024}, "--context"),
        ({"tensor_types": (("ffn_down", "Q6_K"),)}, "--tensor-type"),
        ({"expert_types": "usage"}, "--expert-types"),
        ({"revision": "main"}, "--revision"),
    ],
)
def test_a_request_for_something_else_is_refused(asked: dict[str, object], flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        pinned(replace(Request(target="jetson"), **asked), LOCK)


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (replace(LOCK, versions={"numpy": "1.0"}), "version of numpy"),
        (replace(LOCK, data={"calibration": "0" * 64}), "digest of the calibration"),
        (replace(LOCK, definitions={"target jetson": "0" * 64}), "digest of target jetson"),
        (replace(LOCK, artifact_sha256="0" * 64), "artifact"),
        (replace(LOCK, model=replace(LOCK.model, digest="0" * 64)), "model digest"),
        (replace(LOCK, request=replace(LOCK.request, scheme="Q8_0")), "scheme"),
        (replace(LOCK, versions={"numpy": "2.4.6", "torch": "2.13.0"}), "version of torch"),
    ],
)
def test_whatever_differs_is_named_and_nothing_else(other: Lock, name: str) -> None:
    found = drift(LOCK, pins(other))
    assert len(found) == 1
    assert found[0].startswith(f"{name} is ")
    assert drift(LOCK, pins(LOCK)) == ()


def test_definitions_of_a_device_are_pinned_and_those_of_this_machine_are_not() -> None:
    target = load_target("jetson")
    assert set(definitions(target, profile_for("jetson-orin-nano-8gb", None))) == {
        "target jetson",
        "profile jetson-orin-nano-8gb",
    }
    assert set(definitions(target, profile_for(THIS_MACHINE, None))) == {"target jetson"}


def test_only_what_a_format_stands_on_is_pinned() -> None:
    assert "llama-cpp-python" in tool_versions("gguf")
    assert "torch" not in tool_versions("gguf")
    assert "llama-cpp-python" not in tool_versions("onnx")


def test_a_lock_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "edgeshrink.lock"
    with pytest.raises(DataError, match="there is no"):
        read_lock(path)
    path.write_text(json.dumps({"schema": "edgeshrink-lock-1"}))
    with pytest.raises(DataError, match="model"):
        read_lock(path)
    path.write_text("not JSON")
    with pytest.raises(DataError):
        locked(Request(locked=True, lock=path))


def test_types_by_use_come_back_with_the_lock() -> None:
    by_usage = replace(LOCK, request=replace(LOCK.request, expert_types="usage"))
    assert pinned(Request(target="jetson"), by_usage).expert_types == "usage"
    assert pinned(Request(target="jetson"), LOCK).expert_types == "mix"
