from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.errors import RuntimeFailed
from edgeshrink.measure.files import artifact_bytes, artifact_files


def test_a_file_is_its_own_and_a_folder_all_that_it_holds(tmp_path: Path) -> None:
    (tmp_path / "b.onnx").write_bytes(b"12345")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.data").write_bytes(b"123")
    assert artifact_files(tmp_path / "b.onnx") == (tmp_path / "b.onnx",)
    assert artifact_files(tmp_path) == (tmp_path / "b.onnx", tmp_path / "sub" / "a.data")
    assert (artifact_bytes(tmp_path / "b.onnx"), artifact_bytes(tmp_path)) == (5, 8)


def test_nothing_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailed, match="no such file"):
        artifact_bytes(tmp_path / "missing")
    with pytest.raises(RuntimeFailed, match="nor a folder with files"):
        artifact_files(tmp_path)
