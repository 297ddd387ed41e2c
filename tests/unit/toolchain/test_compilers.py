"""Which compiler makes a runner, and what is said where none can."""

from __future__ import annotations

import platform as host
import subprocess
import sys
from pathlib import Path

import pytest

from edgeshrink.errors import ToolMissing
from edgeshrink.toolchain.runner.build import build_runner
from edgeshrink.toolchain.runner.compilers import gnu, native, ndk, zig
from edgeshrink.toolchain.runner.compilers.interface import Compiler
from edgeshrink.toolchain.runner.compilers.registry import asked, found, none_here
from edgeshrink.toolchain.runner.platform import platform

from .planted_llama import plant_runner

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="plants shell scripts")


def plant(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no compiler but what the test puts on its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    for name in ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT", "ANDROID_HOME", "ANDROID_SDK_ROOT", "CXX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return programs


def plant_ndk(folder: Path, version: str) -> Path:
    (folder / "build/cmake").mkdir(parents=True)
    (folder / "build/cmake/android.toolchain.cmake").touch()
    (folder / "source.properties").write_text(f"Pkg.Desc = Android NDK\nPkg.Revision = {version}\n", encoding="utf-8")
    return folder


def taken(name: str) -> Compiler:
    return found(platform(name))[0]


def test_where_there_is_none_each_says_why_and_the_fix_is_one_line(bare: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as error:
        build_runner(platform("android-arm64-dotprod"), tmp_path / "runners", source=None)
    for words in ("android-arm64-dotprod", "ndk: ANDROID_NDK_HOME", "zig: neither", "gnu: no aarch64-linux-gnu-g++"):
        assert words in error.value.message
    assert "pip install 'edgeshrink[device]'" in error.value.hint
    assert "\n" not in error.value.hint


def test_each_system_is_asked_in_its_own_order() -> None:
    assert asked(platform("android-arm64")) == (ndk, zig, gnu)
    assert asked(platform("arm64")) == (gnu, zig)
    assert asked(platform("macos-arm64")) == (zig,)
    assert asked(platform("native")) == (native,)


def test_the_debian_cross_compiler_is_taken_for_linux_and_for_phones(bare: Path, tmp_path: Path) -> None:
    for name in ("aarch64-linux-gnu-g++", "aarch64-linux-gnu-gcc"):
        plant(bare, name, "echo 'g++ (Debian 12.2.0-14) 12.2.0'")
    linux, phone = taken("arm64-i8mm"), taken("android-arm64-i8mm")
    assert linux.shown == "aarch64-linux-gnu-g++ 12.2.0"
    assert (linux.id, linux.target) == (phone.id, phone.target) == ("gnu 12.2.0", "linux")
    given = linux.definitions(tmp_path)
    assert "-DGGML_CPU_ARM_ARCH=armv8.2-a+dotprod+fp16+i8mm" in given
    assert f"-DCMAKE_CXX_COMPILER={bare}/aarch64-linux-gnu-g++" in given
    assert any("-static" in flag and "max-page-size=65536" in flag for flag in given)
    assert "no files for macOS" in str(none_here(platform("macos-arm64"))) or not found(platform("macos-arm64"))


def test_a_cxx_without_its_c_is_no_compiler(bare: Path) -> None:
    plant(bare, "aarch64-linux-gnu-g++", "echo 12.2.0")
    assert found(platform("arm64")) == ()


def test_the_ndk_comes_first_for_a_phone_and_is_no_compiler_for_a_board(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("aarch64-linux-gnu-g++", "aarch64-linux-gnu-gcc"):
        plant(bare, name, "echo 12.2.0")
    monkeypatch.setenv("ANDROID_NDK_HOME", str(plant_ndk(tmp_path / "ndk", "26.1.10909125")))
    compiler = taken("android-arm64-dotprod")
    assert (compiler.id, compiler.interpreter) == ("ndk 26.1.10909125", "/system/bin/linker64")
    given = compiler.definitions(tmp_path)
    assert f"-DCMAKE_TOOLCHAIN_FILE={tmp_path}/ndk/build/cmake/android.toolchain.cmake" in given
    assert {"-DANDROID_ABI=arm64-v8a", "-DANDROID_PLATFORM=android-28"} <= set(given)
    assert taken("arm64-dotprod").name == "gnu"


def test_the_newest_ndk_of_the_sdk_is_taken(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.0.1", "26.1.2", "25.9.9"):
        plant_ndk(tmp_path / "sdk/ndk" / version, version)
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    assert taken("android-arm64").version == "26.1.2"


def test_zig_gets_scripts_that_are_one_program_each(bare: Path, tmp_path: Path) -> None:
    plant(bare, "zig", '[ "$1" = version ] && echo 0.17.0 || echo "$@"')
    compiler = taken("arm64-i8mm")
    assert compiler.id == "zig 0.17.0"
    folder = tmp_path / "a folder"
    given = compiler.definitions(folder)
    cxx = next(flag.partition("=")[2] for flag in given if flag.startswith("-DCMAKE_CXX_COMPILER="))
    said = subprocess.run([cxx, "-c", "a b.cpp"], capture_output=True, text=True, check=True).stdout
    assert said == "c++ -target aarch64-linux-musl -c a b.cpp\n"
    assert "-DEDGESHRINK_KERNEL_FLAGS=-mcpu=generic+v8_2a+dotprod+fullfp16+i8mm" in given
    assert "-DGGML_CPU_ARM_ARCH=" in given


def test_zig_makes_mac_files_for_the_cpu_alone(bare: Path, tmp_path: Path) -> None:
    plant(bare, "zig", "echo 0.17.0")
    compiler = taken("macos-arm64")
    assert compiler.target == "macos"
    assert {"-DGGML_METAL=OFF", "-DCMAKE_SYSTEM_NAME=Darwin"} <= set(compiler.definitions(tmp_path))


def test_a_zig_that_does_not_start_says_so(bare: Path) -> None:
    plant(bare, "zig", "echo 'wrong libc' >&2; exit 1")
    assert "wrong libc" in none_here(platform("arm64")).message


def test_levels_of_x86_add_up(bare: Path, tmp_path: Path) -> None:
    for name in ("x86_64-linux-gnu-g++", "x86_64-linux-gnu-gcc"):
        plant(bare, name, "echo 12.2.0")
    levels = [set(taken(name).definitions(tmp_path)) for name in ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")]
    on = [{flag for flag in level if flag.startswith("-DGGML") and flag.endswith("=ON")} for level in levels]
    assert [len(flags) for flags in on] == [0, 1, 6, 7]
    assert on[1] < on[2] < on[3]


def test_without_a_compiler_what_was_built_before_is_taken(bare: Path, tmp_path: Path) -> None:
    """A cache that was filled elsewhere: a test machine, a colleague."""
    from edgeshrink.toolchain.runner.cache import RunnerRecord, keep
    from edgeshrink.toolchain.runner.program import llama_identity, runner_source

    runners = tmp_path / "runners"
    runners.mkdir()
    source = runner_source(plant_runner(tmp_path / "runner"))
    record = RunnerRecord("0.3.36+abc", "gnu 12.2.0", "linux", "arm64-dotprod", llama_identity(), source.digest, 1.0)
    keep(runners, "linux-arm64-dotprod-gnu-abc", lambda path: path.write_bytes(b"program") and None, lambda: record)
    built = build_runner(platform("android-arm64-dotprod"), runners, source=source)
    assert (built.build_id, built.compiler, built.path.read_bytes()) == ("0.3.36+abc", "gnu 12.2.0", b"program")
    for name in ("arm64-i8mm", "macos-arm64"):
        with pytest.raises(ToolMissing):
            build_runner(platform(name), runners, source=source)


@pytest.mark.skipif(host.machine() not in ("x86_64", "aarch64"), reason="no native runner for this machine")
def test_the_native_one_depends_on_the_libraries_that_it_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compilers = found(platform("native"))
    if not compilers:
        pytest.skip("no C++ compiler")
    (tmp_path / "libllama.so").write_bytes(b"another build")
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    assert taken("native").inputs != compilers[0].inputs
