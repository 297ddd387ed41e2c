"""ONNX and .pte on an attached device: our own measuring session, run by a Python there."""
