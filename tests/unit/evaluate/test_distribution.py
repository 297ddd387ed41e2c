"""Readings of a finished file, against transformers and against arithmetic on the runtime's own logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from built_gguf import Builder

from edgeshrink.catalog.texts import Text
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.errors import DataError
from edgeshrink.evaluate.distribution import Score, readings, score
from edgeshrink.evaluate.reference import Reference
from edgeshrink.evaluate.subject import Subject
from edgeshrink.runtimes import llama_cpp


def value(reading: Reading) -> float:
    assert isinstance(reading, Measured)
    return reading.value


def scored_file(path: Path, text: Text, folder: Path, reference: Reference | None) -> Score:
    subject = Subject(path, "llama_cpp", "cpu")
    return score(subject, text, folder, reference=reference, weights=260_000, context=256, threads=1)


@pytest.fixture(scope="module")
def scored(built: Builder, reference: Reference, story_text: Text, tmp_path_factory: pytest.TempPathFactory) -> Score:
    folder = tmp_path_factory.mktemp("scored")
    return scored_file(built("Q4_0").path, story_text, folder, reference)


def test_divergence_and_agreement_are_those_of_the_logits(built: Builder, reference: Reference, scored: Score) -> None:
    torch = pytest.importorskip("torch")
    windows, said = reference.windows, []
    for scheme in ("Q4_0", "F32"):
        with llama_cpp.load(built(scheme).path, context=256, threads=1, exact=True) as session:
            parts = [session.logits(ids)[windows.first : windows.size - 1] for ids in windows.ids]
        said.append(torch.tensor(np.concatenate(parts)).double().log_softmax(-1))
    candidate, expected = said
    kl = torch.nn.functional.kl_div(candidate, expected, log_target=True, reduction="none").sum(-1)
    figures = readings(scored)
    assert value(figures.mean_kl) == pytest.approx(float(kl.mean()), rel=2e-3)
    assert value(figures.median_kl) == pytest.approx(float(kl.quantile(0.5)), rel=1e-2)
    assert value(figures.p99_kl) == pytest.approx(float(kl.quantile(0.99)), rel=2e-3)
    same = (candidate.argmax(-1) == expected.argmax(-1)).double().mean()
    assert value(figures.same_top_share) == pytest.approx(float(same))
    assert 0.001 < float(kl.mean()) < 0.5


def test_the_references_perplexity_is_that_of_transformers(stories: Path, reference: Reference, scored: Score) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(stories, dtype=torch.float32).eval()
    windows, losses = reference.windows, []
    with torch.no_grad():
        for ids in windows.ids:
            logits = model(torch.tensor([ids])).logits[0, windows.first : -1].double()
            losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[windows.first + 1 :])))
    expected = float(torch.stack(losses).mean().exp())
    assert value(readings(scored).reference_perplexity) == pytest.approx(expected, rel=1e-4)


def test_every_reading_has_its_count_and_an_interval_around_it(scored: Score) -> None:
    figures = readings(scored)
    n = scored.windows.scored
    for reading in (figures.mean_kl, figures.median_kl, figures.p99_kl, figures.same_top_share, figures.perplexity):
        assert isinstance(reading, Measured) and reading.low is not None and reading.high is not None
        assert reading.n == n
        assert reading.low <= reading.value <= reading.high
        assert "95 %" in reading.how


def test_the_ratio_is_that_of_the_perplexities(scored: Score) -> None:
    figures = readings(scored)
    expected = value(figures.perplexity) / value(figures.reference_perplexity)
    assert value(figures.perplexity_ratio) == pytest.approx(expected)


def test_the_unquantized_file_has_no_distance(
    built: Builder, reference: Reference, story_text: Text, tmp_path: Path
) -> None:
    figures = readings(scored_file(built("F32").path, story_text, tmp_path, reference))
    assert value(figures.mean_kl) < 1e-9
    assert value(figures.max_logit_difference) < 1e-3
    assert value(figures.same_top_share) == 1.0
    assert value(figures.perplexity_ratio) == pytest.approx(1.0, abs=1e-6)


def test_without_a_reference_the_own_perplexity_is_measured_and_the_rest_says_why(
    built: Builder, story_text: Text, tmp_path: Path
) -> None:
    why = Unmeasured("the reference is too big")
    figures = readings(scored_file(built("Q4_0").path, story_text, tmp_path, None), why)
    assert value(figures.perplexity) < 20
    assert figures.mean_kl == figures.same_top_share == figures.perplexity_ratio == why


def test_another_vocabulary_is_no_candidate(
    demo_model: Path, reference: Reference, story_text: Text, tmp_path: Path
) -> None:
    from built_gguf import build_gguf

    other = build_gguf(demo_model, tmp_path / "demo.gguf", "Q8_0")
    with pytest.raises(DataError, match="tokens in its vocabulary, the reference 512"):
        scored_file(other.path, story_text, tmp_path, reference)
