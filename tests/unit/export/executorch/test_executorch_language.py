"""Language models as `.pte`: what the file computes, holds and says, against transformers. The models are random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.profiles import load_profile
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.delegation import Delegation
from edgeshrink.core.events import Progress, silent
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import Plan
from edgeshrink.core.request import Request
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError, StepFailed, UnsupportedModel
from edgeshrink.export.executorch.inspect import inspect_pte
from edgeshrink.export.executorch.language import check_size, write_executorch
from edgeshrink.planning.executorch import pte_bytes
from edgeshrink.planning.layout import layout
from edgeshrink.planning.resolve import Situation, plan_for
from edgeshrink.runtimes.child import run_job

pytest.importorskip("executorch")
pytest.importorskip("transformers")

pytestmark = pytest.mark.usefixtures("exports_in_one_process")

PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32}
SHAPE = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "rope_parameters": PLAIN,
    "bos_token_id": 1,
    "eos_token_id": None,
    "pad_token_id": 0,
}
CASES: dict[str, dict[str, Any]] = {
    "llama3": {"model_type": "llama", "num_hidden_layers": 2, "rope_parameters": LLAMA3},
    "mistral": {"model_type": "mistral", "sliding_window": None, "head_dim": 32},
    "qwen2-tied-yarn": {"model_type": "qwen2", "tie_word_embeddings": True, "rope_parameters": YARN},
    "qwen3": {"model_type": "qwen3", "head_dim": 32},
}
VOCABULARY = Vocabulary(
    kind="bpe",
    tokens=(),
    scores=None,
    token_types=(),
    merges=None,
    bos_id=1,
    eos_id=2,
    unk_id=None,
    pad_id=None,
    stop_ids=(2, 5),
    add_bos=True,
    add_eos=False,
    add_space_prefix=None,
    chat_template=None,
    pre_candidates=(),
    source_file=Path("tokenizer.json"),
)


@dataclass(frozen=True)
class Export:
    folder: Path
    source: Path
    facts: ModelFacts
    plan: Plan
    times: ExportTimes
    tasks: tuple[str, ...]


def planned(facts: ModelFacts, scheme: str) -> Plan:
    situation = Situation(
        request=Request(format="executorch"),
        facts=facts,
        target=load_target("android"),
        profile=load_profile("pixel-8"),
        layout=layout(facts),
        header=(),
        tokenizer_bytes=0,
        calibration=None,
        on_this_host=False,
    )
    return plan_for(situation, scheme)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    found = {name: folder / name for name in CASES}
    settings = {str(path): {**SHAPE, **CASES[name]} for name, path in found.items()}
    run_job("pte_oracle:make_models", {"models": settings})
    return found


@pytest.fixture(scope="module")
def exported(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(case, scheme) -> its export, made once."""
    done: dict[tuple[str, str], Export] = {}

    def get(case: str, scheme: str) -> Export:
        if (case, scheme) not in done:
            folder = tmp_path_factory.mktemp(f"{case}-{scheme}")
            facts = inspect_model(str(models[case]))
            plan, tasks = planned(facts, scheme), list[Progress]()
            times = write_executorch(
                folder,
                facts,
                plan,
                vocabulary=VOCABULARY,
                threads=2,
                log=folder.parent / f"{case}-{scheme}.log",
                listener=tasks.append,
            )
            named = tuple(event.task for event in tasks)
            done[case, scheme] = Export(folder, models[case], facts, plan, times, named)
        return done[case, scheme]

    return get


@pytest.fixture(scope="module")
def compared(exported: Any) -> dict[str, Any]:
    """What each float file computes beside what transformers does; "rounded": the 4-bit one beside a rounded model."""
    pairs: dict[str, dict[str, Any]] = {case: _pair(exported(case, "fp32")) for case in CASES}
    pairs["rounded"] = {**_pair(exported("llama3", "8da4w")), "rounded": True}
    return run_job("pte_oracle:compare_all", {"pairs": pairs})


def _pair(export: Export) -> dict[str, Any]:
    return {"folder": str(export.source), "pte": str(export.folder / "model.pte")}


@pytest.fixture(scope="module")
def four_bits(exported: Any) -> Delegation:
    return inspect_pte(exported("llama3", "8da4w").folder / "model.pte", "xnnpack")


@pytest.mark.parametrize("case", CASES)
def test_in_float_every_position_has_the_logits_of_transformers(compared: dict[str, Any], case: str) -> None:
    assert compared[case]["one_by_one"] < 1e-3


@pytest.mark.parametrize("case", CASES)
def test_a_prompt_at_once_comes_to_the_same_as_token_by_token(compared: dict[str, Any], case: str) -> None:
    assert compared[case]["at_once"] < 1e-3


@pytest.mark.parametrize("case", CASES)
def test_in_float_it_continues_as_transformers_does(compared: dict[str, Any], case: str) -> None:
    found = compared[case]
    assert found["own"] == found["greedy"]


