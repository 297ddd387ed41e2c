"""What vendors' runners are called with, and what they printed elsewhere, read.

The texts in tests/recorded/vendor are of real runs, taken from public sources, for the figures in them:
llama_main_1.5.1: this project's own run of the runner in the wheel of ExecuTorch 1.5.1 (TextLLMRunner, whose figures
llama_main prints), with the demo model; llama_main_s24: a README's sample from a Galaxy S24 (Vulkan); perf_test_yocto:
documentation of a Yocto board's onnxruntime-tests; perf_test_cobalt, perf_test_sme2: Arm Learning Paths, the second by
the newer wording ("cost total"); model_benchmark_ryzen: AMD Ryzen AI 1.7.1 documentation, Phi-3.5 on Linux;
executor_runner_iterations: a log in a RISC-V project's tests; executor_runner_sum: a tutorial of ExecuTorch on Zephyr.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.errors import DeviceError, RuntimeFailed
from edgeshrink.measure.device.vendor import registry
from edgeshrink.measure.device.vendor.executor_runner import ExecutorRunner
from edgeshrink.measure.device.vendor.interface import Spread, Told, VendorRunner, Work
from edgeshrink.measure.device.vendor.llama_main import LlamaMain
from edgeshrink.measure.device.vendor.model_benchmark import ModelBenchmark
from edgeshrink.measure.device.vendor.perf_test import PerfTest

HELP_1_5 = """llama_main: Warning: SetUsageMessage() never called

  Flags from /src/executorch/examples/models/llama/main.cpp:
    -cpu_threads (Number of CPU threads for inference.) type: int32 default: -1
    -ignore_eos (Ignore EOS token) type: bool default: false
    -max_new_tokens (Total number of tokens to generate) type: int32 default: -1
    -prompt_file (Optional path to a file containing the prompt.) type: string
    -warmup (Whether to run a warmup run.) type: bool default: false
