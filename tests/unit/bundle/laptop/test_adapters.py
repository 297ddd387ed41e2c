"""Adapters as bundles: what one changes is W + alpha / rank * B A, and only the artifact it was bound to takes it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from loaded_bundles import Python
from sample_cargo import LLAMA, sample_cargo

from edgeshrink.bundle.adapter import AdapterBase, read_adapter
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.core.values import from_json
from edgeshrink.engine.adapter import bundle_adapter
from edgeshrink.errors import DataError, UsageError

RANK, ALPHA = 4, 8.0
CHANGED = ("blk.0.attn_q.weight", "blk.4.ffn_down.weight")


def halves(shape: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return (
        (0.2 * draw.standard_normal((RANK, shape[1]))).astype(np.float32),
        (0.2 * draw.standard_normal((shape[0], RANK))).astype(np.float32),
    )


def shapes(model: Path) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tensor.shape for tensor in read_gguf_header(model).tensors}


def write_lora(
    path: Path,
    model: Path,
    *,
    architecture: str = "llama",
    kind: str = "adapter",
    method: str = "lora",
    rename: Callable[[str], str] = lambda name: name,
    turn: bool = False,
) -> Path:
    """An adapter that llama.cpp reads, written by its own library."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(kind)
    writer.add_string("adapter.type", method)
    writer.add_float32("adapter.lora.alpha", ALPHA)
    writer.add_string("general.name", "Pirate Talk")
    writer.add_string("general.license", "apache-2.0")
    for seed, name in enumerate(CHANGED):
        out, inner = shapes(model)[name]
        a, b = halves((out, inner), seed)
        writer.add_tensor(rename(f"{name}.lora_a"), a.T.copy() if turn else a)
        writer.add_tensor(rename(f"{name}.lora_b"), b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def merged(model: Path, path: Path) -> Path:
    """A copy of `model` whose weights hold the adapter."""
    shutil.copyfile(model, path)
    for tensor in read_gguf_header(model).tensors:
        if tensor.name in CHANGED:
            assert tensor.dtype == "F32"
            place = np.memmap(path, np.float32, "r+", tensor.offset, tensor.shape)
            a, b = halves((tensor.shape[0], tensor.shape[1]), CHANGED.index(tensor.name))
            place += ALPHA / RANK * (b @ a)
            place.flush()
    return path


@pytest.fixture
def adapter_file(tmp_path: Path, demo_gguf: Path) -> Path:
    return write_lora(tmp_path / "pirate.gguf", demo_gguf)


@pytest.fixture
def adapter_bundle(tmp_path: Path, adapter_file: Path, demo_bundle: Cargo) -> Path:
    bundle_adapter(adapter_file, demo_bundle.folder, tmp_path / "adapter", BundleOptions(), seal=None)
    return tmp_path / "adapter"


def test_it_changes_the_weights_by_what_its_halves_make(
    adapter_bundle: Path, demo_bundle: Cargo, demo_gguf: Path, tmp_path: Path
) -> None:
    sample_cargo(tmp_path / "merged", merged(demo_gguf, tmp_path / "merged.gguf"), name="merged")
    code = (
        "import sys, numpy as np\n"
        "from edgeshrink_demo import load\n"
        "base, adapter, merged = sys.argv[1:]\n"
        "def row(model): return model._language.begin(list(range(3, 40)))\n"
        "with load(base, threads=1) as model:\n"
        "    rows = {'base': row(model), 'adapted': row(model.with_adapter(adapter))}\n"
        "    rows['twice'] = row(model.with_adapter(adapter))\n"
        "    rows['back'] = row(model.without_adapter())\n"
        "with load(base, threads=1, adapter=adapter) as model: rows['loaded'] = row(model)\n"
        "with load(merged, threads=1) as model: rows['merged'] = row(model)\n"
        "np.savez('rows.npz', **rows)\n"
    )
    python = Python(Path(sys.executable), (demo_bundle.folder / "python",), tmp_path / "memory")
    assert python.said("-c", code, demo_bundle.folder, adapter_bundle, tmp_path / "merged", cwd=tmp_path) == ""
    rows = np.load(tmp_path / "rows.npz")
    moved = np.abs(rows["adapted"] - rows["base"]).max()
    assert moved > 1.0
    np.testing.assert_allclose(rows["adapted"], rows["merged"], atol=0.01 * moved)
    np.testing.assert_array_equal(rows["loaded"], rows["adapted"])
    np.testing.assert_array_equal(rows["twice"], rows["adapted"])
    np.testing.assert_array_equal(rows["back"], rows["base"])


def test_its_manifest_binds_it_to_its_base(adapter_bundle: Path, demo_bundle: Cargo, adapter_file: Path) -> None:
    manifest = from_json(BundleManifest, adapter_bundle / "bundle.json")
    assert manifest.base_sha256 == demo_bundle.manifest.artifact_sha256
    assert manifest.engine == demo_bundle.manifest.engine
    assert manifest.main == "model/pirate.gguf"
    assert manifest.name == "pirate-talk"
    assert [note.id for note in manifest.licences] == ["apache-2.0"]
    assert (adapter_bundle / manifest.main).read_bytes() == adapter_file.read_bytes()
    assert demo_bundle.manifest.artifact_sha256 in (adapter_bundle / "README.md").read_text()
    assert sorted(path.name for path in adapter_bundle.iterdir()) == [
        "MODEL_CARD.md", "README.md", "bundle.json", "model",
    ]  # fmt: skip


def test_the_program_takes_it(adapter_bundle: Path, demo_python: Python, tmp_path: Path) -> None:
    ask = ["-m", "edgeshrink_demo", "answer", "--threads", "1", "--max-tokens", "8", "Tell me a story."]
    assert demo_python.said(*ask, "--adapter", adapter_bundle, cwd=tmp_path) != demo_python.said(*ask, cwd=tmp_path)


@pytest.mark.parametrize("wrong", ["base", "engine", "swapped", "bytes", "model as adapter"])
def test_another_base_refuses_it(
    adapter_bundle: Path, demo_bundle: Cargo, demo_python: Python, tmp_path: Path, wrong: str
) -> None:
    base, adapter, error = demo_bundle.folder, adapter_bundle, "WrongBase"
    if wrong in ("base", "engine"):
        path = adapter / "bundle.json"
        said: dict[str, Any] = json.loads(path.read_text())
        if wrong == "base":
            said["base_sha256"] = "0" * 64
        else:
            said["engine"]["version"] = "0.3.35"
        path.write_text(json.dumps(said))
    elif wrong == "swapped":
        base, adapter = adapter, base
    elif wrong == "bytes":
        (adapter / "model" / "pirate.gguf").write_bytes((adapter / "model" / "pirate.gguf").read_bytes()[:-1])
        error = "DigestMismatch"
    else:
        adapter = base
    done = demo_python.run(
        "-m", "edgeshrink_demo", "--bundle", base, "answer", "--adapter", adapter, "hello", cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{error}: ")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"architecture": "qwen2"}, "is for 'qwen2'"),
        ({"kind": "model"}, "is no LoRA adapter"),
        ({"method": "dora"}, "is no LoRA adapter"),
        ({"rename": lambda name: name.replace("blk.0", "blk.99")}, "which .* has not"),
        ({"rename": lambda name: name.replace("lora_b", "lora_c")}, "no half"),
        ({"turn": True}, "halves are"),
    ],
)
def test_what_does_not_fit_the_base_is_refused_before_anything_is_written(
    tmp_path: Path, demo_gguf: Path, demo_bundle: Cargo, spoil: dict[str, Any], says: str
) -> None:
    path = write_lora(tmp_path / "bad.gguf", demo_gguf, **spoil)
    with pytest.raises(DataError, match=says):
        bundle_adapter(path, demo_bundle.folder, tmp_path / "adapter", BundleOptions(), seal=None)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bad.gguf"]


