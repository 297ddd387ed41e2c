"""Which operators PT2E makes int8, and what each layer costs, against torch's own arithmetic."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest

from edgeshrink.errors import PlanError, UnsupportedModel

torch = pytest.importorskip("torch")
pytest.importorskip("torchao")
pytest.importorskip("executorch")
# torch and torchao warn about each other's deprecated insides.
pytestmark = pytest.mark.filterwarnings("ignore")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pte_networks

    from edgeshrink.export.executorch import pt2e, sensitivity

# pytest would record thousands of torch's trace entries.
logging.getLogger("torch.__trace").propagate = False

ENCODER_LAYERS = ("words", "places", "up", "down")
PICTURE_LAYERS = ("first", "deep", "wide", "back", "head")


def exported(network: Any) -> Any:
    return torch.export.export(network.module, tuple(network.inputs.values()), strict=False).module()


def prepared(network: Any, scheme: str, *keep: str, per_channel: bool = True, symmetric: bool = False) -> Any:
    graph = pt2e.prepare(exported(network), scheme, keep, per_channel=per_channel, symmetric_activations=symmetric)
    pt2e.calibrate(graph, [tuple(network.inputs.values())], lambda _: None)
    return graph


def operators(graph: Any) -> list[str]:
    return [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]


def readers(graph: Any, layer: str) -> set[str]:
    """What the operator of `layer` reads from."""
    (node,) = pt2e.layers_of(graph)[layer]
    return {str(value.target).split(".")[1] for value in node.all_input_nodes if value.op == "call_function"}


def test_layers_are_named_by_their_modules_in_the_order_they_run() -> None:
    assert pt2e.layer_names(exported(pte_networks.encoder()), "int8") == ENCODER_LAYERS
    assert pt2e.layer_names(exported(pte_networks.pictures()), "int8") == PICTURE_LAYERS


def test_each_scheme_takes_what_xnnpack_has_kernels_for() -> None:
    graph = exported(pte_networks.pictures())
    assert pt2e.layer_names(graph, "int8-dynamic") == ("first", "wide", "back", "head")
    assert pt2e.layer_names(graph, "int8-weight") == ("head",)


def test_a_residual_sum_is_int8_between_convolutions_and_float_before_a_layer_norm() -> None:
    def reads(network: Any) -> set[str]:
        converted = pt2e.convert(prepared(network, "int8"))
        sums = [node for node in converted.graph.nodes if str(node.target) == "aten.add.Tensor"]
        return {value.target.name() for value in sums[-1].all_input_nodes if value.op == "call_function"}

    assert reads(pte_networks.pictures()) == {"quantized_decomposed::dequantize_per_tensor"}
    encoder = pt2e.convert(prepared(pte_networks.encoder(), "int8"))
    # What `up` and `down` read and write, and nothing else: no sum, no view, no dropout.
    assert operators(encoder).count("quantized_decomposed.quantize_per_tensor.default") == 4


def test_kept_layers_stay_float_and_the_others_do_not() -> None:
    graph = prepared(pte_networks.pictures(), "int8", "wide", "head")
    converted = pt2e.convert(graph)
    assert readers(converted, "back") == {"dequantize_per_tensor", "dequantize_per_channel"}
    assert "dequantize_per_channel" not in readers(converted, "wide") | readers(converted, "head")


def test_a_module_keeps_all_layers_in_it() -> None:
    network = pte_networks.encoder()
    network.module.inner = torch.nn.Sequential(network.module.down)
    network.module.down = network.module.inner
    assert pt2e.layer_names(exported(network), "int8")[-1].endswith(".0")
    converted = pt2e.convert(prepared(network, "int8-dynamic", "down", "words", "places"))
    assert operators(converted).count("quantized_decomposed.choose_qparams.tensor") == 1


def test_an_unknown_layer_to_keep_is_refused_with_the_names() -> None:
    with pytest.raises(PlanError, match="named nothing") as refusal:
        prepared(pte_networks.encoder(), "int8", "nothing")
    assert "words, places, up, down" in refusal.value.hint


def test_nothing_left_to_quantize_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="nothing to quantize"):
        prepared(pte_networks.encoder(), "int8-dynamic", *ENCODER_LAYERS)


@pytest.mark.parametrize("scheme", ["int8", "int8-dynamic", "int8-weight"])
def test_embeddings_are_looked_up_in_int8_at_the_same_places(scheme: str) -> None:
    network = pte_networks.encoder()
    converted = pt2e.convert(prepared(network, scheme, "up"))
    assert operators(converted).count("quantized_decomposed.embedding_byte.default") == 2
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2]])
    with torch.no_grad():
        state, wanted = converted(ids)[0].flatten(), network.module(ids)[0].flatten()
    assert torch.nn.functional.cosine_similarity(state, wanted, dim=0) > 0.999


def test_symmetric_activations_have_zero_points_of_zero() -> None:
    def zero_points(symmetric: bool) -> set[int]:
        converted = pt2e.convert(prepared(pte_networks.pictures(), "int8", symmetric=symmetric))
        return {
            node.args[2]
            for node in converted.graph.nodes
            if str(node.target) == "quantized_decomposed.quantize_per_tensor.default"
        }

    assert zero_points(True) == {0}
    assert -128 in zero_points(False)  # after a relu all of the range is above zero


def test_one_scale_a_tensor_where_asked() -> None:
    converted = pt2e.convert(prepared(pte_networks.pictures(), "int8", per_channel=False))
    assert "quantized_decomposed.dequantize_per_channel.default" not in operators(converted)


def test_the_error_of_a_layer_is_that_of_rounding_its_weights_alone() -> None:
    network = pte_networks.encoder()
    sample = tuple(network.inputs.values())
    found = sensitivity.layer_errors(prepared(network, "int8-weight"), ENCODER_LAYERS, [sample, sample], lambda _: None)

    def rounded(name: str) -> float:
        module = network.module.get_submodule(name)
        with torch.no_grad():
            exact, weight = network.module(*sample), module.weight.clone()
            scale = weight.abs().amax(dim=1, keepdim=True) / 127
            module.weight.copy_((weight / scale).round().clamp(-127, 127) * scale)
            rough = network.module(*sample)
            module.weight.copy_(weight)
        difference = sum(float((a - b).square().sum()) for a, b in zip(exact, rough, strict=True))
        return difference / sum(float(a.square().sum()) for a in exact)

    assert {name: operator for name, operator, _ in found} == {
        "words": "embedding",
        "places": "embedding",
        "up": "linear",
        "down": "linear",
    }
    for name, _, error in found:
        assert error == pytest.approx(rounded(name), rel=1e-3)
    assert [error for _, _, error in found] == sorted((error for _, _, error in found), reverse=True)


def test_a_bad_layer_is_found_first() -> None:
    network = pte_networks.pictures()
    with torch.no_grad():
        network.module.wide.weight[0, 0, 0, 0] = 60.0  # all other weights of the channel round to a few steps
    found = sensitivity.layer_errors(
        prepared(network, "int8", per_channel=False),
        PICTURE_LAYERS,
        [tuple(network.inputs.values())],
        lambda _: None,
    )
    assert found[0][0] == "wide"
    assert len(found) == len(PICTURE_LAYERS)
