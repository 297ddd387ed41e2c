"""Training a model on the very values that its file can hold: one format a file, GGUF's block types in `blocks/`."""
