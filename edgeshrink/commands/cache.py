"""`edgeshrink cache ls | why | gc`: what the store holds, and why a step ran."""

from __future__ import annotations

from dataclasses import dataclass

import click
from rich.table import Table

from edgeshrink.commands.options import json_option, json_text, show
from edgeshrink.commands.ranges import FiniteRange
from edgeshrink.report.format import human_bytes, plain
from edgeshrink.store import Decision, Store


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One stored result."""

    step: str
    key: str
    made_at: str
    seconds: float
    nbytes: int


@dataclass(frozen=True, slots=True)
class RunnerEntry:
    """A runner for devices, the objects or the sources of some; `used` by the installed version."""

    kind: str
    name: str
    nbytes: int
    used: bool


@dataclass(frozen=True, slots=True)
class CacheListing:
    """The store and its results, oldest first; and the folder of runners."""

    folder: str
    entries: tuple[CacheEntry, ...]
    runner_folder: str = ""
    runners: tuple[RunnerEntry, ...] = ()


@click.group("cache")
def command() -> None:
    """Look into the store of finished steps (EDGESHRINK_CACHE moves it)."""


@command.command("ls")
@json_option
def ls(as_json: bool) -> int:
    """List the stored results, and what was built for devices."""
    from edgeshrink.engine.runner_folder import held_runners, runner_folder

    store = Store()
    runners = tuple(RunnerEntry(held.kind, held.name, held.nbytes, held.used) for held in held_runners())
    entries = tuple(
        CacheEntry(stored.step, stored.key, stored.made_at, stored.seconds, stored.nbytes) for stored in store.entries()
    )
    if as_json:
        click.echo(json_text(CacheListing(str(store.root), entries, str(runner_folder()), runners)))
        return 0
    total = sum(entry.nbytes for entry in entries)
    table = Table(title=f"{store.root}: {len(entries)} results, {human_bytes(total)}", box=None, title_justify="left")
    table.add_column("step")
    table.add_column("key")
    table.add_column("made at")
    table.add_column("took", justify="right")
    table.add_column("size", justify="right")
    for entry in entries:
        table.add_row(entry.step, entry.key[:12], entry.made_at, f"{entry.seconds:.1f} s", human_bytes(entry.nbytes))
    show(table)
    if runners:
        click.echo()
        show(_runner_table(str(runner_folder()), runners))
    return 0


def _runner_table(folder: str, runners: tuple[RunnerEntry, ...]) -> Table:
    total = human_bytes(sum(entry.nbytes for entry in runners))
    table = Table(title=f"{folder}: for devices, {total}", box=None, title_justify="left")
    for name in ("kind", "name", "used"):
        table.add_column(name)
    table.add_column("size", justify="right")
    for entry in runners:
        table.add_row(entry.kind, plain(entry.name), "yes" if entry.used else "no", human_bytes(entry.nbytes))
    return table


@command.command("why")
@json_option
def why(as_json: bool) -> int:
    """Say of each step of the last run whether it ran, and why."""
    decisions = Store().last_run()
    if as_json:
        click.echo(json_text(decisions))
        return 0
    if not decisions:
        click.echo("no run has used this store yet")
    for decision in decisions:
        click.echo(_sentence(decision))
    return 0


@command.command("gc")
@click.option("--keep-days", type=FiniteRange(min=0), default=30, show_default=True, help="Spare younger results.")
@click.option("--runners", is_flag=True, help="Also runners for devices, objects and sources of other versions.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
def gc(keep_days: float, runners: bool, dry_run: bool) -> int:
    """Remove old results and what killed builds left behind."""
    removed, freed = Store().collect_garbage(keep_days=keep_days, dry_run=dry_run)
    verb = "would remove" if dry_run else "removed"
    click.echo(f"{verb} {removed} results, {human_bytes(freed)}")
    if runners:
        from edgeshrink.engine.runner_folder import remove_unused_runners

        gone = remove_unused_runners(dry_run=dry_run)
        what = ", ".join(f"{held.kind} {plain(held.name)}" for held in gone)
        said = f": {what}, {human_bytes(sum(held.nbytes for held in gone))}" if gone else ""
        click.echo(f"{verb} {len(gone)} folders of other versions' runners{said}")
    return 0


def _sentence(decision: Decision) -> str:
    return f"{decision.step:13} {'reused' if decision.reused else 'ran   '}  {decision.key[:12]}  {decision.why}"
