"""The build of a network: samples, float reference, quantized file, sensitive layers, comparison, measuring."""
