"""Archives whose bytes depend on their content alone: entries in the order given, fixed times, nothing compressed.

Weights do not compress, an app maps stored files where they lie, and what deflate writes differs between versions of
zlib.
"""
