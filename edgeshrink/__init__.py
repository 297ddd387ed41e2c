"""edgeshrink takes a model to a device. The verbs of the command line, as typed functions.

>>> import edgeshrink
>>> report = edgeshrink.build("path/to/model", target="laptop-cpu", scheme="Q4_K_M")
>>> report.verdict.outcome
'PASS'

A verb's arguments are the fields of `edgeshrink.core.request.Request`. Importing this package costs nothing: a verb
loads what it needs when it is called.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeshrink.core.bundled import Bundled, Rebuilt
    from edgeshrink.core.events import Listener
    from edgeshrink.core.network import TorchNetwork
    from edgeshrink.core.report import Comparison, Report
    from edgeshrink.core.session import CoolDown, SessionOptions
    from edgeshrink.core.shrinking import ShrinkStep
    from edgeshrink.core.shrinking_request import ExpertsWanted, Teaching
    from edgeshrink.core.signature import BuildIntegrity, Verification
    from edgeshrink.core.training import LoraSettings, ObjectiveSettings, TrainingSettings
    from edgeshrink.engine.planner import Outlook

__version__ = "0.1.0"
__all__ = [
    "CoolDown",
    "ExpertsWanted",
    "LoraSettings",
    "ObjectiveSettings",
    "SessionOptions",
    "Teaching",
    "TorchNetwork",
    "TrainingSettings",
    "__version__",
    "build",
    "build_all",
    "bundle",
    "distill",
    "evaluate",
    "plan",
    "profile",
    "prune",
    "rebuild",
    "verify",
]
_VALUES = {
    "CoolDown": "edgeshrink.core.session",
    "ExpertsWanted": "edgeshrink.core.shrinking_request",
    "LoraSettings": "edgeshrink.core.training",
    "ObjectiveSettings": "edgeshrink.core.training",
    "Teaching": "edgeshrink.core.shrinking_request",
    "TrainingSettings": "edgeshrink.core.training",
    "SessionOptions": "edgeshrink.core.session",
    "TorchNetwork": "edgeshrink.core.network",
}


class _Verbs(ModuleType):
    """Rooms are called like verbs (`edgeshrink.bundle`); importing one must not take the verb's place."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in __all__):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Verbs


