"""Which wheels go to a device, and which Python they run in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jetson_packages import ONNX, arm64_python, onnx_wheels, wheel
from sample_cargo import sample_cargo

from edgeshrink.bundle.jetson.bundler import BUNDLER
from edgeshrink.bundle.jetson.python_runtime import own_python
from edgeshrink.bundle.jetson.wheels import from_registry, gather, in_folder, pythons_of
from edgeshrink.core.bundle import BundleOptions, Engine
from edgeshrink.core.events import silent
from edgeshrink.errors import DataError, ToolMissing, UsageError


def names(wheels: tuple[Path, ...]) -> list[str]:
    return ["-".join(path.name.split("-")[:2]) for path in wheels]


def test_what_a_wheel_needs_goes_along_and_what_needs_it_only(tmp_path: Path) -> None:
    folder = onnx_wheels(tmp_path / "w")
    wheel(folder, "unasked", "1.0")
    found = gather(("onnxruntime-genai==0.18.0",), "3.11", in_folder(folder, "3.11"), silent)
    assert names(found) == ["numpy-2.4.0", "onnxruntime-1.31.1", "onnxruntime_genai-0.18.0"]


def test_markers_are_those_of_the_device(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    wheel(
        folder,
        "top",
        "1.0",
        "never; platform_machine == 'x86_64'",
        "never; sys_platform == 'win32'",
        "never; python_version < '3.12'",
        "always; platform_machine == 'aarch64' and platform_system == 'Linux'",
    )
    wheel(folder, "always", "2.0")
    assert names(gather(("top",), "3.12", in_folder(folder, "3.12"), silent)) == ["always-2.0", "top-1.0"]


@pytest.mark.parametrize(
    "tag",
    ["cp312-cp312-manylinux_2_28_aarch64", "cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_39_aarch64"],
)
def test_a_wheel_for_another_machine_python_or_glibc_is_none(tmp_path: Path, tag: str) -> None:
    wheel(tmp_path / "w", "top", "1.0", tag=tag)
    with pytest.raises(UsageError, match=r"holds no wheel of top for Python 3\.11 on arm64 Linux") as refused:
        gather(("top",), "3.11", in_folder(tmp_path / "w", "3.11"), silent)
    assert "pip download" in refused.value.hint


def test_the_newest_that_fits_is_taken(tmp_path: Path) -> None:
    for version in ("1.9", "1.10", "2.0"):
        wheel(tmp_path / "w", "top", version)
    assert names(gather(("top<2",), "3.11", in_folder(tmp_path / "w", "3.11"), silent)) == ["top-1.10"]


def test_wheels_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    wheel(tmp_path / "w", "one", "1.0", "shared<2")
    wheel(tmp_path / "w", "shared", "2.0")
    with pytest.raises(DataError, match=r"shared-2\.0-py3-none-any\.whl does not suit one, which needs shared<2"):
        gather(("shared==2.0", "one"), "3.11", in_folder(tmp_path / "w", "3.11"), silent)


def test_what_only_lowers_models_stays_behind(tmp_path: Path) -> None:
    wheel(tmp_path / "w", "executorch", "1.5.1", "pandas", "hypothesis", "numpy")
    wheel(tmp_path / "w", "numpy", "2.0")
    assert names(gather(("executorch",), "3.11", in_folder(tmp_path / "w", "3.11"), silent)) == [
        "executorch-1.5.1",
        "numpy-2.0",
    ]


def test_a_broken_wheel_is_named(tmp_path: Path) -> None:
    wheel(tmp_path / "w", "top", "1.0").write_bytes(b"PK no zip")
    with pytest.raises(DataError, match=r"metadata of top-1\.0-py3-none-any\.whl cannot be read"):
        gather(("top",), "3.11", in_folder(tmp_path / "w", "3.11"), silent)


def test_without_a_registry_it_is_said_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(ToolMissing, match=r"could not fetch nothing-there==1\.0 for Python 3\.12") as refused:
        gather(("nothing-there==1.0",), "3.12", from_registry(tmp_path, "3.12"), silent)
    assert "--platform manylinux_2_28_aarch64" in refused.value.hint
    assert "--wheels" in refused.value.hint


def test_the_pip_of_this_machine_brings_wheels_for_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(onnx_wheels(tmp_path / "w", "312")))
    (tmp_path / "scratch").mkdir()
    found = gather(("onnxruntime==1.31.1",), "3.12", from_registry(tmp_path / "scratch", "3.12"), silent)
    assert names(found) == ["numpy-2.4.0", "onnxruntime-1.31.1"]


def test_pythons_that_there_are_wheels_for(tmp_path: Path) -> None:
    for python in ("311", "39", "313"):
        wheel(tmp_path / "w", "top", "1.0", tag=f"cp{python}-cp{python}-manylinux_2_28_aarch64")
    assert pythons_of(tmp_path / "w", "top") == ("3.9", "3.11", "3.13")


def test_a_relocatable_python_is_taken_without_links_and_tests(tmp_path: Path) -> None:
    found = own_python(arm64_python(tmp_path / "py"))
    assert found.version == "3.11"
    assert [name for name, _ in found.files] == [
        "bin/python3",
        "lib/python3.11/json/__init__.py",
        "lib/python3.11/os.py",
    ]


def test_a_python_that_is_none_for_the_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no bin/python3"):
        own_python(tmp_path)
    folder = arm64_python(tmp_path / "py")
    (folder / "lib/python3.11/leads_out.py").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="leads out of the folder"):
        own_python(folder)
    (folder / "bin/python3.11").write_bytes(Path("/bin/sh").read_bytes())
    with pytest.raises(UsageError, match="is a program for x86_64; a Jetson runs aarch64"):
        own_python(folder)


def test_pte_wants_its_wheels_named(tmp_path: Path) -> None:
    engine = Engine("executorch", "executorch", "executorch", "1.5.1")
    cargo = sample_cargo(tmp_path / "b", b"pte", kind="jetson", engine=engine, format="executorch")
    with pytest.raises(UsageError, match="gigabytes") as refused:
        BUNDLER.check(cargo.manifest, BundleOptions("jetson", "tiny"))
    assert "--wheels" in refused.value.hint


def test_the_onnx_package_has_runtime_loader_and_a_python_of_its_own(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("model.onnx", "genai_config.json", "tokenizer.json"):
        (model / name).write_text(name)
    cargo = sample_cargo(tmp_path / "b", model, kind="jetson", engine=ONNX, format="onnx", main="model/tiny-onnx")
    options = BundleOptions(
        "jetson", "tiny", wheels=onnx_wheels(tmp_path / "w"), python=arm64_python(tmp_path / "py"), archives=False
    )
    BUNDLER.check(cargo.manifest, options)
    assert BUNDLER.write(cargo, options, silent) == ()
    home = cargo.folder / "root/opt/edgeshrink/tiny"
    assert (home / "lib/python/onnxruntime_genai/__init__.py").read_text() == "__version__ = '0.18.0'\n"
    assert (home / "lib/python/edgeshrink_bundle/__main__.py").is_file()
    assert (home / "lib/python/WHEELS").read_text().count(".whl\n") == 3
    assert (home / "python/bin/python3").stat().st_mode & 0o777 == 0o755
    assert "python=3.11\n" in (home / "settings").read_text()
    assert not any(path.is_symlink() for path in cargo.folder.rglob("*"))


def test_without_a_python_of_its_own_it_is_said_which_the_device_needs(tmp_path: Path) -> None:
    cargo = sample_cargo(tmp_path / "b", b"onnx", kind="jetson", engine=ONNX, format="onnx")
    options = BundleOptions("jetson", "tiny", wheels=onnx_wheels(tmp_path / "w", "313"), archives=False)
    (sentence,) = BUNDLER.write(cargo, options, silent)
    assert sentence.startswith("Runs in a Python 3.13 that the device has. JetPack 5 and 6 have Python 3.8 and 3.10")
    assert not (cargo.folder / "root/lib/systemd").exists(), "a network answers no questions"
