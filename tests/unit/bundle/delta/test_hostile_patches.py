"""A patch may be anybody's: damaged or made on purpose, it ends in one error, and nothing is written elsewhere."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patched_builds import applied, bundle_like, patched, random_bytes, same_trees

from edgeshrink.bundle.delta.container import opened_patch
from edgeshrink.bundle.delta.packing import compressed, unpack
from edgeshrink.core.delta import MOST_FRESH_BYTES
from edgeshrink.errors import DataError, Error

_MAGIC = b"edgeshrink-delta-1\n"


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Old, new, and the patch between them: copies, frames, frames on a base, raw pieces, layers."""
    place = tmp_path_factory.mktemp("builds")
    old = bundle_like(place / "old")
    new = bundle_like(place / "new", note="other", seeds={"output.weight": 77})
    (new / "text.txt").write_text("some text, again and again\n" * 100)
    patched(old, new, place / "patch")
    return old, new, place / "patch"


def split(patch: Path) -> tuple[dict[str, Any], bytes]:
    raw = patch.read_bytes()
    packed, nbytes = struct.unpack_from("<QQ", raw, len(_MAGIC))
    start = len(_MAGIC) + 16
    return json.loads(unpack(raw[start : start + packed], nbytes)), raw[start + packed :]


def join(header: Any, pieces: bytes) -> bytes:
    text = json.dumps(header).encode()
    frame = compressed(text)
    return _MAGIC + struct.pack("<QQ", len(frame), len(text)) + frame + pieces


def test_the_test_can_take_a_patch_apart_and_put_it_together(builds: tuple[Path, Path, Path], tmp_path: Path) -> None:
    old, new, patch = builds
    (tmp_path / "same").write_bytes(join(*split(patch)))
    assert same_trees(applied(tmp_path / "same", old, tmp_path / "result"), new)


def _outside(header: Any) -> None:
    header["new"][0]["name"] = "../outside"


def _absolute(header: Any) -> None:
    header["new"][0]["name"] = "/tmp/outside"


def _drive(header: Any) -> None:
    header["new"][0]["name"] = "C:\\outside"


def _old_outside(header: Any) -> None:
    header["old"][0]["name"] = "../../etc/passwd"


def _folder_outside(header: Any) -> None:
    header["folders"] = ["a/../../b"]


def _twice(header: Any) -> None:
    header["new"][1]["name"] = header["new"][0]["name"]


def _file_and_folder(header: Any) -> None:
    header["new"][1]["name"] = header["new"][0]["name"] + "/inside"


def _written(header: Any) -> Any:
    return next(file for file in header["new"] if file["kind"] == "written" and file["name"].endswith("gguf"))


def _operation(header: Any, kind: str) -> Any:
    return next(step for part in _written(header)["parts"] for step in part["operations"] if step["op"] == kind)


def _behind_the_end(header: Any) -> None:
    _operation(header, "copy")["place"]["at"] += 1 << 40


def _negative(header: Any) -> None:
    _operation(header, "copy")["place"]["at"] = -1


def _no_such_file(header: Any) -> None:
    _operation(header, "copy")["place"]["file"] = 10_000


def _later_file(header: Any) -> None:
    place = _operation(header, "copy")["place"]
    place.update(of="new", file=len(header["new"]) - 1, at=0)


def _no_such_layer(header: Any) -> None:
    _operation(header, "copy")["place"]["layer"] = 7


def _other_size(header: Any) -> None:
    _written(header)["nbytes"] += 1


def _huge_piece(header: Any) -> None:
    _operation(header, "fresh").update(nbytes=MOST_FRESH_BYTES + 1)


def _whole_number_as_text(header: Any) -> None:
    _operation(header, "fresh").update(packed="1")


def _no_digest_of_what_is_needed(header: Any) -> None:
    for file in header["old"]:
        file["sha256"] = None


def _no_digest_of_what_is_kept(header: Any) -> None:
    kept = next(file for file in header["new"] if file["kind"] == "kept" and file["of"] == "old")
    header["old"][kept["file"]]["sha256"] = None


def _long_name(header: Any) -> None:
    header["new"][0]["name"] = "a/" * 1_000_000 + "b"


def _unknown_key(header: Any) -> None:
    header["run"] = "rm -rf /"


def _other_schema(header: Any) -> None:
    header["schema"] = "edgeshrink-delta-2"


def _setuid(header: Any) -> None:
    header["new"][0]["mode"] = 0o4755


def _layer_of_nothing(header: Any) -> None:
    header["old"][0]["layers"] = [{"start": 0, "nbytes": 3}]


