"""A GGUF adapter in llama.cpp computes what peft computes, beside a base that stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from built_gguf import build_gguf
from low_rank import peft_logits, write_random_adapter
from tiny_models import write_tiny_model

from edgeshrink.catalog.adapters import BASE, BASE_NAME, SCHEME, read_adapter, read_gguf_adapter
from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import DataError, RuntimeFailed, StepFailed
from edgeshrink.export.gguf.adapter import gguf_adapter_bytes, write_gguf_adapter
from edgeshrink.runtimes import llama_cpp

pytest.importorskip("peft")
IDS = [int(number) for number in np.random.default_rng(8).integers(3, 4096, 40)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    """Bases llama (which turns rows of queries and keys) and qwen3, as folders and as F32 GGUFs."""
    folder = tmp_path_factory.mktemp("gguf-adapters")
    for kind in ("llama", "qwen3"):
        write_tiny_model(folder / kind, demo_model, kind)
        build_gguf(folder / kind, folder / f"{kind}.gguf", "F32")
    return folder


def facts(place: Path, kind: str) -> ModelFacts:
    return inspect_model(str(place / kind))


def logits(base: Path, adapter: Path | None) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with llama_cpp.load(base, context=64, threads=1, exact=True, adapter=adapter) as session:
        return session.logits(IDS)


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_the_pair_computes_what_peft_computes(place: Path, tmp_path: Path, kind: str) -> None:
    folder = write_random_adapter(tmp_path / "skill", place / kind, config={"use_rslora": kind == "qwen3"})
    write_gguf_adapter(tmp_path / "skill.gguf", facts(place, kind), read_adapter(folder), type="F32")

    found = logits(place / f"{kind}.gguf", tmp_path / "skill.gguf")

    assert np.abs(found - peft_logits(place / kind, folder, IDS)).max() < 1e-4
    assert np.abs(found - logits(place / f"{kind}.gguf", None)).max() > 1


def test_the_header_says_what_it_was_trained_on(place: Path, tmp_path: Path) -> None:
    told = {BASE: "ab" * 32, BASE_NAME: "tiny", SCHEME: "Q4_K_M"}
    folder = write_random_adapter(tmp_path / "skill", place / "llama", targets=("q_proj",), metadata=told)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    adapter = read_adapter(folder)
    file = tmp_path / "skill.gguf"
    write_gguf_adapter(file, facts(place, "llama"), adapter)

    found = read_gguf_adapter(file)

    assert (found.name, found.base, found.base_name, found.scheme) == ("skill", "ab" * 32, "tiny", "Q4_K_M")
    assert (found.rank, found.alpha, found.targets, found.license) == (4, 8.0, ("attn_q",), "mit")
    assert found.parameters == adapter.parameters
    assert file.stat().st_size == gguf_adapter_bytes(facts(place, "llama"), adapter)


def test_half_precision_costs_its_rounding_and_halves_the_file(place: Path, tmp_path: Path) -> None:
    adapter = read_adapter(write_random_adapter(tmp_path / "skill", place / "llama"))
    base = facts(place, "llama")
    for type in ("F16", "F32"):
        write_gguf_adapter(tmp_path / f"{type}.gguf", base, adapter, type=type)

    half, single = (logits(place / "llama.gguf", tmp_path / f"{type}.gguf") for type in ("F16", "F32"))

    assert 0 < np.abs(half - single).max() < 2e-2
    assert gguf_adapter_bytes(base, adapter, "F32") - gguf_adapter_bytes(base, adapter) == 2 * adapter.parameters


def test_numbers_beyond_half_precision_are_refused(place: Path, tmp_path: Path) -> None:
    adapter = read_adapter(write_random_adapter(tmp_path / "huge", place / "llama", size=1e6))
    assert max(float(np.abs(read_rows(update.a)).max()) for update in adapter.updates) > 65504

    with pytest.raises(StepFailed, match="more than F16 holds"):
        write_gguf_adapter(tmp_path / "huge.gguf", facts(place, "llama"), adapter)
    assert not list(tmp_path.glob("*.gguf"))


def test_llama_cpp_says_which_file_it_cannot_load_and_why(place: Path, tmp_path: Path) -> None:
    adapter = read_adapter(write_random_adapter(tmp_path / "skill", place / "qwen3"))
    file = tmp_path / "skill.gguf"
    write_gguf_adapter(file, facts(place, "qwen3"), adapter)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(file.read_bytes()[:-4096])

    for base, given, words in (
        ("llama", file, "arch mismatch"),
        ("qwen3", cut, "corrupted or incomplete"),
        ("qwen3", place / "qwen3.gguf", "adapter"),
    ):
        with pytest.raises(RuntimeFailed, match=words) as refused:
            logits(place / f"{base}.gguf", given)
        assert str(given) in refused.value.message
    with pytest.raises(RuntimeFailed, match="no such file"):
        logits(place / "qwen3.gguf", tmp_path / "none.gguf")
    with pytest.raises(DataError, match="is cut short"):
        read_gguf_adapter(cut)
