"""The delegates of ExecuTorch beside XNNPACK, for decoders and networks alike. Imported in child jobs only."""

from __future__ import annotations

from collections.abc import Sequence

from executorch.exir.backend.partitioner import Partitioner

from edgeshrink.errors import PlanError


def coreml(*, half: bool, outside: Sequence[str] = ()) -> Partitioner:
    """Core ML of iOS 18 and macOS 15, the first with 4-bit groups; older systems cannot open the file.

    `half`: weights and what is computed are float16, on which the Neural Engine depends; else float32, on CPU and GPU.
    `outside`: operators left to ExecuTorch's kernels, as is all that writes to a buffer.
    """
    import coremltools  # type: ignore[import-untyped]
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    precision = coremltools.precision.FLOAT16 if half else coremltools.precision.FLOAT32
    return CoreMLPartitioner(
        compile_specs=CoreMLBackend.generate_compile_specs(
            minimum_deployment_target=coremltools.target.iOS18, compute_precision=precision
        ),
        take_over_mutable_buffer=False,
        skip_ops_for_coreml_delegation=list(outside) or None,
    )


def vulkan(*, dynamic: bool) -> Partitioner:
    """`dynamic`: take only operators that can be resized at run time; of fixed sizes it takes more."""
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    return VulkanPartitioner({"require_dynamic_shapes": dynamic})


def unknown(delegate: str) -> PlanError:
    """The error for a delegate that there is not."""
    return PlanError(f"ExecuTorch has no delegate {delegate!r} here", hint="it has: xnnpack, coreml, vulkan")
