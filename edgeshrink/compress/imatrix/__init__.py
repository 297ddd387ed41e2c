"""The importance matrix: read it, write it, compute it through the runtime, see that it fits the model."""

from edgeshrink.compress.imatrix.collect import collect_importance
from edgeshrink.compress.imatrix.fit import check_importance, unseen_experts
from edgeshrink.compress.imatrix.formats import read_importance, write_importance

__all__ = ["check_importance", "collect_importance", "read_importance", "unseen_experts", "write_importance"]
