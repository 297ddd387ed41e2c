"""Block types and the quantization of rows, over the libggml that llama-cpp-python ships."""
