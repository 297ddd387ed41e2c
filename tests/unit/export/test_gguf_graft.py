"""A graft is the artifact byte for byte, but for the tensors that were asked for."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from built_gguf import build_gguf
from libllama_oracle import checkpoint, facts, metadata, plans, random_weights

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.events import Progress, silent
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.errors import DataError, NoSpace
from edgeshrink.evaluate.subject import Subject
from edgeshrink.export.gguf.graft import graft
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.presets import preset_types

TAKEN = ("blk.0.ffn_down.weight", "token_embd.weight", "blk.4.attn_k.weight")


@pytest.fixture(scope="module")
def files(stories: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """stories260K, quantized and not."""
    folder = tmp_path_factory.mktemp("grafting")
    return {scheme: build_gguf(stories, folder / f"{scheme}.gguf", scheme).path for scheme in ("F32", "Q4_0")}


def tensors(path: Path) -> dict[str, tuple[str, list[int], bytes]]:
    """As gguf-py reads them, in the file's order."""
    found = gguf.GGUFReader(path).tensors
    return {one.name: (one.tensor_type.name, one.shape.tolist(), one.data.tobytes()) for one in found}


def keys(path: Path) -> list[tuple[str, list[bytes]]]:
    """Every key with the bytes of its value, in the file's order."""
    fields = gguf.GGUFReader(path).fields.values()
    return [
        (field.name, [part.tobytes() for part in field.parts]) for field in fields if not field.name.startswith("GGUF.")
    ]


def logits(path: Path) -> Any:
    with Subject(path, "llama_cpp", "cpu").open(context=64, threads=1) as session:
        return session.logits(session.tokenize("Once upon a time", add_special=True, parse_special=False))


def test_nothing_but_the_tensors_asked_for_changes(files: dict[str, Path], tmp_path: Path) -> None:
    graft(files["Q4_0"], files["F32"], TAKEN, out := tmp_path / "out.gguf")
    own, theirs, made = tensors(files["Q4_0"]), tensors(files["F32"]), tensors(out)
    assert list(made) == list(own)
    for name, found in made.items():
        assert found == (theirs if name in TAKEN else own)[name], name
    assert [made[name][0] for name in TAKEN] == ["F32"] * 3
    assert keys(out) == keys(files["Q4_0"])
    keys_end = read_gguf_header(files["Q4_0"]).keys_end
    assert out.read_bytes()[:keys_end] == files["Q4_0"].read_bytes()[:keys_end]


def test_nothing_grafted_is_the_file_itself(files: dict[str, Path], tmp_path: Path) -> None:
    graft(files["Q4_0"], files["F32"], (), out := tmp_path / "out.gguf")
    assert out.read_bytes() == files["Q4_0"].read_bytes()


def test_everything_grafted_says_what_the_reference_says(files: dict[str, Path], tmp_path: Path) -> None:
    graft(files["Q4_0"], files["F32"], list(tensors(files["F32"])), out := tmp_path / "out.gguf")
    assert tensors(out) == tensors(files["F32"])
    reference = logits(files["F32"])
    assert np.array_equal(logits(out), reference)
    assert not np.array_equal(logits(files["Q4_0"]), reference)


def test_a_part_put_back_brings_the_model_closer(files: dict[str, Path], tmp_path: Path) -> None:
    names = [name for name in tensors(files["F32"]) if "ffn" in name]
    graft(files["Q4_0"], files["F32"], names, out := tmp_path / "out.gguf")
    reference = logits(files["F32"])
    off = [float(np.square(logits(path) - reference).mean()) for path in (out, files["Q4_0"])]
    assert 0 < off[0] < off[1]


def test_a_file_of_another_alignment_keeps_it(tmp_path: Path) -> None:
    model = facts(model_type="qwen2", layers=2, ffn=512, vocab=300)
    aligned = (*metadata(model), KeyValue("general.alignment", "uint32", 256))
    source = checkpoint(tmp_path / "source", random_weights(plans(model)), "BF16")
    for scheme in ("Q8_0", "BF16"):
        plan = preset_types(scheme, plans(model, permute=True), model, has_imatrix=False)
        write_gguf(tmp_path / f"{scheme}.gguf", aligned, plan, source, importance=None, threads=1, listener=silent)
    own, theirs, out = (tmp_path / f"{name}.gguf" for name in ("Q8_0", "BF16", "out"))
    graft(own, theirs, ["blk.1.ffn_up.weight"], out)
    assert all(one.data_offset % 256 == 0 for one in gguf.GGUFReader(out).tensors)
    assert tensors(out) == {**tensors(own), "blk.1.ffn_up.weight": tensors(theirs)["blk.1.ffn_up.weight"]}
    assert out.stat().st_size % 256 == 0


def test_a_tensor_that_is_not_in_both_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no tensor blk\.9"):
        graft(files["Q4_0"], files["F32"], ["blk.9.ffn_up.weight"], tmp_path / "out.gguf")
    model = facts(model_type="llama", layers=1, ffn=64, vocab=512)
    source = checkpoint(tmp_path / "source", random_weights(plans(model)), "F32")
    plan = preset_types("F32", plans(model, permute=True), model, has_imatrix=False)
    other = tmp_path / "other.gguf"
    write_gguf(other, metadata(model), plan, source, importance=None, threads=1, listener=silent)
    with pytest.raises(DataError, match=r"blk\.0\.ffn_down\.weight of .* has it as"):
        graft(files["Q4_0"], other, ["blk.0.ffn_down.weight"], tmp_path / "out.gguf")
    with pytest.raises(DataError, match=r"has none of that name"):
        graft(files["Q4_0"], other, ["blk.4.ffn_down.weight"], tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()


def test_a_file_cut_short_leaves_nothing_behind(files: dict[str, Path], tmp_path: Path) -> None:
    short = tmp_path / "short.gguf"
    short.write_bytes(files["F32"].read_bytes()[:-40_000])
    with pytest.raises(DataError, match="cut short"):
        graft(files["Q4_0"], short, TAKEN, tmp_path / "out.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["short.gguf"]


def test_a_full_disk_leaves_nothing_behind(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NoSpace):
        graft(files["Q4_0"], files["F32"], TAKEN, tmp_path / "out.gguf")
    assert not list(tmp_path.iterdir())


def test_progress_ends_at_the_files_size(files: dict[str, Path], tmp_path: Path) -> None:
    told: list[Progress] = []
    graft(files["Q4_0"], files["F32"], TAKEN, out := tmp_path / "out.gguf", listener=told.append)
    assert told[-1].done == told[-1].total == out.stat().st_size
    assert [one.done for one in told] == sorted(one.done for one in told)
