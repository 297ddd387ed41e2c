"""The versions that were tested, and what is said where others are installed."""

from __future__ import annotations

import pytest

from edgeshrink.catalog import requirements as requirements_module
from edgeshrink.catalog.requirements import check_extra, extra_requirements, extras
from edgeshrink.errors import ToolMissing

TESTED = {
    "torch": "2.13.0",
    "transformers": "5.23.0",
    "pillow": "12.0.0",
    "executorch": "1.5.1",
    "torchao": "0.18.0",
    "onnx": "1.23.2",
    "onnxruntime": "1.31.1",
    "onnxruntime-genai": "0.18.0",
    "onnxscript": "0.7.2",
    "onnx-ir": "1.1.0",
}


def install(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    monkeypatch.setattr(requirements_module, "installed_version", lambda name: versions.get(name, ""))


def test_an_extra_counts_what_the_extras_it_names_bring() -> None:
    names = [package.name for package in extra_requirements("executorch")]
    assert names[:2] == ["torch", "transformers"]
    assert {"executorch", "torchao"} <= set(names)
    assert "edgeshrink" not in names
    assert {"torch", "executorch", "onnx"} <= set(extras())


@pytest.mark.parametrize("extra", ["torch", "executorch", "onnx"])
def test_the_tested_combination_is_worth_no_note(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {**TESTED, "torch": "2.13.0+cpu"})
    assert check_extra(extra) == ()


def test_another_version_is_noted_with_the_tested_one(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {**TESTED, "torchao": "0.19.0", "torch": "2.14.0"})
    notes = check_extra("executorch")
    assert notes == (
        "built with torch 2.14.0; tested was ==2.13.0",
        "built with torchao 0.19.0; tested was ==0.18.0",
    )
    assert check_extra("onnx") == notes[:1]


def test_what_is_missing_is_named_with_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {name: version for name, version in TESTED.items() if name not in ("executorch", "torchao")})
    with pytest.raises(ToolMissing, match="executorch, torchao are not installed") as caught:
        check_extra("executorch")
    assert caught.value.hint == "pip install 'edgeshrink[executorch]'"


def test_a_build_of_onnxruntime_for_other_hardware_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {name: version for name, version in TESTED.items() if name != "onnxruntime"}
    install(monkeypatch, {**versions, "onnxruntime-gpu": "1.31.1"})
    assert check_extra("onnx") == ()


def test_a_version_that_is_no_version_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {**TESTED, "onnx": "built by hand"})
    assert check_extra("onnx") == ("built with onnx built by hand; tested was ==1.23.2",)
