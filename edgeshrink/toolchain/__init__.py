"""Programs of others, one a file: is it here, which version, where. Each file offers `NAME` and `find()`.

`runner/` uses them to make our own program for devices; `elf` looks at what came out.
"""
