from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import safe_open

from edgeshrink.compress.safetensors_file import write_arrays


def test_safetensors_own_reader_finds_what_was_written(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    arrays = {
        "z": random.standard_normal((3, 5)).astype(np.float32),
        "codes": random.integers(0, 255, (4, 7), np.uint8)[:, ::2],
        "a": np.arange(6, dtype=np.int32),
        "empty": np.zeros((0, 4), np.float16),
    }
    metadata = {"format": "pt", "what": "größe", "base": "ab"}

    write_arrays(tmp_path / "a.safetensors", arrays, metadata)
    write_arrays(tmp_path / "b.safetensors", dict(reversed(arrays.items())), dict(reversed(metadata.items())))

    with safe_open(str(tmp_path / "a.safetensors"), framework="numpy") as handle:
        assert handle.metadata() == metadata
        assert set(handle.keys()) == set(arrays)
        for name, array in arrays.items():
            found = handle.get_tensor(name)
            assert found.dtype == array.dtype
            assert np.array_equal(found, array)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
