"""What was asked of a bundle is done or refused, and never silently left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.catalog.profiles import load_profile
from edgeshrink.cli import root
from edgeshrink.commands.bundle import default_folder
from edgeshrink.core.bundle import BundleKind, BundleOptions
from edgeshrink.core.events import silent
from edgeshrink.engine.adapter import bundle_adapter
from edgeshrink.engine.bundle_options import check_options, check_runner
from edgeshrink.engine.bundle_runner import runner_for_bundle
from edgeshrink.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("kind", "options", "flag"),
    [
        ("laptop", BundleOptions(parts=("aar",)), "--parts"),
        ("ios", BundleOptions(application_id="org.example"), "--application-id"),
        ("jetson", BundleOptions(delivery="on-demand"), "--delivery"),
        ("android", BundleOptions(xcframework_url="https://example.org/x.zip"), "--xcframework-url"),
        ("laptop", BundleOptions(executorch_revision="0" * 40), "--executorch-revision"),
        ("laptop", BundleOptions(python=Path("/usr")), "--python"),
        ("android", BundleOptions(wheels=Path("/usr")), "--wheels"),
        ("ios", BundleOptions(runner=Path("runner")), "no runner for iOS"),
    ],
)
def test_what_another_kind_takes_is_refused(kind: BundleKind, options: BundleOptions, flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        check_options(kind, options)


@pytest.mark.parametrize(
    ("options", "why"),
    [(BundleOptions(parts=("aar",)), "--parts"), (BundleOptions(with_runner=True), "no runner of its own")],
)
def test_an_adapter_takes_none_of_it(options: BundleOptions, why: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=why):
        bundle_adapter(tmp_path / "lora.gguf", tmp_path / "base", tmp_path / "new", options, seal=None)


def test_what_the_kind_takes_is_taken() -> None:
    check_options("android", BundleOptions(parts=("aar",), application_id="org.example", delivery="on-demand"))
    check_options("ios", BundleOptions(xcframework_url="https://example.org/x.zip", executorch_revision="0" * 40))
    check_options("jetson", BundleOptions(python=Path("/usr"), wheels=Path("/usr"), runner=Path("runner")))


@pytest.mark.parametrize("kind", ["jetson", "android"])
def test_no_runner_is_built_for_a_device_that_runs_none_such(kind: BundleKind) -> None:
    with pytest.raises(UsageError, match="runs x86_64"):
        runner_for_bundle(kind, load_profile("laptop-avx512-16gb"), listener=silent)


def test_a_runner_that_is_no_program_of_the_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a program")
    with pytest.raises(DataError, match="no ELF file"):
        check_runner("laptop", load_profile("laptop-avx512-16gb"), tmp_path / "text")


@pytest.mark.parametrize("half", [("--signer", "me"), ("--passphrase-file", "words")])
def test_nobody_is_left_to_believe_that_it_is_signed(half: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing would be signed"):
        root.main(["bundle", str(tmp_path), *half], standalone_mode=False)


@pytest.mark.parametrize("given", [".", "", "x/.."])
def test_a_build_named_without_its_name_has_a_bundle_beside_it(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = tmp_path / "build"
    (build / "x").mkdir(parents=True)
    monkeypatch.chdir(build)
    assert default_folder(Path(given)).resolve() == tmp_path / "build-bundle"


def test_the_default_place_is_told_as_the_build_was() -> None:
    assert default_folder(Path("out/demo")) == Path("out/demo-bundle")
