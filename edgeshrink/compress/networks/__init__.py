"""Networks as ONNX files: int8 with and without calibration, weights only, half precision; which layers suffer."""
