"""What ELF headers say, read from real files."""

from __future__ import annotations

import platform as host
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from edgeshrink.errors import DataError
from edgeshrink.toolchain.elf import read_elf
from edgeshrink.toolchain.interface import first_that_answers

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads programs of Linux")


def compiled(folder: Path, compiler: str, *flags: str) -> Path:
    if first_that_answers((compiler,)) is None:
        pytest.skip(f"no {compiler}")
    source, program = folder / "main.c", folder / "program"
    source.write_text("int main(void) { return 0; }", encoding="utf-8")
    subprocess.run([compiler, *flags, str(source), "-o", str(program)], check=True)
    return program


@linux
def test_this_interpreter_asks_for_a_loader() -> None:
    headers = read_elf(Path(sys.executable).resolve())
    assert headers.machine == host.machine()
    assert "ld" in Path(headers.interpreter).name
    assert not headers.static
    assert headers.page_bytes >= 4096


@linux
def test_a_static_file_for_arm_is_known_as_such(tmp_path: Path) -> None:
    flags = ("-static", "-Wl,-z,max-page-size=65536")
    headers = read_elf(compiled(tmp_path, "aarch64-linux-gnu-gcc", *flags))
    assert (headers.machine, headers.interpreter, headers.page_bytes) == ("aarch64", "", 65536)


@linux
def test_small_pages_are_seen(tmp_path: Path) -> None:
    headers = read_elf(compiled(tmp_path, "aarch64-linux-gnu-gcc", "-Wl,-z,max-page-size=4096"))
    assert headers.page_bytes == 4096
    assert headers.interpreter == "/lib/ld-linux-aarch64.so.1"


@linux
@pytest.mark.parametrize("kept", [0, 3, 63, 100])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut"
    path.write_bytes(Path(sys.executable).resolve().read_bytes()[:kept])
    with pytest.raises(DataError):
        read_elf(path)


@pytest.mark.parametrize("damage", [(4, 1), (5, 2), (54, 8), (56, 0), (57, 255)])
@linux
def test_headers_of_another_kind_are_refused(tmp_path: Path, damage: tuple[int, int]) -> None:
    content = bytearray(Path(sys.executable).resolve().read_bytes()[:4096])
    position, value = damage
    content[position] = value
    path = tmp_path / "odd"
    path.write_bytes(content)
    with pytest.raises(DataError, match="odd"):
        read_elf(path)


def test_a_script_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\n" + "#" * 100, encoding="utf-8")
    with pytest.raises(DataError, match="no ELF file"):
        read_elf(path)


@linux
@pytest.mark.parametrize("where", [1 << 40, 1 << 62, 1 << 63])
@pytest.mark.parametrize("field", ["headers", "loader"])
def test_a_place_that_no_file_has_is_refused(tmp_path: Path, where: int, field: str) -> None:
    program = bytearray(Path(sys.executable).resolve().read_bytes())
    (table,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    rows = range(table, table + size * count, size)
    loader = next(row for row in rows if struct.unpack_from("<I", program, row) == (3,))
    struct.pack_into("<Q", program, 32 if field == "headers" else loader + 8, where)
    (tmp_path / "program").write_bytes(program)
    with pytest.raises(DataError, match=r"within its program headers|outside of itself"):
        read_elf(tmp_path / "program")
