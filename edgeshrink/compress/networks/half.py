"""Half precision: weights and what is computed are float16, inputs and outputs stay float32.

onnxruntime's CPU runs it, too: operators that it has no float16 kernel for compute in float32 between casts.
"""

from __future__ import annotations

from collections.abc import Collection

from onnx import ModelProto

from edgeshrink.catalog.onnx_file import graphs
from edgeshrink.compress.networks.layers import in_order


def half(model: ModelProto, *, keep: Collection[str]) -> ModelProto:
    """A float16 copy of `model`; nodes in `keep` stay float32."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    found: ModelProto = convert_float_to_float16(model, keep_io_types=True, node_block_list=sorted(keep))
    for graph in graphs(found):
        in_order(graph)
    return found
