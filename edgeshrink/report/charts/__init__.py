"""The charts of the pages: one a file, each from values to an inline SVG, or the reason why there is none."""

from edgeshrink.report.charts.along import along_chart
from edgeshrink.report.charts.bought import bought_chart
from edgeshrink.report.charts.cut import cut_chart
from edgeshrink.report.charts.failures import failures_chart
from edgeshrink.report.charts.fit import fit_chart
from edgeshrink.report.charts.formats import formats_chart
from edgeshrink.report.charts.inference import inference_chart
from edgeshrink.report.charts.latency import inter_token_chart, ttft_chart
from edgeshrink.report.charts.losses import loss_charts, parts_chart
from edgeshrink.report.charts.memory import memory_chart
from edgeshrink.report.charts.power import power_chart
from edgeshrink.report.charts.prediction import prediction_chart
from edgeshrink.report.charts.risk import risk_chart
from edgeshrink.report.charts.size_quality import size_quality_chart
from edgeshrink.report.charts.sources import sources_chart
from edgeshrink.report.charts.sustained import sustained_chart
from edgeshrink.report.charts.svg import Figure
from edgeshrink.report.charts.training import training_charts

__all__ = [
    "Figure",
    "along_chart",
    "bought_chart",
    "cut_chart",
    "failures_chart",
    "fit_chart",
    "formats_chart",
    "inference_chart",
    "inter_token_chart",
    "loss_charts",
    "memory_chart",
    "parts_chart",
    "power_chart",
    "prediction_chart",
    "risk_chart",
    "size_quality_chart",
    "sources_chart",
    "sustained_chart",
    "training_charts",
    "ttft_chart",
]
