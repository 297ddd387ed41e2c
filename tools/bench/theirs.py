"""One quantization by libllama's own `llama_model_quantize`: python theirs.py SOURCE.gguf OUT.gguf FTYPE THREADS."""

from __future__ import annotations

import ctypes
import sys

import llama_cpp


def quantize(source: str, out: str, file_type: int, threads: int) -> int:
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = file_type, threads
    return int(llama_cpp.llama_model_quantize(source.encode(), out.encode(), ctypes.byref(parameters)))


if __name__ == "__main__":
    sys.exit(quantize(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
