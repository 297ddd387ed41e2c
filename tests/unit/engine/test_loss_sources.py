"""Attribution: planted damage is named, in few runs; what lies in no weight is said to lie in none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from built_gguf import Metadata, build_gguf
from libllama_oracle import checkpoint, facts, metadata, plans, random_weights

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.core.attribution import ALL_TENSORS, Attribution
from edgeshrink.core.behaviour import BEHAVIOUR_SCHEMA, Behaviour, Confidence, Metric, Slice
from edgeshrink.core.events import Progress, silent
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.engine.attribution import Run, attribute
from edgeshrink.evaluate.attribution import same_source
from edgeshrink.evaluate.statistics import Blocks, Doubles, kl_divergence, log_softmax
from edgeshrink.evaluate.subject import Subject
from edgeshrink.export.gguf.graft import graft
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.presets import preset_types


def behaviour_of(losses: Mapping[str, Reading]) -> Behaviour:
    """Slices that lost that much."""
    slices = tuple(
        Slice(name, name, 100, None, (Metric("right", "share", "higher", Measured(1.0), Measured(1.0), loss),))
        for name, loss in losses.items()
    )
    confidence = Confidence(0.05, 1, 1)
    return Behaviour(BEHAVIOUR_SCHEMA, "test", 0, "F32", 1, 100, 0, confidence, slices, Unmeasured("not here"))


class Talking:
    """Stories260K as GGUF files of any type, and how far each is from the F32 one over a story."""

    def __init__(self, stories: Path, folder: Path, text: str) -> None:
        self.stories, self.folder, self.text = stories, folder, text
        self.files = {scheme: build_gguf(stories, folder / scheme, scheme).path for scheme in ("F32", "Q8_0", "Q4_0")}
        self.reference = self.logprobs(self.files["F32"])

    def planted(self, *tensors: str) -> Path:
        """Q8_0, with these at Q4_0."""
        graft(self.files["Q8_0"], self.files["Q4_0"], tensors, file := self.folder / "planted.gguf")
        return file

    def logprobs(self, path: Path) -> Doubles:
        with Subject(path, "llama_cpp", "cpu").open(context=256, threads=1) as session:
            ids = session.tokenize(self.text, add_special=True, parse_special=False)
            return log_softmax(np.concatenate([session.logits(ids[at : at + 256]) for at in range(0, 1024, 256)]))

    def examined(self, path: Path, names: frozenset[str] = frozenset()) -> Behaviour:
        kl = kl_divergence(self.reference, self.logprobs(path))
        return behaviour_of({"text/general": Blocks.of(4, 256).mean(kl)})


@pytest.fixture(scope="module")
def talking(stories: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Talking:
    data = (shared_data / "text" / "tinystories_train_head.txt").read_bytes()
    return Talking(stories, tmp_path_factory.mktemp("talking"), data[:6000].decode("utf-8", "ignore"))


class Counted:
    """A run function that is watched."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.calls: list[frozenset[str]] = []

    def __call__(self, path: Path, names: frozenset[str]) -> Behaviour:
        self.calls.append(names)
        assert [one.name for one in path.parent.iterdir()] == [path.name]
        return self.run(path, names)


def sources(found: object) -> Mapping[str, Attribution]:
    assert isinstance(found, tuple)
    return {one.slice: one for one in found}


def main_group(found: Attribution) -> str:
    assert found.main is not None
    return found.main.group


