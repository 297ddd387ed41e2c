"""The behaviour suite: one family of slices a file, behind the two interfaces of `interface.py`."""
