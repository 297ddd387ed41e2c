"""What every format's build of a language model stands on: its reference, its comparison, its measuring session.

Bound to one request and one store; asking for a result runs what is missing, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from edgeshrink.catalog.texts import evaluation_text
from edgeshrink.compress.calibration import CalibrationText, calibration_text
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.events import Listener
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.plan import Plan, TensorPlan
from edgeshrink.core.quality import Check, Quality
from edgeshrink.core.quant_types import quant_type
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.core.step import Step
from edgeshrink.core.target import TargetFormat
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.devices.memory import app_ram, available_ram
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.device_sessions import device_step, run_session
from edgeshrink.engine.opened import OpenModel, require_buildable, source_digest, tokenizer_digest
from edgeshrink.engine.place import Place
from edgeshrink.engine.sessions import session_step
from edgeshrink.engine.situation import find_situation, gguf_header
from edgeshrink.engine.steps import evaluation, export_gguf, importance, measuring, pretokenizer, reference
from edgeshrink.engine.trained_codes import trained_grid
from edgeshrink.errors import PlanError
from edgeshrink.evaluate.reference import reference_fits
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.windows import WINDOW
from edgeshrink.planning.estimate import reference_bytes
from edgeshrink.planning.resolve import Situation, plan_for
from edgeshrink.runtimes.chat import check_template
from edgeshrink.runtimes.registry import runtime
from edgeshrink.store import Store, Stored
from edgeshrink.store.digests import remembered_sha256

_REFERENCE = TargetFormat(runtime="llama_cpp", delegates=("cpu",), schemes=("F32",), preferred_scheme="F32")


@dataclass(frozen=True, slots=True)
class File:
    """A file that steps read, and its sha256."""

    path: Path
    sha256: str

    @classmethod
    def of(cls, stored: Stored, name: str) -> File:
        return cls(stored.file(name), stored.digests[name])


@dataclass
class Workshop:
    """Not frozen: it remembers the results that the report will name."""

    request: Request
    model: OpenModel
    store: Store
    listener: Listener
    threads: int
    place: Place
    may_install: Callable[[str], bool]
    """Asked before a Python or packages are brought to a device."""
    teacher: Workshop | None = None
    """Of the model that this one was made smaller from: what it is compared with. None: with its own source."""
    adapter_weights: tuple[str, ...] = ()
    """What adapters will update, as transformers names it: an artifact whose graph is fixed needs places for that."""
    used: list[Stored] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return require_buildable(self.model)

    @cached_property
    def source_sha256(self) -> str:
        return source_digest(self.model, self.store, self.listener)

    @cached_property
    def source_bytes(self) -> int:
        """Of the source's tensors, as they are stored."""
        return sum(tensor.nbytes for tensor in self.model.facts.tensors)

    def runtime_build(self, name: str = "llama_cpp") -> str:
        return runtime(name).build_id()

    @cached_property
    def pre(self) -> str | None:
        """The proven pre-tokenizer; None where the vocabulary comes with the GGUF."""
        if self.model.facts.source.kind == "gguf":
            return None
        step = pretokenizer.ProvePretokenizer(
            self.model.facts, self.vocabulary, tokenizer_digest(self.model, self.store), self.runtime_build()
        )
        proof = pretokenizer.read_proof(self.run(step).folder)
        self.notes.extend(proof.notes)
        return proof.pre

    @cached_property
    def calibration_text(self) -> CalibrationText:
        return calibration_text(self.request.calibration)

    @cached_property
    def given_importance(self) -> Path | None:
        """The matrix that was given as a file."""
        return None if self.request.imatrix in ("default", "auto", "none") else Path(self.request.imatrix)

    def check_before_work(self) -> None:
        """Refuse in the first second what would fail in a later step, whatever the format."""
        vocabulary = require_buildable(self.model)
        self.notes.extend(vocabulary.notes)
        if vocabulary.chat_template:
            check_template(vocabulary.chat_template)

    def situation(self, calibration: MachineCalibration | None) -> Situation:
        return find_situation(self.request, self.model, calibration, pre=self.pre)

    def gguf(self, plan: Plan) -> Finished:
        """The GGUF of `plan`: an artifact, or the reference that every format is compared with."""
        trained = trained_grid(self.model.facts, plan)
        matrix = self.importance_file if plan.uses_imatrix and trained is None else None
        step = export_gguf.ExportGguf(
            facts=self.model.facts,
            source_sha256=self.source_sha256,
            plan=plan,
            header=gguf_header(self.model, scheme=plan.scheme, pre=self.pre),
            importance=None if matrix is None else (matrix.path, matrix.sha256),
            threads=self.threads,
            trained=trained,
        )
        return Finished.file(self.run(step), export_gguf.FILE)

    @cached_property
    def reference_file(self) -> File:
        """The unquantized model as its runtime takes it."""
        facts = self.model.facts
        if facts.source.kind == "gguf" and facts.dtype == self.reference_type:
            return File(facts.source.path, remembered_sha256(facts.source.path, self.store.notes, self.listener))
        request = Request(self.request.model, self.request.target, format="gguf", imatrix="none")
        situation = find_situation(request, self.model, None, pre=self.pre)
        # Whatever formats the target takes, the reference is a GGUF.
        target = situation.target.model_copy(update={"formats": {"gguf": _REFERENCE}})
        written = self.gguf(plan_for(replace(situation, target=target), self.reference_type))
        return File(written.path, written.sha256)

    @cached_property
    def reference_type(self) -> str:
        """F32 where this machine's RAM takes it: llama.cpp rounds activations to the type of half-precision weights."""
        fits = reference_fits(reference_bytes(self.model.layout), 0, app_ram().nbytes) is None
        return "F32" if fits else self.model.facts.dtype

    @property
    def standard(self) -> Workshop:
        """Whose reference everything is compared with."""
        return self.teacher or self

    @property
    def reference_name(self) -> str:
        """What reports call it."""
        return f"{self.reference_type} GGUF of the source"

    @cached_property
    def reference_too_big(self) -> str | None:
        """Why the reference cannot be run on this machine now; None where it can."""
        facts = self.model.facts
        nbytes = reference_bytes(self.model.layout) * quant_type(self.reference_type).block_bytes // 4
        kv_bytes = 2 * self.window * facts.kv_bytes_per_token_f16  # compared with an F32 cache
        return reference_fits(nbytes, kv_bytes, available_ram())

    @cached_property
    def window(self) -> int:
        """Tokens of a window that is evaluated: as many as the artifact holds, and the source itself looks back on."""
        facts = self.model.facts
        sliding = facts.config.get("sliding_window") if facts.config.get("use_sliding_window", True) else None
        planned = find_situation(self.request, self.model, None).context
        return min(WINDOW, planned, sliding if isinstance(sliding, int) and sliding > 0 else WINDOW)

    def settle_importance(self) -> None:
        """A matrix that nobody insisted on is left out where the reference it is computed on does not fit."""
        if self.request.imatrix not in ("default", "auto") or self.reference_too_big is None:
            return
        if self.request.imatrix == "auto":
            raise PlanError(
                f"no importance matrix can be computed here: {self.reference_too_big}",
                hint="compute it on a larger machine and give it with --imatrix FILE, or use --imatrix none",
            )
        self.request = replace(self.request, imatrix="none")
        self.notes.append(f"quantized without an importance matrix: {self.reference_too_big}")

    @cached_property
    def importance_file(self) -> File:
        """The importance matrix: the file that was given, or one collected on the calibration text."""
        if self.given_importance is not None:
            return File(self.given_importance, remembered_sha256(self.given_importance, self.store.notes))
        step = importance.CollectImportance(
            reference=self.reference_file.path,
            reference_sha256=self.reference_file.sha256,
            text=self.calibration_text,
            context=min(importance.CONTEXT, self.model.facts.context_length),
            threads=self.threads,
            runtime_build=self.runtime_build(),
        )
        return File.of(self.run(step), importance.FILE)

    @cached_property
    def evaluated_reference(self) -> tuple[Path, str] | Unmeasured:
        """What the reference says on the evaluation text; why not, where it cannot be run here."""
        if self.teacher is not None:
            return self.teacher.evaluated_reference
        if self.reference_too_big is not None:
            return Unmeasured(self.reference_too_big)
        return self.read_by_reference(self.reference_name)

    def read_by_reference(self, name: str, adapter: File | None = None) -> tuple[Path, str]:
        """What the reference, called `name`, says on the evaluation text, with an `adapter` beside it or without."""
        stored = self.run(
            reference.RunReference(
                gguf=self.reference_file.path,
                gguf_sha256=self.reference_file.sha256,
                name=name,
                text=evaluation_text(),
                context=self.window,
                threads=self.threads,
                runtime_build=self.runtime_build(),
                adapter=None if adapter is None else (adapter.path, adapter.sha256),
            )
        )
        return stored.folder, stored.digest

    def quality(
        self,
        subject: Subject,
        sha256: str,
        tensors: tuple[TensorPlan, ...],
        own_checks: Callable[[Path], tuple[Check, ...]] | None,
    ) -> Quality:
        """A finished artifact of this source, run on this machine and compared. `tensors`: those that are in it.

        `own_checks` is None where it was not built here.
        """
        step = evaluation.Evaluate(
            artifact=subject.path,
            artifact_sha256=sha256,
            source_sha256=self.standard.source_sha256,
            runtime=subject.runtime,
            tensors=tensors,
            delegate=subject.delegate,
            own_checks=own_checks,
            facts=self.standard.model.facts,
            vocabulary=self.vocabulary,
            reference=self.evaluated_reference,
            text=evaluation_text(),
            context=self.standard.window,
            threads=self.threads,
            runtime_build=self.runtime_build(subject.runtime),
        )
        return evaluation.read_quality(self.run(step).folder)

    def measurements(
        self, situation: Situation, plan: Plan, artifact: Finished, delegate: str
    ) -> Measurements | Unmeasured:
        """One session on the attached device, or on this machine where it is the profile's device."""
        place = self.place
        attached = place.device_for(self.request, plan.runtime)
        if attached is not None:
            attached_step = device_step(
                attached,
                self.request,
                artifact.path,
                artifact.sha256,
                runtime=plan.runtime,
                network=False,
                context=plan.context,
                budget=situation.profile.budget,
                power_sources=situation.target.power_sources,
                delegate=plan.delegate,
                may_install=self.may_install,
                listener=self.listener,
            )
            stored = run_session(self.store, attached_step, self.listener, again=self.request.remeasure)
            return measuring.read_measurements(self.note(stored).folder)
        if place.not_measured:
            return Unmeasured(place.not_measured)
        step = session_step(
            self.request,
            artifact.path,
            artifact.sha256,
            plan.context,
            situation.profile.budget,
            situation.target.power_sources,
            runtime_name=plan.runtime,
            delegate=delegate,
        )
        return measuring.read_measurements(self.run(step, again=self.request.remeasure).folder)

    def log_file(self, name: str) -> Path:
        """Where libraries that talk much may talk: it stays when the step fails, and the error names it."""
        return self.store.log_file(f"{self.model.name}-{name}.log")

    def run(self, step: Step, *, again: bool = False) -> Stored:
        return self.note(self.store.run(step, self.listener, again=again))

    def note(self, stored: Stored) -> Stored:
        """Remember a result that the report will name."""
        if stored not in self.used:
            self.used.append(stored)
        return stored
