"""`python -m edgeshrink` is the command `edgeshrink`."""

from edgeshrink.cli import main

main()