def test_four_bits_compute_the_rounded_model(compared: dict[str, Any]) -> None:
    assert compared["llama3"]["cosine"] > 0.999999
    # What is left are activations and embeddings of 8 bits.
    assert 0.98 < compared["rounded"]["cosine"] < 0.999999


@pytest.mark.parametrize(("case", "scheme"), [*((case, "fp32") for case in CASES), ("llama3", "8da4w")])
def test_the_file_is_as_large_as_planned(exported: Any, case: str, scheme: str) -> None:
    export = exported(case, scheme)
    size = (export.folder / "model.pte").stat().st_size
    assert size == pytest.approx(pte_bytes(export.plan.tensors, export.facts.n_layers), rel=0.03)


def test_a_file_larger_than_planned_is_an_error_that_says_where_the_bytes_are(exported: Any, tmp_path: Path) -> None:
    export = exported("llama3", "fp32")
    file = tmp_path / "model.pte"
    file.write_bytes(bytes(int(1.03 * pte_bytes(export.plan.tensors, export.facts.n_layers))))
    with pytest.raises(StepFailed, match="named data 7") as caught:
        check_size(file, export.plan, export.facts.n_layers, {"named data": 7})
    assert "more than once" in caught.value.hint


def test_the_runner_finds_what_it_asks_for(compared: dict[str, Any]) -> None:
    constants = compared["llama3"]["constants"]
    assert constants["get_max_context_len"] == constants["get_max_seq_len"] == [128]
    assert constants["get_vocab_size"] == [96]
    assert constants["get_bos_id"] == [1]
    assert constants["get_eos_ids"] == [2, 5]
    assert constants["use_kv_cache"] == constants["enable_dynamic_shape"] == [True]


def test_nearly_all_operators_are_delegated_and_the_rest_is_named(four_bits: Delegation) -> None:
    found = four_bits
    left = dict(found.left)
    # Two layers: a cache of keys and one of values each, and one attention.
    assert left["llama::update_cache.out"] == 4
    assert left["llama::custom_sdpa.out"] == 2
    assert found.delegated_operators + sum(left.values()) == found.operators
    assert found.operator_share > 0.8
    assert found.runs_here


def test_weights_in_the_delegate_are_the_matrices_that_are_multiplied(exported: Any, four_bits: Delegation) -> None:
    plan = exported("llama3", "8da4w").plan
    matrices = sum(tensor.nbytes for tensor in plan.tensors if tensor.type.startswith("i4g"))
    assert four_bits.delegated_weight_bytes == pytest.approx(matrices, rel=0.02)
    assert four_bits.weight_bytes > four_bits.delegated_weight_bytes


def test_a_tied_table_stands_in_a_float_file_once(exported: Any) -> None:
    export = exported("qwen2-tied-yarn", "fp32")
    assert export.facts.tied_embeddings
    assert inspect_pte(export.folder / "model.pte", "xnnpack").duplicates == ()


def test_asked_for_another_delegate_nothing_counts_as_delegated(exported: Any) -> None:
    found = inspect_pte(exported("qwen3", "fp32").folder / "model.pte", "coreml")
    assert (found.delegated_operators, found.delegated_weight_bytes, found.runs_here) == (0, 0, False)
    assert "delegate XnnpackBackend" in dict(found.left)


def test_each_stage_is_told_and_timed(exported: Any) -> None:
    export = exported("llama3", "fp32")
    names = [name for name, _ in export.times.stages]
    assert [task.split(": ")[1] for task in export.tasks] == names
    assert {"trace", "lower", "write"} <= set(names)
    assert export.times.seconds > 0


def test_the_libraries_words_go_to_the_log(exported: Any, capfd: pytest.CaptureFixture[str]) -> None:
    exported("mistral", "fp32")
    assert capfd.readouterr() == ("", "")


def test_a_gguf_source_is_refused_with_what_to_give(models: dict[str, Path], tmp_path: Path) -> None:
    facts = inspect_model(str(models["qwen3"]))
    plan = planned(facts, "fp32")
    gguf = replace(facts, source=replace(facts.source, kind="gguf"))
    with pytest.raises(UnsupportedModel) as caught:
        write_executorch(tmp_path, gguf, plan, vocabulary=VOCABULARY, threads=1, log=None, listener=silent)
    assert "folder" in caught.value.hint


def test_a_damaged_source_leaves_nothing_behind(models: dict[str, Path], tmp_path: Path) -> None:
    facts = inspect_model(str(models["qwen3"]))
    plan = planned(facts, "fp32")
    without = replace(facts, tensors=tuple(entry for entry in facts.tensors if "down_proj" not in entry.name))
    with pytest.raises(DataError, match=r"mlp\.down_proj"):
        write_executorch(tmp_path, without, plan, vocabulary=VOCABULARY, threads=1, log=None, listener=silent)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.pte"
    file.write_bytes(b"not a flatbuffer at all, but long enough to be looked at")
    with pytest.raises(DataError, match="no ExecuTorch program"):
        inspect_pte(file, "xnnpack")
