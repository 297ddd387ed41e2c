"""llama.cpp's own tools, built from the sources inside llama-cpp-python and linked to the libraries that we run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edgeshrink.toolchain.runner import compiling
from edgeshrink.toolchain.runner.installed import llama_libraries
from edgeshrink.toolchain.runner.sources import llama_sources


def built_tool(cache: Path, tool: str, program: str) -> Path:
    """`program` of llama.cpp's folder tools/`tool`; built once in `cache`, which takes 5 to 10 minutes."""
    build, libraries = cache / tool, llama_libraries()
    kind, ninja = compiling.generator()
    source = Path(__file__).parent / "llama_bench"
    configure = [compiling.cmake_program(), "-G", kind, *ninja, "-S", str(source), "-B", str(build)]
    configure += [
        f"-DLLAMA_CPP={llama_sources(cache / 'sources')}",
        f"-DLLAMA_LIBS={libraries}",
        f"-DLLAMA_TOOL={tool}",
    ]
    for command in (
        [*configure, "-DCMAKE_BUILD_TYPE=Release"],
        [compiling.cmake_program(), "--build", str(build), "--target", program, "--parallel", "1"],
    ):
        subprocess.run(command, check=True, stdout=sys.stderr)
    return build / tool / program
