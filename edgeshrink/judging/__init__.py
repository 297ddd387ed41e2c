"""Pure: measurements and quality against a budget give a verdict."""

from edgeshrink.judging.judge import judge

__all__ = ["judge"]
