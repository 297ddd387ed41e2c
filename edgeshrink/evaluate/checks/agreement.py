"""Does a finished file say what its model said while it was trained for the grid, rounded as the file is?

Training saw the runtime's own arithmetic as far as that can be imitated: one matrix product agrees to 2e-7 in ONNX
Runtime and to 5e-8 in XNNPACK. Over layers the two drift apart all the same: where a sum of float32 comes out one bit
otherwise, an activation is now and then rounded to the next of its 255 steps, and each layer multiplies such steps. So
one runtime differs from itself when it reads tokens one by one (ONNX Runtime: mean KL 2e-4 on the demo). What is more
than that is found here: codes, scales or rows in the wrong place, an operator that computes otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.grid import read_probe
from edgeshrink.core.importance import Floats
from edgeshrink.core.quality import Check
from edgeshrink.errors import DataError
from edgeshrink.evaluate.statistics import kl_divergence, log_softmax
from edgeshrink.evaluate.subject import Subject
from edgeshrink.runtimes.interface import Session

NAME: Final = "trained and finished agree"
JOB: Final = "edgeshrink.evaluate.checks.agreement:job"
_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`mean_kl` in nats a token; `difference` of any logit, as a share of the largest one (rows around their means)."""

    mean_kl: float
    difference: float


TOLERANCES: Final[dict[str, Tolerance]] = {
    # Measured over 512 held-out tokens of the demo: Q3_K_M mean KL 8e-4, largest difference 1.3 % of the largest logit.
    # Training leaves llama.cpp's rounding of activations out: in numpy it comes no nearer than 6e-4.
    "gguf": Tolerance(5e-3, 0.1),
    # int4: mean KL 2.3e-4, largest difference 0.9 % of the largest logit; activations in blocks of 32.
    "onnx": Tolerance(3e-3, 0.1),
    # 8da4w: mean KL 6e-4, largest difference 1.5 %. A whole row of activations shares one scale: where a model has
    # outliers, steps are larger than the demo's.
    "executorch": Tolerance(1e-2, 0.1),
}


def agreement(session: Session, tokens: NDArray[np.int32], logits: Floats) -> tuple[float, float, float]:
    """Of the file in `session`, over a probe's `tokens` (n,) and `logits` (n, vocabulary): mean KL of the file from the
    probe, largest difference of a logit, and the largest logit of the probe; both around their row's mean."""
    if session.vocab_size != logits.shape[1]:
        raise DataError(f"the file has {session.vocab_size} tokens in its vocabulary, the probe {logits.shape[1]}")
    divergences: list[NDArray[np.float64]] = []
    difference = largest = 0.0
    done = 0
    for rows in session.iter_logits(tokens.tolist()):
        trained = logits[done : done + len(rows)]
        done += len(rows)
        divergences.append(kl_divergence(log_softmax(trained), log_softmax(rows)))
        ours, its = (values - values.mean(axis=1, keepdims=True, dtype=np.float64) for values in (trained, rows))
        difference = max(difference, float(np.abs(ours - its).max()))
        largest = max(largest, float(np.abs(ours).max()))
    return float(np.concatenate(divergences).mean()), difference, largest


def check_agreement(session: Session, folder: Path, format: str) -> Check:
    """The file in `session` against the probe that stands beside the weights in `folder`."""
    probe = read_probe(folder)
    if probe is None:
        return Check(NAME, "skipped", f"nothing was kept of what the model in {folder} said while it was trained")
    allowed = TOLERANCES[format]
    with np.errstate(all="ignore"):
        mean_kl, difference, largest = agreement(session, *probe)
    most = allowed.difference * largest
    detail = (
        f"mean KL {mean_kl:.2g} over {len(probe[0])} tokens, at most {allowed.mean_kl:g} allowed; "
        f"largest difference {difference:.2g}, at most {most:.2g} allowed"
    )
    return Check(NAME, "ok" if mean_kl <= allowed.mean_kl and difference <= most else "failed", detail)


def agreement_in_child(subject: Subject, folder: Path, format: str, *, threads: int) -> Check:
    """`check_agreement` in a child process: `subject` is the finished file, `folder` the model that was trained.
    RuntimeFailed where the runtime refuses the file."""
    from edgeshrink.runtimes.child import run_job

    parameters = {"subject": subject.as_json(), "folder": str(folder), "format": format, "threads": threads}
    told: dict[str, Any] = run_job(JOB, parameters)
    return Check(told["name"], told["outcome"], told["detail"])


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """The child's side."""
    folder = Path(parameters["folder"])
    probe = read_probe(folder)
    context = _AT_ONCE if probe is None else len(probe[0])
    subject = Subject.of(parameters["subject"])
    with subject.open(context=context, threads=parameters["threads"], batch=min(_AT_ONCE, context)) as session:
        check = check_agreement(session, folder, parameters["format"])
    return {"name": check.name, "outcome": check.outcome, "detail": check.detail}
