"""`edgeshrink doctor`: what works here, what does not, and the fix."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from edgeshrink.catalog import requirements as requirements_module
from edgeshrink.catalog.requirements import requirements
from edgeshrink.commands import doctor as doctor_module
from edgeshrink.commands.doctor import doctor
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.doctor import DoctorLine, DoctorReport
from edgeshrink.devices import cpu
from edgeshrink.errors import ToolMissing
from edgeshrink.report.doctor_table import render_doctor

CHECKOUT = Path(__file__).resolve().parents[3]


def rendered(report: DoctorReport, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(render_doctor(report))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def line(report: DoctorReport, name: str) -> DoctorLine:
    return next(line for line in report.lines if line.name == name)


def test_a_build_can_work_where_these_tests_run() -> None:
    report = doctor()
    assert report.can_build, [line for line in report.lines if line.status == "missing"]
    assert {line.section for line in report.lines} == {
        "python", "packages", "extras", "tools", "devices", "runtimes", "machine", "store", "data",
    }  # fmt: skip
    assert line(report, "llama_cpp").status == "ok"
    assert line(report, "calibration").status == "absent"
    assert line(report, "profiles (shipped)").status == "ok"
    assert all(line.detail for line in report.lines)


def test_what_is_needed_and_missing_has_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> object:
        raise ToolMissing("llama.cpp cannot be loaded", hint="pip install it")

    monkeypatch.setattr(doctor_module, "runtime", missing)
    monkeypatch.setattr(requirements_module, "installed_version", lambda name: "")
    report = doctor()
    assert not report.can_build
    assert line(report, "llama_cpp") == DoctorLine(
        "runtimes", "llama_cpp", "missing", "llama.cpp cannot be loaded", "pip install it"
    )
    numpy = line(report, "numpy")
    assert numpy.status == "missing" and numpy.fix.startswith("pip install 'numpy")
    extra = next(line for line in report.lines if (line.section, line.name) == ("extras", "executorch"))
    assert extra.status == "absent" and extra.fix == "pip install 'edgeshrink[executorch]'"
    assert {"torch", "torchao", "executorch"} <= set(extra.detail.removeprefix("not installed: ").split(", "))


def test_runtimes_without_their_extra_are_absent_and_builds_work(monkeypatch: pytest.MonkeyPatch) -> None:
    real = requirements_module.installed_version
    gone = ("executorch", "onnxruntime", "onnxruntime-genai")
    monkeypatch.setattr(requirements_module, "installed_version", lambda name: "" if name in gone else real(name))
    monkeypatch.setattr("edgeshrink.runtimes.packages.installed_version", requirements_module.installed_version)
    report = doctor()
    assert report.can_build
    for name in ("executorch", "onnx"):
        found = next(line for line in report.lines if (line.section, line.name) == ("runtimes", name))
        assert (found.status, found.fix) == ("absent", f"pip install 'edgeshrink[{name}]'")


def test_a_combination_that_was_never_tested_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    tested = {"torch": "2.13.0+cpu", "transformers": "5.23.0", "pillow": "12.0.0", "torchao": "0.18.0"}
    versions = {**tested, "executorch": "1.6.0"}
    monkeypatch.setattr(requirements_module, "installed_version", lambda name: versions.get(name, ""))
    found = {line.name: line for line in doctor().lines if line.section == "extras"}
    assert found["torch"].status == "ok" and "torch 2.13.0+cpu" in found["torch"].detail
    assert found["executorch"].status == "warn"
    assert "executorch 1.6.0 (tested ==1.5.1)" in found["executorch"].detail
    assert "torchao" not in found["executorch"].detail
    assert found["onnx"].status == "absent"


def test_a_version_outside_the_tested_range_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements_module, "installed_version", lambda name: "0.0.1")
    report = doctor()
    assert report.can_build
    assert line(report, "gguf").status == "warn"
    assert line(report, "gguf").detail == "0.0.1, tested was ==0.19.0"


def test_installed_versions_are_read_without_importing() -> None:
    found = {package.name: package for package in requirements()}
    assert found["llama-cpp-python"].tested == "==0.3.36"
    assert found["llama-cpp-python"].fits
    assert "pytest" not in found


def test_an_installed_package_reads_its_own_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = [
        "numpy<3,>=1.26",
        "torch==2.13.0; extra == 'torch'",
        "edgeshrink[torch]; extra == 'onnx'",
        "onnx==1.23.2; extra == 'onnx'",
        'pytest; extra == "test"',
    ]
    monkeypatch.setattr(requirements_module, "checkout_folder", lambda: None)
    monkeypatch.setattr(requirements_module.metadata, "requires", lambda name: declared)
    found = [(package.name, package.tested, package.extra) for package in requirements()]
    assert found == [("numpy", "<3,>=1.26", "")]
    assert requirements_module.extras() == ("torch", "onnx")
    found = [
        (package.name, package.tested, package.extra) for package in requirements_module.extra_requirements("onnx")
    ]
    assert found == [("torch", "==2.13.0", "onnx"), ("onnx", "==1.23.2", "onnx")]


def test_kernels_that_were_not_compiled_in_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeshrink.runtimes import llama_library

    monkeypatch.setattr(cpu, "isa_features", lambda: (("avx2", "avx512f"), "planted here"))
    monkeypatch.setattr(llama_library, "cpu_features", lambda: ("SSE3",))
    kernels = line(doctor(), "llama.cpp kernels")
    assert kernels.status == "warn"
    assert "AVX2, AVX512" in kernels.detail and "GGML_NATIVE=ON" in kernels.fix


def test_a_store_that_cannot_be_written_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("EDGESHRINK_CACHE", str(blocked / "store"))
    folder = line(doctor(), "folder")
    assert folder.status == "missing" and "EDGESHRINK_CACHE" in folder.fix


def test_a_broken_data_file_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_text("id = ", encoding="utf-8")
    report = doctor()
    assert report.can_build
    assert "not TOML" in line(report, "profiles/mine.toml").detail


TAKEN = MachineCalibration("here", "2026-11-21T12:00:00+00:00", 2, 1.05e10, 4e10, 2**25, 1e-4, 1e11, 6e6, 5e8)


def test_calibration_is_said_with_its_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "calibrated", lambda store, listener, again: TAKEN)
    found = line(doctor(calibrate=True), "calibration")
    assert found.status == "ok"
    expected = "2026-11-21T12:00:00+00:00: memory reads 10.5 GB/s with 2 threads, prefill 100 GFLOP/s"
    assert found.detail == expected


def test_a_calibration_of_a_busy_machine_is_warned_about_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = dataclasses.replace(TAKEN, others_cpu_share=0.6)
    monkeypatch.setattr(doctor_module, "calibrated", lambda store, listener, again: busy)
    found = line(doctor(again=True), "calibration")
    assert found.status == "warn"
    assert "60%" in found.detail
    assert "--recalibrate" in found.fix


def test_calibrating_that_fails_does_not_stop_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> object:
        raise ToolMissing("no compiler", hint="install one")

    monkeypatch.setattr(doctor_module, "calibrated", fail)
    found = line(doctor(calibrate=True), "calibration")
    assert (found.status, found.detail, found.fix) == ("warn", "failed: no compiler", "install one")


def test_the_table_is_whole_at_80_columns_and_condenses_what_is_fine() -> None:
    report = DoctorReport(
        (
            DoctorLine("python", "Python", "ok", "3.11.7"),
            DoctorLine("packages", "click", "ok", "8.5.1 (tested: >=8.1)"),
            DoctorLine("packages", "gguf", "warn", "0.1, tested was ==0.19.0", "pip install 'gguf==0.19.0'"),
            DoctorLine("packages", "rich", "ok", "15.0.0 (tested: >=13.9)"),
            DoctorLine("tools", "CMake", "absent", "none found"),
        )
    )
    text = rendered(report)
    assert "2 as tested" in text and "click 8.5.1, rich 15.0.0" in text
    assert text.index("as tested") < text.index("CMake")
    assert "fix: pip install 'gguf==0.19.0'" in text
    assert "builds work here; 1 line needs a look" in text
    assert max(map(len, text.splitlines())) <= 80


def test_missing_things_are_counted() -> None:
    text = rendered(DoctorReport((DoctorLine("packages", "gguf", "missing", "not installed", "pip install gguf"),)))
    assert "1 of the things that a build needs is missing" in text


def in_a_fresh_interpreter(program: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "EDGESHRINK_CACHE": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("verb", ["doctor --no-calibrate --json", "targets --json"])
def test_neither_verb_imports_torch(verb: str, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from edgeshrink.cli import main\n"
        "try:\n"
        f"    main({verb.split()!r})\n"
        "except SystemExit as leaving:\n"
        "    assert not leaving.code, leaving.code\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    done = in_a_fresh_interpreter(program, tmp_path)
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
    assert done.stderr == ""


def test_a_compiler_is_said_to_be_needed_for_what_it_is_needed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module.cxx, "find", lambda: None)
    found = line(doctor(), "C++ compiler")
    assert found.status == "absent"
    assert "the runner for this machine" in found.detail and "llama-cpp-python" in found.detail
