"""ONNX: language models through onnxruntime-genai's builder, networks through torch.onnx."""
