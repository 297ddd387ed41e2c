from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

import pytest

from edgeshrink.measure import page_cache


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mincore")
def test_a_file_that_was_just_written_is_in_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1 << 20))
    assert page_cache.resident_share([path]) == 1.0


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="no posix_fadvise here")
def test_a_dropped_file_is_gone_from_the_cache_and_unharmed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = os.urandom(3 << 20)
    path.write_bytes(content)
    assert page_cache.drop([path]) is None
    share = page_cache.resident_share([path])
    assert share is not None
    if share > 0.5:
        pytest.skip("this file system keeps its pages (tmpfs)")
    assert path.read_bytes() == content
    assert page_cache.resident_share([path]) == 1.0


def test_a_system_that_cannot_drop_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    assert "no posix_fadvise" in str(page_cache.drop([tmp_path / "file"]))


def test_an_empty_file_has_no_share(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert page_cache.resident_share([tmp_path / "empty"]) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mincore")
def test_the_share_of_several_files_counts_their_pages(tmp_path: Path) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(os.urandom(3 * mmap.PAGESIZE))
    small.write_bytes(os.urandom(mmap.PAGESIZE))
    assert page_cache.drop([large]) is None
    if page_cache.resident_share([large]) != 0.0:
        pytest.skip("this file system keeps its pages (tmpfs)")
    assert page_cache.resident_share([large, small]) == 0.25
