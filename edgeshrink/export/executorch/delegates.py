"""The delegates of ExecuTorch that a decoder is lowered to. Imports torch and executorch."""

from __future__ import annotations

from executorch.exir.backend.partitioner import Partitioner

from edgeshrink.errors import PlanError
from edgeshrink.export.executorch.decoder import Decoder
from edgeshrink.export.executorch.lower import DecoderPartitioner

# Delegates without kernels that quantize activations while they run.
WEIGHT_ONLY = ("coreml", "vulkan")
# Core ML takes tensors only: what has to do with the position as a number (its checks, where the rows of the rotary
# tables begin) is left outside. Its partitioner wants small letters.
_NUMBERS = (
    "aten.slice_copy.tensor",
    "aten.item.default",
    "item.default",
    "_local_scalar_dense.default",
    "aten._local_scalar_dense.default",
    "_assert_scalar.default",
    "sym_size.int",
    *("add", "sub", "mul", "ge", "le", "gt", "lt", "eq", "and_"),
)


def partitioners_for(name: str, module: Decoder) -> list[Partitioner]:
    """The partitioners of a delegate by its name in the plan; PlanError for one that is not known."""
    if name == "xnnpack":
        # A table is looked up by a kernel of the runtime, which cannot read what XNNPACK has: it would stand twice.
        outside = ("embedding.weight", "head.table.weight") if module.share_table() else ()
        return [DecoderPartitioner(outside)]
    if name == "coreml":
        return [_coreml()]
    if name == "vulkan":
        return [_vulkan()]
    raise PlanError(f"ExecuTorch has no delegate {name!r} here", hint="it has: xnnpack, coreml, vulkan")


def _coreml() -> Partitioner:
    """Core ML of iOS 18 and macOS 15, the first with 4-bit groups; the cache stays with ExecuTorch's own kernels."""
    import coremltools  # type: ignore[import-untyped]
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    return CoreMLPartitioner(
        compile_specs=CoreMLBackend.generate_compile_specs(
            minimum_deployment_target=coremltools.target.iOS18, compute_precision=coremltools.precision.FLOAT16
        ),
        take_over_mutable_buffer=False,
        skip_ops_for_coreml_delegation=list(_NUMBERS),
    )


def _vulkan() -> Partitioner:
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    return VulkanPartitioner({"require_dynamic_shapes": True})
