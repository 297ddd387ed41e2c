from __future__ import annotations

from pathlib import Path

import pytest
from built_gguf import Builder, Built, build_gguf

from edgeshrink.catalog.texts import Text
from edgeshrink.evaluate.reference import Reference, write_reference


@pytest.fixture(scope="session")
def built(stories: Path, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """stories260K as any scheme, each built once."""
    folder, done = tmp_path_factory.mktemp("stories"), dict[str, Built]()

    def build(scheme: str) -> Built:
        if scheme not in done:
            done[scheme] = build_gguf(stories, folder / f"{scheme}.gguf", scheme)
        return done[scheme]

    return build


@pytest.fixture(scope="session")
def story_text(shared_data: Path) -> Text:
    data = (shared_data / "text" / "tinystories_train_head.txt").read_bytes()
    return Text.of("stories", data[:6000].decode("utf-8", "ignore").encode())


@pytest.fixture(scope="session")
def reference(built: Builder, story_text: Text, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("reference")
    return write_reference(built("F32").path, story_text, folder, name="F32 GGUF", context=256, threads=1)
