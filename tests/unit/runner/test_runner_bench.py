"""What `bench` and the smaller commands say, event by event."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from native_runner import Event, Runner, Spoken

from edgeshrink.runtimes import llama_cpp, llama_library
from edgeshrink.toolchain.runner.installed import llama_version

FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "hello": {"protocol": int, "build": str, "llama": str, "system_info": str, "features": list, "page_bytes": int,
              "pid": int, "t": float},
    "idle": {"from": float, "to": float},
    "loaded": {"ms": float, "model_bytes": int, "parameters": int, "context": int, "vocab": int, "backend": str,
               "devices": list, "gpu_layers": int, "threads": int, "mapped": bool, "buffers": dict},
    "prompt": {"ids": list, "origin": str},
    "memory": {"phase": str, "t": float, "hwm": int, "rss": int, "anon": int, "file": int, "shmem": int, "majflt": int,
               "minflt": int},
    "prefill": {"tokens": int, "repetition": int, "from": float, "to": float, "ms": float, "majflt": int},
    "decode": {"depth": int, "repetition": int, "from": float, "to": float, "steps_ms": list, "majflt": int},
    "sustained": {"from": float, "to": float, "tokens": int},
    "sample": {"t": float, "v": list},
    "cpu": {"from": float, "to": float, "own_s": float, "all_s": float, "cpus": int},
    "end": {"t": float},
}  # fmt: skip


@pytest.fixture(scope="module")
def spoken(runner: Runner, demo: Callable[[str], Path], text: Path) -> Spoken:
    """One bench with everything in it."""
    return runner(
        *("bench", "--model", demo("Q4_K_M"), "--context", 512, "--threads", 2, "--text", text),
        *("--prompts", "64,16", "--depths", "0,48", "--decode", 6, "--repetitions", 2),
        *("--first-repetitions", 4, "--first-within-s", 600, "--idle-s", 0.2, "--sustain-s", 1.3),
        *("--sample-ms", 40, "--sample", "/proc/uptime", "--sample", "/proc/self/there-is-none"),
    )


def test_every_event_comes_with_every_field_in_its_type(spoken: Spoken) -> None:
    assert spoken.code == 0
    assert {event["event"] for event in spoken.events} == set(FIELDS)
    for event in spoken.events:
        kinds = {key: type(value) for key, value in event.items() if key != "event"}
        assert kinds == FIELDS[event["event"]]


def test_events_come_in_the_order_of_what_happens(spoken: Spoken) -> None:
    names = [event["event"] for event in spoken.events if event["event"] not in ("sample", "memory")]
    once = [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]
    assert once == ["hello", "idle", "loaded", "prompt", "prefill", "decode", "cpu", "sustained", "cpu", "end"]
    phases = [event["phase"] for event in spoken.all("memory")]
    assert list(dict.fromkeys(phases)) == ["start", "loaded", "prefill", "decode", "sustained", "end"]


def test_times_are_seconds_since_boot(spoken: Spoken) -> None:
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert uptime - 600 < spoken.one("hello")["t"] < spoken.one("end")["t"] <= uptime + 0.02
    for sample in spoken.all("sample"):
        assert sample["t"] == pytest.approx(float(sample["v"][0].split()[0]), abs=1)


def test_repetitions_and_lengths_are_those_asked_for(spoken: Spoken) -> None:
    prefills = [(event["tokens"], event["repetition"]) for event in spoken.all("prefill")]
    assert prefills == [(64, 0), (64, 1), (64, 2), (64, 3), (16, 0), (16, 1)]
    decodes = [(event["depth"], event["repetition"], len(event["steps_ms"])) for event in spoken.all("decode")]
    assert decodes == [(0, 0, 6), (0, 1, 6), (48, 0, 6), (48, 1, 6)]


def test_steps_fill_the_time_from_the_first_to_the_last(spoken: Spoken) -> None:
    for event in spoken.all("decode"):
        assert sum(event["steps_ms"]) == pytest.approx(1e3 * (event["to"] - event["from"]), abs=0.01)
    for event in spoken.all("prefill"):
        assert event["ms"] == pytest.approx(1e3 * (event["to"] - event["from"]), abs=0.01)


def test_sustained_decode_lasts_as_long_as_asked(spoken: Spoken) -> None:
    stretches = spoken.all("sustained")
    assert stretches[-1]["to"] - stretches[0]["from"] >= 1.2
    for before, after in pairwise(stretches):
        assert before["to"] - before["from"] >= 1.0
        assert after["from"] >= before["to"]
    assert all(stretch["tokens"] > 0 for stretch in stretches)


def test_memory_splits_into_its_parts_and_peaks_above_them(spoken: Spoken) -> None:
    for event in spoken.all("memory"):
        assert event["hwm"] >= event["rss"] > 0
        assert event["rss"] == event["anon"] + event["file"] + event["shmem"]
    assert [event["hwm"] for event in spoken.all("memory")] == sorted(event["hwm"] for event in spoken.all("memory"))


def test_cpu_seconds_are_the_process_s_and_the_machine_s(spoken: Spoken) -> None:
    for event in spoken.all("cpu"):
        assert 0 < event["own_s"] <= event["cpus"] * (event["to"] - event["from"]) + 0.05
        assert event["own_s"] <= event["all_s"] + 0.3  # the machine's are counted in hundredths, per CPU
    assert spoken.events[0]["pid"] != os.getpid()


def test_the_runner_says_what_it_is_and_what_computes(
    runner: Runner, spoken: Spoken, demo: Callable[[str], Path]
) -> None:
    hello, loaded = spoken.one("hello"), spoken.one("loaded")
    assert hello["build"] == runner.build_id
    assert hello["llama"] == llama_version()
    assert hello["features"] == [name.lower() for name in llama_library.cpu_features()]
    with llama_cpp.load(demo("Q4_K_M"), context=512, threads=2) as session:
        facts = session.facts()
        assert (loaded["backend"], loaded["gpu_layers"]) == (facts.backend, facts.gpu_layers)
        assert (loaded["context"], loaded["vocab"], loaded["threads"]) == (session.context, session.vocab_size, 2)
    size = demo("Q4_K_M").stat().st_size
    assert 0.9 * size < loaded["model_bytes"] < size
    assert sum(loaded["buffers"].values()) >= 0.9 * loaded["model_bytes"]


def test_without_lengths_and_depths_nothing_is_timed(runner: Runner, demo: Callable[[str], Path]) -> None:
    spoken = runner("bench", "--model", demo("Q8_0"), "--context", 256, "--threads", 1, "--prompts", "")
    assert [event["event"] for event in spoken.events if event["event"] != "memory"] == [
        "hello",
        "loaded",
        "prompt",
        "end",
    ]


def test_top_ups_that_would_take_too_long_are_left_out(runner: Runner, demo: Callable[[str], Path]) -> None:
    spoken = runner(
        *("bench", "--model", demo("Q8_0"), "--context", 256, "--threads", 1, "--prompts", "8", "--repetitions", 1),
        *("--first-repetitions", 1000, "--first-within-s", 0.001),
    )
    assert len(spoken.all("prefill")) == 1


def test_no_mmap_moves_the_weights_from_file_pages_to_anonymous_ones(runner: Runner, wordless: Path) -> None:
    def last_memory(*flags: str) -> Event:
        spoken = runner(
            "bench", "--model", wordless, "--context", 256, "--threads", 1, "--depths", 0, "--decode", 2, *flags
        )
        assert spoken.one("loaded")["mapped"] is ("--no-mmap" not in flags)
        return spoken.all("memory")[-1]

    mapped, read = last_memory(), last_memory("--no-mmap")
    weights = wordless.stat().st_size
    assert mapped["file"] - read["file"] > 0.9 * weights
    assert read["anon"] - mapped["anon"] > 0.9 * weights


def test_samples_hold_the_text_of_each_file(runner: Runner, demo: Callable[[str], Path], tmp_path: Path) -> None:
    contents = {"plain": b" 41234\n", "long": b"7" * 100, "odd": b'a"\\\x01\xff\xc3\xa9', "empty": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [argument for name in [*contents, "none", "."] for argument in ("--sample", tmp_path / name)]
    spoken = runner("bench", "--model", demo("Q8_0"), "--context", 256, "--threads", 1, "--idle-s", 0.3, *paths)
    samples = spoken.all("sample")
    assert all(event["v"] == ["41234", "7" * 64, 'a"\\\x01\ufffdé', "", None, None] for event in samples)
    idle = spoken.one("idle")
    at = [event["t"] for event in samples if idle["from"] <= event["t"] <= idle["to"]]
    assert 2 <= len(at) <= (idle["to"] - idle["from"]) / 0.05 + 1  # every 50 ms, or later on a busy machine


def test_a_file_replaced_under_its_name_is_read_anew(
    runner: Runner, demo: Callable[[str], Path], tmp_path: Path
) -> None:
    sensor = tmp_path / "sensor"
    sensor.write_text("1000\n")
    arguments = ("--context", 256, "--threads", 1, "--sustain-s", 30, "--sample", sensor, "--sample-ms", 20)
    with runner.start("bench", "--model", demo("Q8_0"), *arguments) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b'"v":["1000"]' in line:
                (tmp_path / "new").write_text("3000\n")
                (tmp_path / "new").rename(sensor)
            if b'"v":["3000"]' in line:
                break
        else:
            pytest.fail("the new text never came")
        process.kill()


def test_cold_and_warm_loads(runner: Runner, demo: Callable[[str], Path]) -> None:
    spoken = runner("loads", "--model", demo("Q8_0"), "--context", 256, "--threads", 1, "--count", 2)
    loads = [(event["cold"], event["stayed"] is None) for event in spoken.all("load")]
    if not spoken.all("note"):  # a file system that forgets nothing (tmpfs) is said by the share that stayed
        assert loads[:2] == [(True, False)] * 2
        assert all(0 <= event["stayed"] <= 1 for event in spoken.all("load")[:2])
    assert loads[-2:] == [(False, True)] * 2
    assert all(event["ms"] > 0 for event in spoken.all("load"))
    assert spoken.events[-1]["event"] == "end"


def test_bandwidth_is_the_median_of_its_runs(runner: Runner) -> None:
    event = runner("bandwidth", "--threads", 2, "--megabytes", 32).one("bandwidth")
    assert event["threads"] == 2
    assert event["bytes_s"] == sorted(event["runs"])[len(event["runs"]) // 2]
    assert event["bytes_s"] > 1e8