def __getattr__(name: str) -> Any:
    if name in _VALUES:
        return getattr(importlib.import_module(_VALUES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def plan(model: str | None = None, **arguments: Any) -> Outlook:
    """What fits, before any work: every candidate with its predictions. Raises edgeshrink.errors.Error."""
    from edgeshrink.core.request import Request
    from edgeshrink.engine.planner import outlook

    return outlook(Request(model=model, **arguments))


def build(model: str | None = None, *, listener: Listener | None = None, **arguments: Any) -> Report:
    """Build, prove, measure and judge `model` (None: the demo), and write its folder (`out`).

    `device` measures it on an attached one, as in `profile`, and that decides the verdict.

    Returns the report; a failed budget line is `report.verdict.outcome == "FAIL"`, not an exception. Raises
    edgeshrink.errors.Error where the build could not be done.
    """
    from edgeshrink.core.events import silent
    from edgeshrink.core.request import Request
    from edgeshrink.engine.build import build as run

    return run(Request(model=model, **arguments), listener=listener or silent)


def build_all(model: str | None = None, *, listener: Listener | None = None, **arguments: Any) -> Comparison:
    """Build `model` in every format that the target lists, and say which fits the budget best.

    Raises the Error of the first format where none could be built; else its message stands in the comparison.
    """
    from edgeshrink.core.events import silent
    from edgeshrink.core.request import Request
    from edgeshrink.engine.comparison import build_all as run

    return run(Request(model=model, **{**arguments, "format": "all"}), listener=listener or silent)


def profile(artifact: str | Path, *, listener: Listener | None = None, **arguments: Any) -> Report:
    """Measure a GGUF, .pte or .onnx (or a folder of ours) and judge it. Raises edgeshrink.errors.Error.

    `device` ("adb:SERIAL", "ssh:USER@HOST:PORT", "local") measures it there, as `session`, a SessionOptions, says;
    without one it is measured here, through the Python runtimes. A session that ended early says why in
    `report.measurements.partial`. Packages are never installed on a device from here: name a ready Python in `session`.
    """
    from edgeshrink.core.events import silent
    from edgeshrink.core.request import Request
    from edgeshrink.engine.profile import profile as run

    return run(artifact, Request(**arguments), listener=listener or silent)


def evaluate(
    artifact: str | Path,
    reference: str | None = None,
    *,
    listener: Listener | None = None,
    attribute: bool = False,
    adapter: str | Path | None = None,
    **arguments: Any,
) -> Report:
    """How `artifact` behaves against its unquantized `reference`: a folder, hub id or GGUF; None: the model that the
    report beside it names.

    `suite`, `gates` and `seed` as in Request; the slices stand in `report.behaviour`, the gates' lines in
    `report.verdict`. `attribute` also asks which tensors a loss comes from. `adapter` (a name in the artifact's folder,
    a file or a folder): both with that adapter. Raises edgeshrink.errors.Error.
    """
    from edgeshrink.core.events import silent
    from edgeshrink.core.request import Request
    from edgeshrink.engine.evaluate import evaluate as run

    request = Request(model=None if reference is None else str(reference), **arguments)
    beside = None if adapter is None else str(adapter)
    return run(Path(artifact), request, attribute=attribute, adapter=beside, listener=listener or silent)


def prune(
    model: str | None,
    out: str | Path,
    *,
    share: float | None = None,
    artifact_bytes: int | None = None,
    peak_rss_bytes: int | None = None,
    decode_tok_s: float | None = None,
    scheme: str | None = None,
    methods: tuple[str, ...] = (),
    cycles: int = 1,
    teaching: Teaching | None = None,
    experts: ExpertsWanted | None = None,
    listener: Listener | None = None,
    **arguments: Any,
) -> ShrinkStep:
    """Cut `model` (None: the demo) to a `share` of its parameters, or to what the device allows of `scheme`, and write
    it to `out` as a Hugging Face folder; `teaching` heals it. Of a mixture of experts `experts` says what is kept. How
    it behaves beside the whole stands in `.behaviour`.

    Raises edgeshrink.errors.Error; then nothing is left behind.
    """
    from edgeshrink.core.events import silent
    from edgeshrink.core.request import Request
    from edgeshrink.core.shrinking_request import PruneRequest
    from edgeshrink.engine.shrink.prune import prune as run

    request = PruneRequest(
        Request(model=model, out=Path(out), **arguments),
        share=share,
        artifact_bytes=artifact_bytes,
        peak_rss_bytes=peak_rss_bytes,
        decode_tok_s=decode_tok_s,
        scheme=scheme,
        methods=methods,
        cycles=cycles,
        teaching=teaching,
        experts=experts,
    )
    step, _ = run(request, listener=listener or silent)
    return step


def distill(
    teacher: str | None,
    student: str,
    out: str | Path,
    teaching: Teaching,
    *,
    listener: Listener | None = None,
    **arguments: Any,
) -> ShrinkStep:
    """Let `student` learn from `teacher` (None: itself) as `teaching` says, and write it to `out` as a Hugging Face
    folder; as an adapter with `teaching.lora`.

    A run that was broken off goes on when it is called again with the same arguments. Raises edgeshrink.errors.Error.
    """
    from edgeshrink.core.events import silent
    from edgeshrink.core.request import Request
    from edgeshrink.core.shrinking_request import DistillRequest
    from edgeshrink.engine.shrink.distill import distill as run

    request = Request(model=teacher or student, out=Path(out), **arguments)
    step, _ = run(DistillRequest(request, student, teaching), listener=listener or silent)
    return step


def bundle(
    out: str | Path,
    folder: str | Path,
    *,
    key: str | Path | None = None,
    passphrase: str | None = None,
    signer: str = "",
    accept_licence: bool = False,
    accept_verdict: bool = False,
    listener: Listener | None = None,
    **options: Any,
) -> Bundled:
    """Bundle the build in `out` into `folder`, signed with the private `key` where there is one.

    `options` are the fields of `edgeshrink.core.bundle.BundleOptions` ("kind", "name", "version"...). Raises
    edgeshrink.errors.Error; then nothing is left behind.
    """
    from edgeshrink.core.bundle import BundleOptions
    from edgeshrink.core.events import silent
    from edgeshrink.engine.bundle import bundle as run
    from edgeshrink.engine.seal import Seal

    return run(
        Path(out),
        Path(folder),
        BundleOptions(**options),
        seal=None if key is None else Seal(Path(key), passphrase, signer),
        accept_licence=accept_licence,
        accept_verdict=accept_verdict,
        listener=listener or silent,
    )


def verify(
    folder: str | Path, *, key: str | Path | None = None, listener: Listener | None = None
) -> Verification | BuildIntegrity:
    """Whether the bundle in `folder` is what the holder of the private half of `key` signed; `ok`, and what is not.

    The folder of a build, which nobody signs, is compared with its manifest where no key is given.
    """
    from edgeshrink.core.events import silent
    from edgeshrink.engine.verify import verify as run

    return run(Path(folder), key=None if key is None else Path(key), listener=listener or silent)


def rebuild(bundle: str | Path, *, model: str | None = None, listener: Listener | None = None) -> Rebuilt:
    """Make `bundle` again from what its lock pins; `identical`, and the first byte of every file that differs.

    `model` is the source, where the bundle was made of a folder or a file.
    """
    from edgeshrink.core.events import silent
    from edgeshrink.engine.rebuild import Inputs
    from edgeshrink.engine.rebuild import rebuild as run

    return run(Path(bundle), Inputs(model=model), listener=listener or silent)