def test_a_file_whose_name_no_bundle_holds_is_refused(adapter_file: Path, demo_bundle: Cargo, tmp_path: Path) -> None:
    for name in ("a\\b.gguf", "a\nb.gguf", "C:x.gguf"):
        with pytest.raises(DataError, match="no name for a file"):
            bundle_adapter(
                shutil.copy(adapter_file, tmp_path / name),
                demo_bundle.folder,
                tmp_path / "x",
                BundleOptions(),
                seal=None,
            )


def test_only_gguf_takes_adapters(adapter_file: Path, demo_gguf: Path) -> None:
    base = AdapterBase("x", demo_gguf, "0" * 64, "onnx", LLAMA, 512, "laptop-cpu", "this-machine")
    with pytest.raises(DataError, match="GGUF models alone"):
        read_adapter(adapter_file, base)


def test_an_adapter_is_no_base_of_another(adapter_file: Path, adapter_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="an adapter itself"):
        bundle_adapter(adapter_file, adapter_bundle, tmp_path / "next", BundleOptions(), seal=None)


def test_a_phone_has_no_adapter_bundle(adapter_file: Path, demo_bundle: Cargo, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="android"):
        bundle_adapter(adapter_file, demo_bundle.folder, tmp_path / "x", BundleOptions(kind="android"), seal=None)
