"""The `modelCard` of the bill of materials, which CycloneDX's library cannot write: plain JSON by the 1.6 schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from edgeshrink.bundle.documents.metrics import performance_metrics, unmeasured
from edgeshrink.core.report import Report

Json = dict[str, Any]


def model_card(report: Report, datasets: Sequence[str]) -> Json:
    """`datasets`: the bom-refs of the data components. Nothing is said that the report does not know."""
    card: Json = {
        "modelParameters": _parameters(report, datasets),
        "quantitativeAnalysis": {"performanceMetrics": performance_metrics(report)},
        "considerations": {
            "technicalLimitations": list(_limitations(report)),
            "performanceTradeoffs": list(report.traded_away),
        },
        "properties": [{"name": f"edgeshrink:{name}", "value": value} for name, value in _properties(report)],
    }
    return card


def generates_text(report: Report) -> bool:
    """A network (a classifier, an encoder) has no context to fill."""
    return report.context > 0


def _parameters(report: Report, datasets: Sequence[str]) -> Json:
    parameters: Json = {"datasets": [{"ref": ref} for ref in datasets]}
    if report.source is not None:
        parameters["modelArchitecture"] = report.source.model_type
    if generates_text(report):
        text = [{"format": "text"}]
        return {
            "task": "text-generation",
            "architectureFamily": "decoder-only transformer",
            **parameters,
            "inputs": text,
            "outputs": text,
        }
    shapes = dict.fromkeys(point.shapes for point in report.measurements.inference) if report.measurements else {}
    return {**parameters, "inputs": [{"format": shape} for shape in shapes]}


def _limitations(report: Report) -> Iterator[str]:
    yield from report.notes
    for line in report.verdict.lines:
        if line.outcome != "PASS":
            yield f"{line.name}: {line.outcome}, {line.why}"
    if report.quality is not None:
        for check in report.quality.failed_checks:
            yield f"check {check.name} failed: {check.detail}"
    yield from dict.fromkeys(unmeasured(report))


def _properties(report: Report) -> Iterator[tuple[str, str]]:
    artifact = report.artifact
    yield "format", artifact.format
    yield "scheme", artifact.scheme
    yield "bytes", str(artifact.nbytes)
    yield "bits_per_weight", f"{artifact.bits_per_weight:.4f}"
    yield "target", report.target
    yield "profile", report.profile
    yield "verdict", report.verdict.outcome
    if generates_text(report):
        yield "context", str(report.context)
