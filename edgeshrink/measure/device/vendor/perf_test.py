"""onnxruntime's `onnxruntime_perf_test`: a network in ONNX, on inputs that it makes itself.

Source: onnxruntime/test/perftest (README.md, performance_runner.cc, command_args_parser.cc). Its percentiles are
samples of the sorted list at `n * p`; it warms up with one run before.
"""

from __future__ import annotations

from edgeshrink.errors import DeviceError
from edgeshrink.measure.device.vendor.interface import Spread, Told, Work
from edgeshrink.measure.device.vendor.text import NUMBER, last, missing

_PROVIDERS = {"cpu": "cpu", "xnnpack": "xnnpack", "cuda": "cuda", "coreml": "coreml", "nnapi": "nnapi", "qnn": "qnn"}
"""edgeshrink's delegates -> its -e."""
_SEED = "20211"


class PerfTest:
    name = "onnxruntime_perf_test"
    format = "onnx"
    network = True
    repeats = True
    loading = "session creation as onnxruntime_perf_test times it, once; the file was just copied or read"
    first = ""
    inputs = "random numbers, every free dimension 1"

    def recognises(self, name: str, help: str) -> bool:
        return "perf_test" in name or "perf_test [options...] model_path" in help

    def argv(self, work: Work) -> tuple[str, ...]:
        provider = _PROVIDERS.get(work.delegate)
        if provider is None:
            raise DeviceError(
                f"{self.name} has no provider for the delegate {work.delegate}", hint=f"it has {', '.join(_PROVIDERS)}"
            )
        times = ("-m", "times", "-r", str(work.repetitions))
        return (work.program, "-I", "-S", _SEED, "-e", provider, *times, "-x", str(work.threads), "-s", work.model)

    def parse(self, said: str) -> Told:
        count = last(rf"^(?:Total inference requests|Total iterations|Runs): ?{NUMBER}\s*$", said)
        median = last(rf"^P50 Latency(?: is|:) {NUMBER} s", said)
        if not count or median is None:
            raise missing(self.name, "its statistics (Total inference requests, P50 Latency)", said)
        tails = [last(rf"^P{percent} Latency(?: is|:) {NUMBER} s", said) for percent in (95, 99)]
        created = last(rf"^Session creation time cost: ?{NUMBER} s", said)
        peak = last(rf"^Peak working set size: ?{NUMBER}(?: bytes)?\s*$", said)
        return Told(
            load_ms=None if created is None else 1e3 * created,
            runs=Spread((), int(count), 1e3 * median, *(None if tail is None else 1e3 * tail for tail in tails)),
            peak_rss_bytes=None if peak is None else int(peak),
        )
