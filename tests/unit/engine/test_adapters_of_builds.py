"""Adapters belong to one base: what does not fit is refused before any work, and nothing is lost unsaid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from compared_reports import report
from low_rank import write_random_adapter
from tiny_models import write_tiny_model

from edgeshrink.catalog.adapters import BASE, BASE_NAME, read_adapter
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.core.adapter import BuiltAdapter
from edgeshrink.core.lock import Lock, LockedModel, LockedRequest
from edgeshrink.core.reading import Measured
from edgeshrink.core.report import Report, SourceSummary
from edgeshrink.core.request import Request
from edgeshrink.engine.adapter_choice import adapter_place, ready_adapter
from edgeshrink.engine.adapters_opened import file_name
from edgeshrink.engine.artifacts import Found, find_artifact
from edgeshrink.engine.build import build
from edgeshrink.engine.lock import drift, pinned, pins
from edgeshrink.errors import DataError, UsageError
from edgeshrink.export.gguf.adapter import write_gguf_adapter
from edgeshrink.report.json import report_to_json
from edgeshrink.report.manifest import write_manifest

OTHER_BASE = {BASE: "0" * 64, BASE_NAME: "another-model"}
DIGEST = "d" * 64


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("models") / "base"
    write_tiny_model(folder, demo_model)
    return folder


@pytest.fixture
def out(tmp_path: Path, base: Path) -> Path:
    """The folder of a build with one adapter, as far as its documents say."""
    folder = tmp_path / "out"
    (folder / "adapters").mkdir(parents=True)
    (folder / "model.gguf").write_bytes(b"GGUF")
    adapter = read_adapter(write_random_adapter(tmp_path / "billing", base, metadata={BASE: DIGEST}))
    write_gguf_adapter(folder / "adapters" / "billing.gguf", inspect_folder(base, str(base)), adapter)
    (folder / "report.json").write_text(report_to_json(told()), encoding="utf-8")
    write_manifest(folder, told(), {})
    return folder


def told() -> Report:
    source = SourceSummary("the-base", "huggingface", "llama", DIGEST, None, None, None, 1, "F32")
    adapter = BuiltAdapter("billing", "adapters/billing.gguf", 10, "a" * 64, 4, 0.02, Measured(0.1))
    return replace(report(500, None), source=source, adapters=(adapter,))


def refused(model: Path, out: Path, *adapters: Path, **more: object) -> str:
    request = Request(str(model), out=out, suite="none", adapters=adapters, **more)  # type: ignore[arg-type]
    with pytest.raises((UsageError, DataError)) as error:
        build(request, confirm=lambda _question: False)
    return f"{error.value.message} {error.value.hint}"


def test_an_adapter_of_another_base_is_refused_with_both_names(base: Path, tmp_path: Path) -> None:
    stranger = write_random_adapter(tmp_path / "stranger", base, metadata=OTHER_BASE)
    said = refused(base, tmp_path / "out", stranger)
    assert "stranger was trained on another-model (000000000000...)" in said
    assert f"the base here is {base}" in said and "train it again on this base" in said
    assert not (tmp_path / "out").exists()


def test_shapes_of_another_model_are_refused_though_nobody_named_a_base(
    base: Path, demo_model: Path, tmp_path: Path
) -> None:
    assert "does not fit" in refused(base, tmp_path / "out", write_random_adapter(tmp_path / "large", demo_model))


def test_a_folder_that_is_no_adapter_and_two_of_one_name_are_refused(base: Path, tmp_path: Path) -> None:
    assert "is no adapter" in refused(base, tmp_path / "out", base)
    twins = [write_random_adapter(tmp_path / place / "twin", base) for place in ("a", "b")]
    assert "several adapters are called twin" in refused(base, tmp_path / "out", *twins)


@pytest.mark.parametrize(
    ("more", "said"),
    [({"format": "executorch"}, "executorch runs no adapters"), ({"train_for_grid": True}, "changes the weights")],
)
def test_a_build_that_cannot_keep_to_the_base_takes_none(
    base: Path, tmp_path: Path, more: dict[str, object], said: str
) -> None:
    assert said in refused(base, tmp_path / "out", write_random_adapter(tmp_path / "fits", base), **more)


def test_a_build_of_another_base_asks_before_adapters_become_invalid(base: Path, out: Path) -> None:
    said = refused(base, out)
    assert "has adapters of the-base (dddddddddddd...)" in said and "billing would be invalid on it" in said
    assert (out / "adapters" / "billing.gguf").is_file()


def test_the_model_of_a_build_is_found_beside_its_adapters(out: Path) -> None:
    assert find_artifact(out).path == out / "model.gguf"


def chosen(given: str | Path, out: Path) -> Path:
    with ready_adapter(str(given), out, Found(out / "model.gguf", "llama_cpp", network=False)) as file:
        return file


def test_run_takes_an_adapter_by_name_or_file(out: Path) -> None:
    file = out / "adapters" / "billing.gguf"
    assert chosen("billing", out) == chosen(file, out) == file


def test_run_refuses_an_adapter_of_another_base(out: Path, base: Path, tmp_path: Path) -> None:
    folder = write_random_adapter(tmp_path / "stranger", base, metadata=OTHER_BASE)
    file = tmp_path / "stranger.gguf"
    write_gguf_adapter(file, inspect_folder(base, str(base)), read_adapter(folder))
    for given in (folder, file):
        with pytest.raises(DataError, match=r"trained on another-model \(000000000000\.\.\.\)"):
            chosen(given, out)


def test_run_refuses_a_file_of_another_build_though_it_says_no_base(out: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "adapters").mkdir(parents=True)
    (elsewhere / "adapters" / "billing.onnx_adapter").write_bytes(b"no header")
    source = SourceSummary("its-base", "huggingface", "llama", "e" * 64, None, None, None, 1, "F32")
    adapter = replace(told().adapters[0], file="adapters/billing.onnx_adapter")
    made = replace(told(), source=source, adapters=(adapter,))
    (elsewhere / "report.json").write_text(report_to_json(made), encoding="utf-8")
    onnx = Found(out, "onnx", network=False)
    with pytest.raises(DataError, match=r"billing was trained on its-base \(eeeeeeeeeeee"):
        adapter_place(str(elsewhere / "adapters" / "billing.onnx_adapter"), out, onnx)


def test_run_says_which_adapters_there_are_and_what_it_takes(out: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are billing"):
        chosen("nobody", out)
    (tmp_path / "b.onnx_adapter").write_bytes(b"")
    with pytest.raises(UsageError, match=r"\.gguf is"):
        chosen(tmp_path / "b.onnx_adapter", out)
    with pytest.raises(UsageError, match="not at hand"):  # the base was a folder that the build does not carry
        chosen(write_random_adapter(tmp_path / "folder", base), out)
    with (
        pytest.raises(UsageError, match="executorch runs no adapters"),
        ready_adapter("billing", out, Found(out / "model.pte", "executorch", network=False)),
    ):
        pass


LOCK = Lock(
    schema="edgeshrink-lock-1",
    model=LockedModel(given=None, hub_id=None, revision=None, digest=DIGEST),
    request=LockedRequest("laptop-cpu", "this-machine", "gguf", "Q4_K_M", "cpu", 512, "default", (), None),
    data={"adapter billing": "a" * 64, "file adapters/billing.gguf": "b" * 64},
    definitions={},
    versions={},
    artifact_sha256="c" * 64,
    artifact_bytes=10,
)


def test_a_lock_asks_for_the_adapters_that_it_pins() -> None:
    with pytest.raises(UsageError, match="the lock pins billing"):
        pinned(Request(), LOCK)
    with pytest.raises(UsageError, match="the lock pins none"):
        pinned(Request(adapters=(Path("billing"),)), replace(LOCK, data={}))
    assert pinned(Request(adapters=(Path("billing"),)), LOCK).scheme == "Q4_K_M"


def test_an_adapter_that_changed_is_drift() -> None:
    now = replace(LOCK, data={**LOCK.data, "adapter billing": "e" * 64})
    (said,) = drift(LOCK, pins(now))
    assert said == f"digest of the adapter billing is {'e' * 64}, locked: {'a' * 64}"


def test_a_request_takes_adapters_as_text(tmp_path: Path) -> None:
    assert Request(adapters=(str(tmp_path),)).adapters == (tmp_path,)  # type: ignore[arg-type]


def test_a_name_is_one_that_files_can_have() -> None:
    assert file_name("../a b\x1b/c:d.") == "-a-b--c-d"
    assert file_name("...") == "adapter"
