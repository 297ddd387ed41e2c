"""`edgeshrink devices`: what is attached, which profile it is, as a table that is whole at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.listing import ListedDevice
from edgeshrink.report.device_told import cpu_text, device_name
from edgeshrink.report.format import DASH, human_bytes, plain
from edgeshrink.report.pieces import facts_grid, item, table

NO_PROFILE = "no profile: --save drafts one"
_WHOLE = 36
_NOTHING = "Nothing is attached to this machine."
_ALONE = "No other device is attached."
_HELP = (
    "A phone: switch on USB debugging, plug it in, and allow this machine on its screen; `adb devices` must list it.",
    "A machine on the network: it need not be listed, `--device ssh:USER@HOST` reaches it as `ssh USER@HOST` does.",
)


def render_devices(rows: Sequence[ListedDevice]) -> RenderableType:
    """One row a device; below them where a device and its profile differ, and what it did not show."""
    parts: list[RenderableType] = []
    if rows:
        parts += [_table(rows), *_below(rows)]
    if not any(row.address != "local" for row in rows):
        parts += [Text()] if parts else []
        parts.append(Text(_ALONE if rows else _NOTHING, style="bold"))
        parts += [item("-", text, "") for text in _HELP]
    return Group(*parts)


def _table(rows: Sequence[ListedDevice]) -> RenderableType:
    found = table(0)
    # An address is there to be copied: it is folded only where it would take half of the line.
    found.add_column("address", overflow="fold", no_wrap=all(len(row.address) <= _WHOLE for row in rows))
    found.add_column("what it is", overflow="fold")
    found.add_column("system", overflow="fold")
    found.add_column("RAM", justify="right", no_wrap=True)
    found.add_column("profile", overflow="fold")
    for row in rows:
        address = Text(plain(row.address), style="bold")
        if row.probed is None:
            found.add_row(address, Text("does not answer", style="red"), "", DASH, "")
        else:
            device = row.probed
            ram = human_bytes(device.ram_bytes) if device.ram_bytes > 0 else DASH
            found.add_row(address, _what(device), Text(plain(device.os)), ram, _profile(row))
    return found


def _what(device: ProbedDevice) -> Text:
    text = Text(plain(device_name(device)))
    if device.emulation:
        text.append(f"\n{plain(device.emulation)}", style="yellow")
    return text


def _profile(row: ListedDevice) -> Text:
    if not row.profile:
        return Text(NO_PROFILE, style="yellow")
    return Text(plain(row.profile), style="bold" if row.differences else "bold green")


def _below(rows: Sequence[ListedDevice]) -> Iterator[RenderableType]:
    for row in rows:
        facts = facts_grid()
        for name, text, style in _facts(row):
            facts.add_row(name, Text(plain(text), style=style))
        if facts.row_count:
            yield Text()
            yield Text(plain(row.address), style="bold", overflow="fold")
            yield Padding(facts, (0, 0, 0, 2))


def _facts(row: ListedDevice) -> Iterator[tuple[str, str, str]]:
    """Name, text, style."""
    device = row.probed
    if device is None:
        yield "error", row.error or "it left no word", "red"
        return
    if text := ": ".join(part for part in (row.profile_name, row.why) if part):
        yield "profile", text, ""
    for text in row.differences:
        yield "differs", text, "yellow"
    if text := cpu_text(device):
        yield "CPU", text, ""
    for name, found in (("GPU", device.gpus), ("NPU", device.npus)):
        if found:
            yield name, ", ".join(found), ""
    for text in device.unread:
        yield "not read", text, "dim"