@pytest.mark.parametrize("tensor", ["blk.3.ffn_gate", "blk.1.attn_v"])
def test_the_tensor_that_was_damaged_is_named(talking: Talking, tmp_path: Path, tensor: str) -> None:
    file, run = talking.planted(f"{tensor}.weight"), Counted(talking.examined)
    found = attribute(talking.examined(file), run, file, talking.files["F32"], tmp_path)
    one = sources(found)["text/general"]
    assert one.main is not None and one.main.group == tensor
    share = one.main.returned
    assert isinstance(share, Measured) and share.low is not None and share.value > 0.6 and share.low > 0.5
    assert (one.main.tensors, one.main.type) == ((f"{tensor}.weight",), "F32")
    graft(file, talking.files["F32"], one.main.tensors, larger := tmp_path / "larger")
    assert one.main.extra_bytes == larger.stat().st_size - file.stat().st_size
    shares = [source.returned.value for source in one.sources if isinstance(source.returned, Measured)]
    assert shares == sorted(shares, reverse=True)
    assert len(run.calls) <= 6
    larger.unlink()
    assert not list(tmp_path.iterdir())


def test_a_loss_that_no_weight_explains_takes_one_run(talking: Talking, tmp_path: Path) -> None:
    """Another base of the rotary embedding: every tensor put back still speaks past its positions."""

    def slower(given: Metadata) -> Metadata:
        return tuple(replace(key, value=500.0) if key.key == "llama.rope.freq_base" else key for key in given)

    folder = tmp_path / "files"
    folder.mkdir()
    file = build_gguf(talking.stories, folder / "rope.gguf", "Q8_0", change=slower).path
    assert read_gguf_header(file).value("llama.rope.freq_base") == 500.0
    run = Counted(talking.examined)
    (work := tmp_path / "work").mkdir()
    found = attribute(talking.examined(file), run, file, talking.files["F32"], work)
    (only,) = sources(found)["text/general"].sources
    assert only.group == ALL_TENSORS and isinstance(only.returned, Measured) and only.returned.value < 0.1
    assert len(run.calls) == 1


