"""The texts of a suite, read by both sides: more windows a round, for the texts that are not decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgeshrink.core.behaviour import Confidence, Slice
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.suite import TextPlan
from edgeshrink.engine.steps.reading import ReadCandidate, ReadReference
from edgeshrink.engine.suite.examination import Examination
from edgeshrink.evaluate.reading import load_read
from edgeshrink.evaluate.reference import read_reference
from edgeshrink.evaluate.slices import registry
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.texts import suite_text


class ReadTexts:
    """Not frozen: it keeps what every round read, a few numbers a position."""

    def __init__(self, examination: Examination) -> None:
        self._examination = examination
        self._families = tuple(registry.reading(name) for name in examination.suite.reading)
        self._read: list[ReadText] = []
        self.bytes_per_token: Reading = Unmeasured("no text was read")
        self.tokens = 0
        self.notes: list[str] = []

    def metrics(self) -> Mapping[str, tuple[str, ...]]:
        """Slice -> names of its metrics, of all that these texts will give."""
        labels = [plan.label for plan in self._examination.suite.texts]
        return {name: names for family in self._families for name, names in family.metrics(labels).items()}

    def read(self, look: int, plans: Sequence[TextPlan]) -> None:
        """One more round of windows of each text of `plans`, as far as it goes."""
        examination, each = self._examination, self._examination.suite.text_tokens
        if not plans or not each:
            return
        texts = tuple(suite_text(plan, seed=examination.seed, round=look, tokens=each) for plan in plans)
        side = examination.reference
        stored = examination.run(
            ReadReference(
                subject=side.subject,
                subject_sha256=side.sha256,
                name=side.name,
                texts=texts,
                context=examination.context,
                threads=examination.threads,
                tokens_each=each,
                runtime_build=side.runtime_build,
            )
        )
        reference = read_reference(stored.folder)
        self.notes.extend(note for note in reference.notes if note not in self.notes)
        self.bytes_per_token = Measured(float(reference.row_bytes), how="each scored position of the stored reference")
        other = examination.candidate
        said = examination.run(
            ReadCandidate(
                subject=other.subject,
                subject_sha256=other.sha256,
                reference=(stored.folder, stored.digest),
                context=examination.context,
                threads=examination.threads,
                runtime_build=other.runtime_build,
            )
        )
        read = load_read(said.folder)
        self.notes.extend(dict.fromkeys(text.apart for text in read if text.apart and text.apart not in self.notes))
        self.tokens += sum(text.windows * text.scored_each for text in read)
        self._read.extend(read)

    def slices(self, confidence: Confidence) -> Iterator[Slice]:
        for family in self._families if self._read else ():
            yield from family.slices(self._read, confidence)
