"""Tiny arm64 programs, written out word by word: no compiler is needed to have an instruction executed."""

from __future__ import annotations

import struct

INSTRUCTIONS = {
    "none": (),
    "dotprod": (0x4E829420,),  # sdot v0.4s, v1.16b, v2.16b
    "i8mm": (0x4E82A420,),  # smmla v0.4s, v1.16b, v2.16b
}
_EXIT_ZERO = (0xD2800000, 0xD2800BA8, 0xD4000001)  # mov x0, #0; mov x8, #93 (exit); svc #0
_BASE, _HEADERS, _PAGE = 0x400000, 64 + 56, 0x10000


def arm64_program(feature: str) -> bytes:
    """A static Linux program that executes one instruction of `feature` and exits with 0."""
    code = b"".join(struct.pack("<I", word) for word in (*INSTRUCTIONS[feature], *_EXIT_ZERO))
    size = _HEADERS + len(code)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    # Kind ET_EXEC, machine AArch64; entry after the headers; one program header, at 64; no sections.
    header = struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    # PT_LOAD, readable and executable: the whole file.
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, _PAGE)
    return identity + header + segment + code