def test_a_file_of_the_references_own_weights_takes_no_run(talking: Talking, tmp_path: Path) -> None:
    run = Counted(talking.examined)
    lost = behaviour_of({"text/general": Measured(0.2, low=0.1, high=0.3)})
    found = attribute(lost, run, talking.files["F32"], talking.files["F32"], tmp_path)
    (only,) = sources(found)["text/general"].sources
    assert (only.group, only.tensors, run.calls) == (ALL_TENSORS, (), [])
    assert isinstance(only.returned, Measured) and only.returned.value == 0.0


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(artifact, reference): twelve layers of random numbers, Q8_0 and F32."""
    folder = tmp_path_factory.mktemp("deep")
    model = facts(layers=12, hidden=64, ffn=64, heads=2, vocab=64)
    source = checkpoint(folder / "source", random_weights(plans(model)), "F32")
    for scheme in ("Q8_0", "F32"):
        plan = preset_types(scheme, plans(model, "F32", permute=True), model, has_imatrix=False)
        write_gguf(folder / scheme, metadata(model), plan, source, importance=None, threads=1, listener=silent)
    return folder / "Q8_0", folder / "F32"


def additive(costs: Mapping[str, Mapping[str, float]]) -> Callable[[Path, frozenset[str]], Behaviour]:
    """Each slice loses the sum of its costs over the tensors that are still quantized."""

    def run(path: Path, names: frozenset[str]) -> Behaviour:
        quantized = {one.name for one in read_gguf_header(path).tensors if one.dtype != "F32"}
        losses = {name: sum(cost for tensor, cost in costs[name].items() if tensor in quantized) for name in names}
        return behaviour_of({name: Measured(loss, low=loss - 0.01, high=loss + 0.01) for name, loss in losses.items()})

    return run


COSTS = {
    "arithmetic": {"blk.5.ffn_down.weight": 0.2, "blk.9.attn_q.weight": 0.02, "output.weight": 0.03},
    "tools/json": {"blk.5.ffn_down.weight": 0.1, "blk.4.ffn_up.weight": 0.01},
    "text/de": {"token_embd.weight": 0.3},
    "stability/flips": {f"blk.{layer}.attn_k.weight": 0.02 for layer in range(12)},
}


def test_each_slice_has_its_own_source_and_those_of_one_stand_together(deep: tuple[Path, Path], tmp_path: Path) -> None:
    run = Counted(additive(COSTS))
    told: list[Progress] = []
    lost = run.run(deep[0], frozenset(COSTS))
    found = attribute(lost, run, *deep, tmp_path, most_runs=40, listener=told.append)
    by_slice = sources(found)
    assert list(by_slice) == [one.name for one in lost.moved]
    mains = {name: main_group(one) for name, one in by_slice.items()}
    assert mains == {
        "arithmetic": "blk.5.ffn_down",
        "tools/json": "blk.5.ffn_down",
        "text/de": "token_embd",
        "stability/flips": "attn_k",
    }
    main = by_slice["arithmetic"].main
    assert main and isinstance(main.returned, Measured) and main.returned.value == pytest.approx(0.2 / 0.25)
    assert same_source(by_slice.values()) == (tuple(name for name in by_slice if mains[name] == "blk.5.ffn_down"),)
    assert len(run.calls) <= 40
    assert [one.done for one in told if one.unit == "runs"] == list(range(1, len(run.calls) + 1))


def test_a_deep_model_is_narrowed_from_runs_of_layers_to_one(deep: tuple[Path, Path], tmp_path: Path) -> None:
    run = Counted(additive({"arithmetic": COSTS["arithmetic"]}))
    lost = run.run(deep[0], frozenset(("arithmetic",)))
    one = sources(attribute(lost, run, *deep, tmp_path))["arithmetic"]
    assert {"blk.4-5", "blk.5", "ffn_down", "blk.5.ffn_down"} <= {source.group for source in one.sources}
    assert main_group(one) == "blk.5.ffn_down"


def test_no_more_runs_than_allowed_and_what_was_found_until_then(deep: tuple[Path, Path], tmp_path: Path) -> None:
    run = Counted(additive(COSTS))
    found = attribute(run.run(deep[0], frozenset(COSTS)), run, *deep, tmp_path, most_runs=3)
    assert len(run.calls) == 3
    assert all(len(one.sources) <= 3 for one in sources(found).values())


def test_a_slice_that_a_run_could_not_measure_says_so(deep: tuple[Path, Path], tmp_path: Path) -> None:
    def run(path: Path, names: frozenset[str]) -> Behaviour:
        return behaviour_of(dict.fromkeys(names - {"gone"}, Unmeasured("it fell silent")))

    lost = behaviour_of({name: Measured(0.2, low=0.1, high=0.3) for name in ("arithmetic", "gone")})
    found = sources(attribute(lost, run, *deep, tmp_path))
    assert [source.returned for source in found["arithmetic"].sources] == [Unmeasured("it fell silent")]
    assert [source.returned for source in found["gone"].sources] == [Unmeasured("the run has no gone")]
    assert found["gone"].main is None


def test_slices_that_lost_nothing_for_certain_are_not_asked(deep: tuple[Path, Path], tmp_path: Path) -> None:
    run = Counted(additive({"lost": COSTS["arithmetic"]}))
    given = behaviour_of(
        {
            "lost": Measured(0.25, low=0.2, high=0.3),
            "noise": Measured(0.01, low=-0.02, high=0.04),
            "better": Measured(-0.1, low=-0.2, high=-0.05),
            "unknown": Unmeasured("the reference cannot do this"),
        }
    )
    assert list(sources(attribute(given, run, *deep, tmp_path, slices=[one.name for one in given.slices]))) == ["lost"]
    assert set().union(*run.calls) == {"lost"}
    assert attribute(given, run, *deep, tmp_path, slices=["noise"]) == ()


def test_a_file_of_another_format_cannot_be_taken_apart(deep: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "model.pte").write_bytes(bytes(100))
    other = tmp_path / "model.pte"
    for artifact, reference in ((other, deep[1]), (tmp_path, deep[1]), (deep[0], other)):
        found = attribute(behaviour_of({}), additive({}), artifact, reference, tmp_path)
        assert isinstance(found, Unmeasured) and "GGUF" in found.reason