def _more_pieces(header: Any) -> None:
    _operation(header, "fresh")["packed"] += 1


def _a_file_alone(header: Any) -> None:
    header["kind"] = "file"


@pytest.mark.parametrize(
    "spoil",
    [
        _outside, _absolute, _drive, _old_outside, _folder_outside, _twice, _file_and_folder, _behind_the_end,
        _negative, _no_such_file, _later_file, _no_such_layer, _other_size, _huge_piece, _whole_number_as_text,
        _unknown_key, _no_digest_of_what_is_needed, _other_schema, _setuid, _layer_of_nothing, _more_pieces,
        _a_file_alone, _no_digest_of_what_is_kept, _long_name,
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_is_refused_before_anything_is_written(
    builds: tuple[Path, Path, Path], tmp_path: Path, spoil: Callable[[Any], None]
) -> None:
    old, _, patch = builds
    header, pieces = split(patch)
    spoil(header)
    (tmp_path / "patch").write_bytes(join(header, pieces))
    with pytest.raises(DataError, match="no sound patch"), opened_patch(tmp_path / "patch"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["patch"]
    assert old.exists()


def test_wrong_pieces_do_not_become_a_build(builds: tuple[Path, Path, Path], tmp_path: Path) -> None:
    old, _, patch = builds
    header, pieces = split(patch)
    for number, place in enumerate((0, len(pieces) // 2, len(pieces) - 1)):
        changed = bytearray(pieces)
        changed[place] ^= 0x40
        (tmp_path / "patch").write_bytes(join(header, bytes(changed)))
        with pytest.raises(DataError, match="damaged"):
            applied(tmp_path / "patch", old, tmp_path / f"result-{number}")


def test_a_header_of_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    frame = compressed(b" " * (40 << 20))
    for lengths in ((len(frame), 40 << 20), (len(frame), 10 << 20), (1 << 60, 10), (len(frame), 1 << 60)):
        (tmp_path / "patch").write_bytes(_MAGIC + struct.pack("<QQ", *lengths) + frame)
        with pytest.raises(DataError, match="no sound patch"), opened_patch(tmp_path / "patch"):
            pass


def test_json_of_a_thousand_folds_is_refused(tmp_path: Path) -> None:
    for text in (b"[" * 100_000, b'{"old":' * 5000, b"null", b"[]", b"\xff\xfe", b"1" * 5000):
        frame = compressed(text)
        (tmp_path / "patch").write_bytes(_MAGIC + struct.pack("<QQ", len(frame), len(text)) + frame)
        with pytest.raises(DataError, match="no sound patch"), opened_patch(tmp_path / "patch"):
            pass


def test_every_kind_of_damage_is_one_error_or_no_harm(builds: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """Flips, cuts and additions anywhere, and changed values in a header that is whole again."""
    old, new, patch = builds
    raw = patch.read_bytes()
    header, pieces = split(patch)
    text = json.dumps(header)
    chance = random.Random(5)
    refused = 0
    for number in range(300):
        if number % 3 == 0:
            damaged = bytearray(raw)
            damaged[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        elif number % 3 == 1:
            cut = chance.randrange(len(raw))
            damaged = bytearray(raw[:cut] + random_bytes(number, chance.randrange(20)) + raw[cut + number % 2 * 7 :])
        else:
            place = chance.randrange(len(text))
            spoiled = text[:place] + chance.choice('0123456789ab"{}[],:') + text[place + 1 :]
            frame = compressed(spoiled.encode())
            damaged = bytearray(_MAGIC + struct.pack("<QQ", len(frame), len(spoiled)) + frame + pieces)
        (tmp_path / "patch").write_bytes(bytes(damaged))
        place_of_result = tmp_path / "in" / f"result-{number}"
        place_of_result.parent.mkdir(exist_ok=True)
        try:
            result = applied(tmp_path / "patch", old, place_of_result)
        except Error:
            refused += 1
        else:  # a name, a mode or a tool's version: without its signature, a patch may say what it likes there
            assert sum(path.is_file() for path in result.rglob("*")) == sum(path.is_file() for path in new.rglob("*"))
    assert refused > 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "patch"]
    assert all(path.name.startswith("result-") for path in (tmp_path / "in").iterdir())
    assert same_trees(old, bundle_like(tmp_path / "untouched"))


def test_what_is_no_patch_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "patch").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(DataError, match="not a patch"), opened_patch(tmp_path / "patch"):
        pass
    with pytest.raises(Error, match="cannot be read"), opened_patch(tmp_path / "absent"):
        pass
