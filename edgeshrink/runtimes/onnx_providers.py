"""Delegates by the names that the two ONNX libraries have for them. An unknown name goes through as it is."""

from __future__ import annotations

# delegate -> (onnxruntime-genai's name, onnxruntime's execution provider)
_NAMES = {
    "cuda": ("cuda", "CUDAExecutionProvider"),
    "tensorrt": ("NvTensorRtRtx", "TensorrtExecutionProvider"),
    "coreml": ("CoreML", "CoreMLExecutionProvider"),
    "directml": ("DML", "DmlExecutionProvider"),
    "qnn": ("QNN", "QNNExecutionProvider"),
    "webgpu": ("WebGPU", "WebGpuExecutionProvider"),
    "openvino": ("OpenVINO", "OpenVINOExecutionProvider"),
    "xnnpack": ("XNNPACK", "XnnpackExecutionProvider"),
    "nnapi": ("NNAPI", "NnapiExecutionProvider"),
}
CPU = "CPUExecutionProvider"


def genai_provider(delegate: str) -> str | None:
    """None for the CPU, which is what genai takes when no provider is named."""
    return None if delegate == "cpu" else _NAMES.get(delegate, (delegate, ""))[0]


def execution_providers(delegate: str) -> list[str]:
    """In order of preference, the CPU last: what no other takes, it must."""
    return [CPU] if delegate == "cpu" else [_NAMES.get(delegate, ("", delegate))[1], CPU]


def delegate_of(provider: str) -> str:
    """The delegate whose execution provider this is."""
    if provider == CPU:
        return "cpu"
    return next((name for name, (_, known) in _NAMES.items() if known == provider), provider)