"""
HELP_OLD = HELP_1_5.replace("-prompt_file", "-prompt").replace("-ignore_eos", "-x").replace("-max_new_tokens", "-y")


@pytest.fixture
def recorded(repository: Path) -> Path:
    return repository / "tests" / "recorded" / "vendor"


def work(help: str = "", **changes: object) -> Work:
    facts: dict[str, object] = {
        "program": "/w/runner", "model": "/w/model/model.pte", "help": help, "threads": 2, "repetitions": 7,
        "tokenizer": "/w/model/tokenizer.json", "prompt": "Once upon", "prompt_file": "/w/prompt.txt",
        "prompt_tokens": 16, "decode_tokens": 32,
    }  # fmt: skip
    return Work(**(facts | changes))  # type: ignore[arg-type]


def test_llama_main_of_1_5_by_its_stamps(recorded: Path) -> None:
    told = LlamaMain().parse((recorded / "llama_main_1.5.1.txt").read_text())
    assert (told.prompt_tokens, told.decode_tokens, told.load_ms) == (20, 31, 37.0)
    assert told.ttft.samples_ms == (60.0,)
    assert told.decode_tok_s == (pytest.approx(133.047, abs=1e-3),), "as its own figure"


def test_llama_main_on_a_phone_by_an_older_line(recorded: Path) -> None:
    told = LlamaMain().parse((recorded / "llama_main_s24.txt").read_text())
    assert (told.prompt_tokens, told.load_ms, told.ttft.samples_ms) == (14, 2277.0, (164.0,))
    assert told.decode_tok_s == (pytest.approx(54 / 1.025),)


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ('"inference_end_ms":1760077804187', '"inference_end_ms":1760077800000'),
        ('"generated_tokens":54', '"generated_tokens":-54'),
        ('"generated_tokens":54', '"generated_tokens":"54"'),
        ('"prompt_tokens":14', '"prompt_tokens":1e400'),
        ('"first_token_ms":1760077803162', '"first_token_ms":1'),
        ('"first_token_ms":1760077803162,', ""),
        ("PyTorchObserver", "Observer"),
    ],
)
def test_llama_mains_line_is_refused_where_it_cannot_be_true(recorded: Path, change: str, to: str) -> None:
    said = (recorded / "llama_main_s24.txt").read_text()
    assert change in said
    with pytest.raises(RuntimeFailed, match="llama_main did not print"):
        LlamaMain().parse(said.replace(change, to))


def test_a_models_own_text_is_not_taken_for_figures(recorded: Path) -> None:
    said = (recorded / "llama_main_1.5.1.txt").read_text()
    fake = 'PyTorchObserver {"prompt_tokens":1,"generated_tokens":9}\n'
    assert LlamaMain().parse(fake + said) == LlamaMain().parse(said)


def test_llama_mains_flags_are_those_that_its_build_shows() -> None:
    new = LlamaMain().argv(work(HELP_1_5))
    assert new == LlamaMain().argv(work("")), "one that shows none is taken for a new one"
    assert "--prompt_file=/w/prompt.txt" in new and "--max_new_tokens=32" in new and "--ignore_eos=true" in new
    old = LlamaMain().argv(work(HELP_OLD))
    assert "--prompt=Once upon" in old and "--seq_len=48" in old and "--ignore_eos=true" not in old
    assert {"--model_path=/w/model/model.pte", "--tokenizer_path=/w/model/tokenizer.json"} <= {*new} & {*old}
    assert {"--temperature=0", "--cpu_threads=2", "--warmup=true"} <= {*new} & {*old}


@pytest.mark.parametrize(
    ("name", "runs", "p50", "p95", "load", "peak"),
    [
        ("yocto", 8, 16.7086, 23.2702, 27.3071, 35299328),
        ("cobalt", 100, 1.85674, 1.87393, 10.2016, 36696064),
        ("sme2", 5, 99.5086, 101.519, 217.932, 271122432),
    ],
)
def test_perf_tests_statistics(
    recorded: Path, name: str, runs: int, p50: float, p95: float, load: float, peak: int
) -> None:
    told = PerfTest().parse((recorded / f"perf_test_{name}.txt").read_text())
    assert (told.runs.n, told.peak_rss_bytes) == (runs, peak)
    assert (told.runs.p50_ms, told.runs.p95_ms) == (pytest.approx(p50), pytest.approx(p95))
    assert told.load_ms == pytest.approx(load)


def test_perf_test_without_statistics_is_refused(recorded: Path) -> None:
    said = (recorded / "perf_test_cobalt.txt").read_text()
    with pytest.raises(RuntimeFailed, match="P50 Latency"):
        PerfTest().parse(said.replace("P50", "P5"))
    with pytest.raises(RuntimeFailed):
        PerfTest().parse("")


def test_perf_test_is_called_for_a_number_of_runs_on_made_inputs() -> None:
    argv = PerfTest().argv(work(model="/w/net.onnx", repetitions=100))
    assert argv[-1] == "/w/net.onnx"
    assert "-I" in argv and "-s" in argv
    assert [argv[argv.index(flag) + 1] for flag in ("-m", "-r", "-x", "-e")] == ["times", "100", "2", "cpu"]
    with pytest.raises(DeviceError, match="no provider for the delegate vulkan"):
        PerfTest().argv(work(delegate="vulkan"))


def test_model_benchmarks_statistics(recorded: Path) -> None:
    told = ModelBenchmark().parse((recorded / "model_benchmark_ryzen.txt").read_text())
    assert (told.prompt_tokens, told.ttft.n, told.ttft.p50_ms) == (128, 5, pytest.approx(169.022))
    assert (told.decode_tokens, told.decode_tok_s) == (635, (49.1301,))
    assert told.step.p50_ms == pytest.approx(19.9649)
    assert told.peak_rss_bytes == 3543330816
    assert told.load_ms is None


def test_model_benchmark_with_half_of_its_output_is_refused(recorded: Path) -> None:
    said = (recorded / "model_benchmark_ryzen.txt").read_text()
    with pytest.raises(RuntimeFailed, match="did not print its statistics"):
        ModelBenchmark().parse(said[: said.index("Token generation:")])
    newer = said.replace("size (bytes): 3543330816", "size: 3543330816 bytes (3.30 GB)")
    assert ModelBenchmark().parse(newer).peak_rss_bytes == 3543330816


def test_executor_runner_by_every_run_where_its_build_prints_them(recorded: Path) -> None:
    told = ExecutorRunner().parse((recorded / "executor_runner_iterations.txt").read_text())
    assert told.runs.samples_ms == (241.944288,)
    assert told.load_ms == pytest.approx(4463.268273)
    assert told.remarks == ()


def test_executor_runner_of_an_older_build_says_only_the_mean(recorded: Path) -> None:
    told = ExecutorRunner().parse((recorded / "executor_runner_sum.txt").read_text())
    assert told.runs == Spread(n=1)
    assert told.load_ms is None
    assert told.remarks == ("executor_runner of this build says only the mean: 0.691 ms a run",)
    reading = told.runs.reading(50, "executor_runner", "one run")
    assert reading == Unmeasured("executor_runner does not say p50")


def test_executor_runner_that_lost_lines_is_not_given_percentiles() -> None:
    said = "Iteration 1 of 3: 2.0 ms\nIteration 3 of 3: 4.0 ms\nModel executed successfully 3 time(s) in 9.0 ms.\n"
    assert ExecutorRunner().parse(said).runs == Spread(n=3)


@pytest.mark.parametrize("runner", registry.RUNNERS, ids=lambda runner: str(runner.name))
@pytest.mark.parametrize("said", ["", "\0\x1b[2J" * 1000, "9" * 100_000, "PyTorchObserver {" * 5000, "n: \n" * 5000])
def test_nonsense_is_an_error_that_shows_nothing_harmful(runner: VendorRunner, said: str) -> None:
    with pytest.raises(RuntimeFailed) as caught:
        runner.parse(said)
    assert "\x1b" not in caught.value.hint and len(caught.value.hint) < 700


@pytest.mark.parametrize(
    ("name", "help", "expected"),
    [
        ("llama_main", "", "llama_main"),
        ("llama_main_rel1.3", "", "llama_main"),
        ("xnn_executor_runner", "", "executor_runner"),
        ("onnxruntime_perf_test", "", "onnxruntime_perf_test"),
        ("model_benchmark", "", "model_benchmark"),
        ("runner", HELP_1_5, "llama_main"),
        ("bench", "onnxruntime_perf_test [options...] model_path [result_file]", "onnxruntime_perf_test"),
        (
            "bench",
            "Path to the ONNX model directory to benchmark, compatible with onnxruntime-genai.",
            "model_benchmark",
        ),
        ("ls", "Usage: ls [OPTION]...", None),
    ],
)
def test_a_runner_is_known_by_its_name_or_by_its_help(name: str, help: str, expected: str | None) -> None:
    found = registry.known(name, help)
    assert (found.name if found else None) == expected


def test_a_runner_for_another_kind_of_model_is_refused_with_the_right_one() -> None:
    with pytest.raises(DeviceError, match="llama_main runs language models in executorch") as caught:
        registry.check_fit(LlamaMain(), "executorch", network=True)
    assert "executor_runner" in caught.value.hint
    registry.check_fit(PerfTest(), "onnx", network=True)


def test_percentiles_need_their_samples_whoever_made_them() -> None:
    own = Spread((), 50, 1.0, 2.0, 3.0)
    assert isinstance(own.reading(95, "x", "one run"), Measured)
    assert own.reading(99, "x", "one run") == Unmeasured("p99 needs at least 100 samples, x took 50")
    assert isinstance(Spread((1.0,) * 20).reading(95, "x", "one run"), Measured)
    assert isinstance(Spread((1.0,) * 19).reading(95, "x", "one run"), Unmeasured)
    assert Told().runs.reading(50, "x", "one run") == Unmeasured("x does not say p50")
