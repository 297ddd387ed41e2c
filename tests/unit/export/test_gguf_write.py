"""The file is whole, exact and in bounded memory, or it is not there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from libllama_oracle import checkpoint, facts, metadata, plans, random_weights, tensor_bytes

from edgeshrink.core.events import Progress, silent
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.errors import DataError, NoSpace, StepFailed
from edgeshrink.export.gguf import write
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.gguf_size import gguf_file_bytes
from edgeshrink.planning.presets import preset_types

MODEL = facts(model_type="qwen2", layers=2, ffn=512, vocab=300)


def build(path: Path, scheme: str = "Q4_K_M", dtype: str = "BF16", **given: Any) -> tuple[TensorPlan, ...]:
    """Write MODEL to `path`; `given` replaces arguments of write_gguf."""
    tensors = given.pop("tensors", None) or preset_types(scheme, plans(MODEL, permute=True), MODEL, has_imatrix=False)
    if "source" not in given:
        given["source"] = checkpoint(path.with_suffix(".source"), random_weights(plans(MODEL)), dtype)
    arguments: dict[str, Any] = {"importance": None, "threads": 2, "listener": silent, **given}
    write_gguf(path, arguments.pop("metadata", metadata(MODEL)), tensors, **arguments)
    return tensors


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".source")


@pytest.mark.parametrize("scheme", ["F32", "F16", "BF16", "Q8_0", "Q4_K_M"])
def test_the_size_is_the_predicted_one(scheme: str, tmp_path: Path) -> None:
    tensors = build(tmp_path / "m.gguf", scheme)
    assert (tmp_path / "m.gguf").stat().st_size == gguf_file_bytes(metadata(MODEL), tensors)
    assert leftovers(tmp_path) == ["m.gguf"]


def test_names_order_shapes_and_metadata_are_read_back(tmp_path: Path) -> None:
    tensors = build(tmp_path / "m.gguf")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    assert [t.name for t in reader.tensors] == [plan.name for plan in tensors]
    assert [tuple(reversed(t.shape.tolist())) for t in reader.tensors] == [plan.shape for plan in tensors]
    keys = [key for key in reader.fields if not key.startswith("GGUF.")]
    assert keys == [entry.key for entry in metadata(MODEL)]
    assert reader.get_field("qwen2.block_count").contents() == 2
    assert reader.get_field("tokenizer.ggml.tokens").contents() == ["a", "é", ""]


def test_weights_come_over_exactly_with_query_and_key_rows_reordered(tmp_path: Path) -> None:
    build(tmp_path / "m.gguf", "F32")
    weights = random_weights(plans(MODEL))
    for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors:
        expected = weights[f"hf.{tensor.name}"]
        if "attn_q." in tensor.name or "attn_k." in tensor.name:
            heads = MODEL.n_heads if "attn_q." in tensor.name else MODEL.n_kv_heads
            halves = expected.reshape(heads, 2, expected.shape[0] // heads // 2, *expected.shape[1:])
            expected = halves.swapaxes(1, 2).reshape(expected.shape)
        assert np.array_equal(tensor.data, expected), tensor.name


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_the_same_type_is_copied_bit_by_bit(dtype: str, tmp_path: Path) -> None:
    subnormal = np.arange(1 << 10, dtype="<u2").reshape(4, 256)  # what a way over float32 might flush or round
    (tmp_path / "w.source").write_bytes(subnormal.tobytes())
    tensor = SourceTensor("w", (4, 256), dtype, tmp_path / "w.source", 0, subnormal.nbytes)
    build(tmp_path / "m.gguf", tensors=(TensorPlan("w.weight", "w", (4, 256), dtype, ""),), source={"w": tensor})
    assert tensor_bytes(tmp_path / "m.gguf") == {"w.weight": (dtype, subnormal.tobytes())}


def test_threads_and_slices_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path / "one.gguf", threads=1)
    monkeypatch.setattr(write, "_PLAIN_SLICE", 3000)
    monkeypatch.setattr(write, "_QUANTIZED_SLICE", 5000)
    build(tmp_path / "many.gguf", threads=5)
    assert (tmp_path / "one.gguf").read_bytes() == (tmp_path / "many.gguf").read_bytes()


def test_computed_tensors_are_written(tmp_path: Path) -> None:
    factors = np.linspace(1, 8, 32, dtype=np.float32)
    plan = TensorPlan("rope_freqs.weight", "", (32,), "F32", "")
    build(tmp_path / "m.gguf", tensors=(plan,), source={}, computed={"rope_freqs.weight": factors})
    assert tensor_bytes(tmp_path / "m.gguf") == {"rope_freqs.weight": ("F32", factors.tobytes())}
    with pytest.raises(StepFailed, match="no values of shape"):
        build(tmp_path / "m.gguf", tensors=(plan,), source={})


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Progress] = []
    monkeypatch.setattr(write, "_PROGRESS_BYTES", 100_000)
    build(tmp_path / "m.gguf", listener=seen.append)
    assert len(seen) > 3
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert {p.total for p in seen} == {seen[-1].done} == {(tmp_path / "m.gguf").stat().st_size}


@pytest.mark.parametrize("scheme", ["F32", "BF16", "F16", "Q8_0", "Q2_K", "IQ4_XS"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_stops_the_build_and_names_the_tensor(
    scheme: str, bad: float, tmp_path: Path
) -> None:
    weights = random_weights(plans(MODEL))
    weights["hf.blk.1.ffn_up.weight"][300, 17] = bad
    source = checkpoint(tmp_path / "w.source", weights)
    with pytest.raises(StepFailed, match=r"blk\.1\.ffn_up\.weight .*hf\.blk\.1\.ffn_up\.weight.*not finite"):
        build(tmp_path / "m.gguf", scheme, source=source)
    assert leftovers(tmp_path) == []


def test_a_weight_beyond_f16_names_the_tensor_and_the_way_out(tmp_path: Path) -> None:
    weights = random_weights(plans(MODEL))
    weights["hf.output.weight"][2, 3] = 98304
    source = checkpoint(tmp_path / "w.source", weights)
    with pytest.raises(StepFailed, match=r"output\.weight.*F16 holds") as caught:
        build(tmp_path / "m.gguf", "F16", source=source)
    assert "BF16" in caught.value.hint
    build(tmp_path / "m.gguf", "BF16", source=source)


class _Stop(BaseException):
    """Ctrl-C, as the writer sees it."""


@pytest.mark.parametrize("raised", [RuntimeError, KeyboardInterrupt, _Stop])
def test_whatever_happens_an_existing_file_stays_and_nothing_half_written_does(
    raised: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.gguf").write_bytes(b"before")

    def stop(progress: Progress) -> None:
        if progress.done > progress.total / 2:
            raise raised

    monkeypatch.setattr(write, "_PROGRESS_BYTES", 100_000)
    with pytest.raises(raised):
        build(tmp_path / "m.gguf", listener=stop)
    assert leftovers(tmp_path) == ["m.gguf"]
    assert (tmp_path / "m.gguf").read_bytes() == b"before"


def test_a_disk_that_fills_up_is_said_with_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = write._write_all

    def full(file: Any, data: Any) -> int:
        if file.tell() > 500_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really(file, data)

    monkeypatch.setattr(write, "_write_all", full)
    with pytest.raises(NoSpace, match=r"needs [\d,]+ bytes, [\d,]+ are available"):
        build(tmp_path / "m.gguf")
    assert leftovers(tmp_path) == []


def test_too_little_room_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    seen: list[Progress] = []
    with pytest.raises(NoSpace, match="1,000 are available"):
        build(tmp_path / "m.gguf", listener=seen.append)
    assert seen == [] and leftovers(tmp_path) == []


def test_a_limit_on_file_size_leaves_nothing_behind(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    source = checkpoint(tmp_path / "w.source", random_weights(plans(MODEL)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, before[1]))
    try:
        with pytest.raises(StepFailed, match="cannot be written"):
            build(tmp_path / "m.gguf", source=source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert leftovers(tmp_path) == []


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "w.source", random_weights(plans(MODEL)))
    with pytest.raises(StepFailed, match="cannot be written: No such file"):
        build(tmp_path / "nowhere" / "m.gguf", source=source)


def test_a_source_that_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "w.source", random_weights(plans(MODEL)))
    name = "hf.blk.0.attn_q.weight"
    with pytest.raises(StepFailed, match=f"no tensor {name}"):
        build(tmp_path / "m.gguf", source={key: value for key, value in source.items() if key != name})
    with pytest.raises(DataError, match=r"blk\.0\.attn_q\.weight needs"):
        build(tmp_path / "m.gguf", source={**source, name: source["hf.blk.0.ffn_up.weight"]})
    with pytest.raises(StepFailed, match="7 columns"):
        build(tmp_path / "m.gguf", source=source, importance={"blk.0.attn_q.weight": np.ones(7, np.float32)})
    with pytest.raises(StepFailed, match=r"general\.architecture"):
        build(tmp_path / "m.gguf", source=source, metadata=(KeyValue("a", "uint32", 1),))
    assert leftovers(tmp_path) == []


def test_memory_does_not_grow_with_the_model(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    code = """
import resource, sys
from pathlib import Path
import gguf, numpy
from libllama_oracle import facts, metadata
from edgeshrink.core.events import silent
from edgeshrink.core.model import SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.export.gguf.write import write_gguf
path = Path(sys.argv[1])
rows, row = 32 * 1024, 2048
with path.open("wb") as file:
    file.truncate(rows * row * 2)
source = {"w": SourceTensor("w", (rows, row), "BF16", path, 0, rows * row * 2)}
plan = TensorPlan("q.weight", "w", (rows, row), "F16", "", "rope_permute", 8)
kilo = 1 if sys.platform == "darwin" else 1024
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilo
write_gguf(path.with_suffix(".gguf"), metadata(facts()), (plan,), source, importance=None, threads=8, listener=silent)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilo - before)
"""
    search = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "w.source")],
        env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 40 << 20
