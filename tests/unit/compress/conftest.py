from __future__ import annotations

from pathlib import Path

import pytest
from built_gguf import Built, build_gguf


@pytest.fixture(scope="session")
def stories_f32(stories: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_gguf(stories, tmp_path_factory.mktemp("stories") / "stories-f32.gguf", "F32")


@pytest.fixture(scope="session")
def story_text(shared_data: Path) -> str:
    return (shared_data / "text" / "tinystories_train_head.txt").read_text(encoding="utf-8")[:20000]
