"""What changed between two builds, as one file: segments that OLD has are named, the others are in it."""
