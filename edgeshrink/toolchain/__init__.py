"""Programs of others, one a file: is it here, which version, where. Each file offers `NAME` and `find()`."""
