"""What a device needs to build the runner itself, as one small tar.gz: the same bytes from the same sources."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path

from edgeshrink.toolchain.runner.program import RunnerSource

_WHOLE = ("cmake", "include", "src", "ggml/cmake", "ggml/include", "ggml/src/ggml-cpu", "vendor/hash")
_SINGLE = ("CMakeLists.txt", "LICENSE", "ggml/CMakeLists.txt", "vendor/CMakeLists.txt", "vendor/*/CMakeLists.txt")


def write_archive(target: Path, sources: Path, source: RunnerSource, backends: tuple[str, ...]) -> None:
    """`llama/` with the libraries' sources and those of `backends` ("cuda", "metal"), and `runner/` with ours."""
    names = {f"llama/{path.relative_to(sources).as_posix()}": path for path in _llama(sources, backends)}
    names |= {f"runner/{path.name}": path for path in source.files}
    with (
        target.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted(names):
            member = tarfile.TarInfo(name)
            member.size, member.mode = names[name].stat().st_size, 0o644
            with names[name].open("rb") as content:
                tar.addfile(member, content)


def _llama(sources: Path, backends: tuple[str, ...]) -> Iterator[Path]:
    for pattern in _SINGLE:
        yield from sources.glob(pattern)
    yield from (path for path in (sources / "ggml/src").iterdir() if path.is_file())
    for folder in (*_WHOLE, *(f"ggml/src/ggml-{backend}" for backend in backends)):
        yield from (path for path in (sources / folder).rglob("*") if path.is_file())
