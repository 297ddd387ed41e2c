"""The whole examination: sound files pass, broken ones do not, and what cannot be measured says why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from built_gguf import Builder, Built

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.texts import Text
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.quality import Check, Quality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.errors import RuntimeFailed
from edgeshrink.evaluate.artifact import evaluate_artifact
from edgeshrink.evaluate.checks.tensors import check_tensors, check_weights
from edgeshrink.evaluate.reference import Reference, write_reference
from edgeshrink.planning.layout import layout

Examine = Callable[..., Quality]


def own_checks(path: Path, built: Built) -> tuple[Check, ...]:
    return check_tensors(path, built.tensors), check_weights(path, built.tensors, built.facts)


@pytest.fixture
def examine(reference: Reference, story_text: Text, tmp_path: Path) -> Examine:
    def run(built: Built, path: Path | None = None, against: Reference | Unmeasured = reference) -> Quality:
        return evaluate_artifact(
            path or built.path,
            runtime="llama_cpp",
            delegate="cpu",
            own_checks=own_checks(path or built.path, built),
            tensors=built.tensors,
            facts=built.facts,
            vocabulary=built.vocabulary,
            reference=against,
            text=story_text,
            folder=tmp_path,
            context=256,
            threads=1,
        )

    return run


def outcomes(quality: Quality) -> dict[str, str]:
    return {check.name: check.outcome for check in quality.checks}


@pytest.mark.parametrize("scheme", ["F32", "F16", "Q8_0", "Q2_K"])
def test_a_sound_file_passes_every_check(built: Builder, examine: Examine, scheme: str) -> None:
    quality = examine(built(scheme))
    assert quality.failed_checks == ()
    assert outcomes(quality)["reference is the source"] == "ok"
    assert ("logits are the source's" in outcomes(quality)) == (scheme in ("F32", "F16", "BF16"))
    assert (quality.reference, quality.text, quality.tokens > 500) == ("F32 GGUF", "stories", True)


def test_an_unquantized_file_has_the_sources_logits_within_a_thousandth(built: Builder, examine: Examine) -> None:
    quality = examine(built("F32"))
    assert isinstance(quality.max_logit_difference, Measured)
    assert quality.max_logit_difference.value < 1e-3
    (check,) = (check for check in quality.checks if check.name == "logits are the source's")
    assert "at most 0.001 allowed" in check.detail


def test_more_bits_stand_nearer(built: Builder, examine: Examine) -> None:
    distances = []
    for scheme in ("BF16", "Q8_0", "Q4_0"):
        kl = examine(built(scheme)).mean_kl
        assert isinstance(kl, Measured)
        distances.append(kl.value)
    assert distances == sorted(distances)


@pytest.mark.parametrize("how", ["permuted", "zeroed"])
def test_gibberish_is_caught_by_what_it_says_too(built: Builder, examine: Examine, tmp_path: Path, how: str) -> None:
    made, path = built("F32"), tmp_path / "broken.gguf"
    shutil.copy(made.path, path)
    random = np.random.default_rng(5)
    with path.open("r+b") as file:
        for tensor in read_gguf_header(path).tensors:
            if tensor.name.endswith("attn_q.weight" if how == "permuted" else "attn_v.weight"):
                rows = np.fromfile(path, "<f4", tensor.nbytes // 4, offset=tensor.offset).reshape(tensor.shape)
                file.seek(tensor.offset)
                file.write((random.permutation(rows) if how == "permuted" else rows * 0).tobytes())
    found = outcomes(examine(made, path))
    assert {name for name, outcome in found.items() if outcome == "failed"} == {
        "weights",
        "logits are the source's",
        "no gibberish",
    }


def test_a_reference_that_is_not_the_source_is_caught(
    built: Builder, examine: Examine, story_text: Text, tmp_path: Path
) -> None:
    made, path, folder = built("F32"), tmp_path / "wrong.gguf", tmp_path / "wrong"
    folder.mkdir()
    shutil.copy(made.path, path)
    tensor = next(entry for entry in read_gguf_header(path).tensors if entry.name == "blk.1.attn_k.weight")
    with path.open("r+b") as file:
        file.seek(tensor.offset)
        rows = np.frombuffer(file.read(tensor.nbytes), "<f4").reshape(tensor.shape)
        file.seek(tensor.offset)
        file.write(rows[::-1].tobytes())
    wrong = write_reference(path, story_text, folder, name="F32 GGUF", context=256, threads=1)
    quality = examine(made, path, wrong)
    assert isinstance(quality.mean_kl, Measured) and quality.mean_kl.value == 0  # both are wrong in the same way
    assert outcomes(quality)["reference is the source"] == "failed"


def test_without_a_reference_readings_say_why_and_the_source_still_vouches(built: Builder, examine: Examine) -> None:
    why = Unmeasured("the unquantized reference needs 60 GiB to run")
    quality = examine(built("Q4_0"), None, why)
    assert quality.mean_kl == quality.perplexity_ratio == quality.reference_perplexity == why
    assert isinstance(quality.perplexity, Measured)
    assert quality.failed_checks == ()
    assert outcomes(quality)["logits are the source's"] == outcomes(quality)["no gibberish"] == "ok"


def test_a_gguf_source_is_examined_against_itself(
    built: Builder, examine: Examine, story_text: Text, tmp_path: Path
) -> None:
    source = built("F16").path
    facts = inspect_model(str(source))
    made = Built(source, facts, read_vocabulary(facts), layout(facts))
    folder = tmp_path / "reference"
    folder.mkdir()
    own = write_reference(source, story_text, folder, name="the source GGUF", context=256, threads=1)
    quality = examine(made, None, own)
    assert quality.failed_checks == ()
    assert outcomes(quality)["logits are the source's"] == "ok"


def test_a_file_that_the_runtime_cannot_open_is_an_error(built: Builder, examine: Examine, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(built("Q8_0").path.read_bytes()[:-5000])
    with pytest.raises(RuntimeFailed, match=r"cut\.gguf"):
        examine(built("Q8_0"), path)
