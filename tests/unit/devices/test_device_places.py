"""Where on a device files may lie, from what its shell and its kernel say."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.devices import places
from edgeshrink.devices.places import Place, find_places, kind_of, read_free, read_survey
from edgeshrink.devices.transports.interface import Done
from edgeshrink.devices.transports.local import LocalTransport
from edgeshrink.errors import DeviceError

MOUNTS = r"""rootfs / rootfs rw 0 0
/dev/mmcblk0p1 / ext4 rw,relatime 0 0
tmpfs /tmp tmpfs rw,nosuid 0 0
/dev/sda1 /media/my\040disk ext4 rw 0 0
tmpfs /home/me/ram tmpfs rw 0 0
torn line
"""
DF = "Filesystem     1024-blocks    Used Available Capacity Mounted on\n"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me", "ext4"),
        ("/tmp", "tmpfs"),
        ("/tmp/x", "tmpfs"),
        ("/tmpx", "ext4"),
        ("/media/my disk/x", "ext4"),
        ("/home/me/ram/deep", "tmpfs"),
    ],
)
def test_the_file_system_under_a_path_is_the_nearest_mount(path: str, kind: str) -> None:
    assert kind_of(path, MOUNTS) == kind


def test_without_a_mount_table_nothing_is_said() -> None:
    assert kind_of("/home", "") == ""


@pytest.mark.parametrize(
    ("line", "free"),
    [
        ("/dev/root         60213456 1000000  57000000       2% /", 57_000_000),
        ("/dev/block/dm-5   115249236 9 100 10% /data/user/0", 100),
        ("me@host:/vol 1 with space   500 100 400 20% /mnt/a b", 400),
        ("overlay 100 200 -50 110% /", 0),
        ("map auto_home 0 0 0 100% /System/Volumes/Data/home", 0),
    ],
)
def test_free_space_is_read_from_df(line: str, free: int) -> None:
    assert read_free(f"{DF}{line}\n") == free * 1024


@pytest.mark.parametrize("text", ["", DF, "df: /x: No such file\n", "a b c d e f\n", f"{DF}x 1 2 {'9' * 40} 5% /\n"])
def test_what_df_cannot_have_said_is_no_figure(text: str) -> None:
    assert read_free(text) is None


def test_a_survey_gives_each_writable_place_once() -> None:
    survey = (
        f"place /home/me\nkept\n{DF}/dev/mmcblk0p1 9 1 8 1% /\nclosed /root\nplace /tmp\n{DF}tmpfs 9 1 4 1% /tmp\n"
        f"place /tmp\nplace relative\nplace /with\x1bescape\nmounts\n{MOUNTS}"
    )
    assert read_survey(survey) == (
        Place("/home/me", 8 * 1024, in_ram=False, has_kept=True),
        Place("/tmp", 4 * 1024, in_ram=True),
    )


def test_a_device_with_nothing_but_ram_to_write_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = Path("/proc/mounts")
    if not mounts.is_file() or kind_of("/dev/shm", mounts.read_text()) != "tmpfs":
        pytest.skip("/dev/shm is no tmpfs here")
    monkeypatch.setattr(places, "_CANDIDATES", {"local": ("/dev/shm",)})
    with pytest.raises(DeviceError, match="/dev/shm lies in its RAM"):
        find_places(LocalTransport(), keep=False)


def test_room_goes_before_order_and_kept_files_before_room(monkeypatch: pytest.MonkeyPatch) -> None:
    big, small = 8 << 20, 1 << 10
    rows = (("/a", small, ""), ("/b", big, ""), ("/c", small * 2, "kept\n"))
    survey = "".join(f"place {path}\n{kept}{DF}d 9 1 {free} 1% /\n" for path, free, kept in rows)
    transport = LocalTransport()
    monkeypatch.setattr(transport, "run", lambda *_, **__: Done(0, f"{survey}mounts\n", ""))
    assert [place.path for place in find_places(transport, keep=False)] == ["/b", "/c", "/a"]
    assert [place.path for place in find_places(transport, keep=True)] == ["/c", "/b", "/a"]
