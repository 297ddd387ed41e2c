"""Compiles the runner, for other devices and for this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgeshrink.core.events import Progress
from edgeshrink.errors import DataError, StepFailed
from edgeshrink.toolchain import elf
from edgeshrink.toolchain.runner import compiling
from edgeshrink.toolchain.runner.cache import PROGRAM
from edgeshrink.toolchain.runner.compilers import native
from edgeshrink.toolchain.runner.compilers.interface import Compiler
from edgeshrink.toolchain.runner.job import RunnerJob
from edgeshrink.toolchain.runner.program import RunnerSource
from edgeshrink.toolchain.runner.sources import llama_sources

COMMON = (
    "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DGGML_NATIVE=OFF", "-DGGML_OPENMP=OFF",
    "-DGGML_CCACHE=OFF", "-DLLAMA_BUILD_COMMON=OFF", "-DLLAMA_BUILD_TOOLS=OFF", "-DLLAMA_BUILD_SERVER=OFF",
    "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_NUMBER=0",
)  # fmt: skip
"""Only libllama and ggml, linked into the program; no OpenMP, which a device may lack."""
PAGE_BYTES = 16384
"""Pages of recent phones: a segment aligned to less cannot be mapped there."""


def compile_for_device(job: RunnerJob, program: Path) -> None:
    """Write the static `program`. Objects of a killed or an older build in `job.work` are used again."""
    sources = llama_sources(job.folder / "sources", job.listener)
    with compiling.held(job.work.with_suffix(".lock")) as descriptor:
        build, staged, log = job.work / "build", job.work / "source", job.work / "build.log"
        stage(job.source, staged)
        log.unlink(missing_ok=True)
        job.listener(Progress(f"{job.task}: configure", 0, 0))
        _configure(job, sources, staged, build, log, descriptor)
        wanted = str(job.jobs or compiling.parallel_jobs())
        make = (compiling.cmake_program(), "--build", str(build), "--target", PROGRAM, "--parallel", wanted)
        compiling.run_logged(make, log, job.task, job.listener, keep=descriptor)
        shutil.copyfile(_made(build, log), program)
        check(program, job.platform.machine, job.compiler)


def link_native(job: RunnerJob, program: Path) -> None:
    """Write `program` for this machine, linked to the installed llama.cpp."""
    job.work.mkdir(parents=True, exist_ok=True)
    macros = {"EDGESHRINK_BUILD": job.build_id, "EDGESHRINK_LLAMA": job.llama}
    log = job.work / "build.log"
    log.unlink(missing_ok=True)
    job.listener(Progress(job.task, 0, 1, "objects"))
    compiling.run_logged(native.command(job.source.compiled, program, macros), log, job.task, job.listener)
    job.listener(Progress(job.task, 1, 1, "objects"))


def stage(source: RunnerSource, folder: Path) -> None:
    """Copy our files to `folder`; those that are there unchanged keep their time, so that nothing is compiled anew."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {file.name for file in source.files}
    for leftover in folder.iterdir():
        if leftover.name not in names:
            leftover.unlink()
    for file in source.files:
        copy = folder / file.name
        if not copy.is_file() or copy.read_bytes() != file.read_bytes():
            shutil.copyfile(file, copy)


def identity(job: RunnerJob) -> tuple[str, ...]:
    """The definitions by which the runner knows what it is."""
    return (
        f"-DEDGESHRINK_BUILD={job.build_id}",
        f"-DEDGESHRINK_LLAMA={job.llama}",
        f"-DEDGESHRINK_REQUIRES={','.join(job.platform.checked)}",
        f"-DLLAMA_BUILD_COMMIT={job.llama}",
    )


def check(program: Path, machine: str, compiler: Compiler) -> None:
    """StepFailed where the file would not run on the device. Files for macOS are not looked into."""
    if compiler.target == "macos":
        return
    try:
        headers = elf.read_elf(program)
    except DataError as error:
        raise StepFailed(f"{compiler.id} made something else than a program: {error}") from error
    wrong = [
        *((f"it is for {headers.machine}",) if headers.machine != machine else ()),
        *((f"it needs the loader {headers.interpreter}",) if headers.interpreter != compiler.interpreter else ()),
        *((f"its segments are aligned to {headers.page_bytes} bytes",) if headers.page_bytes < PAGE_BYTES else ()),
    ]
    if wrong:
        raise StepFailed(
            f"{compiler.id} made a runner that would not run on every {machine} device: {', '.join(wrong)}",
            hint="another compiler may do; `edgeshrink doctor` lists them",
        )


def _configure(job: RunnerJob, sources: Path, staged: Path, build: Path, log: Path, descriptor: int | None) -> None:
    kind, program = compiling.generator()
    # Assertions name their file: without its folder, the same program comes out wherever it is built.
    anonymous = f'"-ffile-prefix-map={sources}=llama.cpp" "-ffile-prefix-map={staged}=runner"'
    command = (
        *(compiling.cmake_program(), "-G", kind, *program, "-S", str(staged), "-B", str(build)),
        *(f"-DLLAMA_CPP={sources}", *COMMON, *identity(job), *job.compiler.definitions(job.work / "compiler")),
        *(f"-DCMAKE_C_FLAGS={anonymous}", f"-DCMAKE_CXX_FLAGS={anonymous}"),
    )
    again = (build / "CMakeCache.txt").is_file()
    try:
        compiling.run_logged(command, log, job.task, job.listener, keep=descriptor)
    except StepFailed:
        # What an earlier run left may not fit any more: another CMake, a compiler that moved, a torn file.
        if not again:
            raise
        shutil.rmtree(build)
        compiling.run_logged(command, log, job.task, job.listener, keep=descriptor)


def _made(build: Path, log: Path) -> Path:
    for path in (build / PROGRAM, build / "bin" / PROGRAM):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise StepFailed(f"the build ended well and left no {PROGRAM} in {build}", hint=f"its log: {log}")
