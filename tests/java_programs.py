"""Java for tests: the bundle's API compiled with what stands in for Android, and a program that uses it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
API = REPOSITORY / "targets" / "android" / "bundle" / "java"
COMPILE_STUBS = REPOSITORY / "targets" / "android" / "bundle" / "stubs"
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
JAVA = REPOSITORY / "tests" / "java"


def needs(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def compile_for_tests(classes: Path, sources: list[Path], *beside: Path) -> None:
    """Compile `sources`, and what they refer to in `beside`, without a word of warning."""
    needs("javac", "java")
    path = ":".join(map(str, beside))
    command = [
        "javac",
        *(f"-J{option}" for option in _QUICK),
        "--release",
        "8",
        "-proc:none",
        "-Xlint:all,-options,-serial",
        "-Werror",
    ]
    done = subprocess.run(
        [*command, "-sourcepath", path, "-d", classes, *sources], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def compile_asker(classes: Path) -> Path:
    compile_for_tests(classes, [JAVA / "harness" / "Ask.java"], API, JAVA / "fakes")
    return classes


def ask(classes: Path, *arguments: object) -> dict[str, str]:
    """What the program printed: facts by name, and under "refused" the exception and what it said."""
    done = subprocess.run(
        ["java", *_QUICK, "-Xmx256m", "-cp", classes, "Ask", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    facts: dict[str, str] = {}
    for line in done.stdout.splitlines():
        name, equals, value = line.partition("=")
        facts |= {name: value} if equals and name.isidentifier() else {"refused": line}
    return facts
