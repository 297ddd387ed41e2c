"""More layers in float, doubling, until the floor holds; then the next scheme; then stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgeshrink.core.budget import Budget
from edgeshrink.core.delegation import Delegation
from edgeshrink.core.plan import Predictions
from edgeshrink.core.quality import Check, LayerError, NetworkQuality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.devices.matching import Match
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.networks.recipe import Recipe
from edgeshrink.engine.networks.search import search
from edgeshrink.engine.networks.workshop import NetworkWorkshop
from edgeshrink.engine.place import Place
from edgeshrink.errors import UnsupportedModel

NO = Unmeasured("not asked")
LAYERS = tuple(LayerError(f"layer{number}", "Conv", 1.0 / (number + 1), False) for number in range(12))


@dataclass
class Bench:
    """A workshop whose files are as good as the number of layers in float says: `needs` of them for the floor."""

    needs: int
    ladder: tuple[str, ...] = ("int8", "fp32")
    checks: tuple[Check, ...] = ()
    measured: list[Recipe] = field(default_factory=list)
    searched: int = 0
    found: tuple[LayerError, ...] = LAYERS
    refused: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def situation(self) -> Any:
        return SimpleNamespace(
            ladder=self.ladder,
            start=self.ladder[0],
            delegate="cpu",
            request=SimpleNamespace(delegate=None),
            profile=SimpleNamespace(budget=Budget()),
            predictions=lambda scheme: Predictions(NO, NO, NO, NO, NO, NO, NO),
        )

    def recipe(self, scheme: str) -> Recipe:
        return Recipe("onnx", scheme, "cpu", True, False)

    def artifact(self, recipe: Recipe) -> Finished:
        if recipe.scheme in self.refused:
            raise UnsupportedModel("all layers stand inside If")
        return Finished(Path("model.onnx"), "0" * 64, ())

    def layers(self, recipe: Recipe) -> tuple[LayerError, ...]:
        self.searched += 1
        return self.found

    def quality(self, recipe: Recipe, artifact: Finished, layers: tuple[LayerError, ...]) -> NetworkQuality:
        good = recipe.scheme == "fp32" or len(recipe.keep) >= self.needs
        cosine = Measured(0.999 if good else 0.9)
        return NetworkQuality("r", "d", "0" * 64, 9, cosine, NO, NO, NO, NO, NO, NO, layers, self.checks)

    def delegation(self, recipe: Recipe, artifact: Finished) -> Delegation:
        return Delegation("cpu", 1, 1, 1, 1, (), (), True)

    @property
    def place(self) -> Place:
        return Place(self.situation.profile, Match(True, "the bench is the device", ()))

    def measurements(self, recipe: Recipe, artifact: Finished) -> Unmeasured:
        self.measured.append(recipe)
        return NO


def walked(bench: Bench) -> list[tuple[str, int]]:
    return [(entry.recipe.scheme, len(entry.recipe.keep)) for entry in search(cast(NetworkWorkshop, bench))]


def test_a_network_that_holds_at_once_is_searched_no_further() -> None:
    bench = Bench(needs=0)
    assert walked(bench) == [("int8", 0)]
    assert bench.searched == 0


def test_sensitive_layers_stay_float_in_doubling_numbers_the_worst_first() -> None:
    bench = Bench(needs=3)
    tried = search(cast(NetworkWorkshop, bench))
    assert [len(entry.recipe.keep) for entry in tried] == [0, 1, 2, 4]
    assert tried[-1].recipe.keep == ("layer0", "layer1", "layer2", "layer3")
    assert bench.searched == 1
    assert isinstance(tried[-1].quality, NetworkQuality)
    assert [layer.name for layer in tried[-1].quality.layers if layer.kept_float] == list(tried[-1].recipe.keep)


def test_beyond_half_of_the_layers_the_next_scheme_is_tried() -> None:
    assert walked(Bench(needs=99)) == [("int8", 0), ("int8", 1), ("int8", 2), ("int8", 4), ("fp32", 0)]


def test_an_asked_for_scheme_is_never_left() -> None:
    tried = search(cast(NetworkWorkshop, Bench(needs=99, ladder=("int8",))))
    assert [(entry.recipe.scheme, len(entry.recipe.keep)) for entry in tried][-1] == ("int8", len(LAYERS))
    assert tried[-1].verdict.outcome == "FAIL"


def test_a_scheme_that_cannot_be_made_gives_way_to_the_next_one_and_is_named() -> None:
    bench = Bench(needs=0, ladder=("int8", "fp32"), refused=("int8",))
    assert walked(bench) == [("fp32", 0)]
    assert bench.notes == ["int8 was left out: all layers stand inside If"]
    with pytest.raises(UnsupportedModel):
        walked(Bench(needs=0, ladder=("int8",), refused=("int8",)))


def test_only_the_result_is_measured() -> None:
    bench = Bench(needs=2)
    search(cast(NetworkWorkshop, bench))
    assert [len(recipe.keep) for recipe in bench.measured] == [2]


def test_a_failed_check_that_no_scheme_mends_ends_the_search() -> None:
    bench = Bench(needs=99, checks=(Check("backend", "failed", "cpu ran"),))
    assert walked(bench) == [("int8", 0)]
    assert bench.searched == 0


def test_outputs_that_are_not_finite_are_tried_with_more_bits() -> None:
    bench = Bench(needs=0, checks=(Check("finite outputs", "failed", "NaN"),), found=())
    assert walked(bench) == [("int8", 0), ("fp32", 0)]


def test_where_no_layer_is_found_the_next_scheme_is_tried() -> None:
    assert walked(Bench(needs=99, found=())) == [("int8", 0), ("fp32", 0)]
