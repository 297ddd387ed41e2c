from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes.child import run_job

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def jobs_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def test_a_result_and_its_events_come_back_from_another_process() -> None:
    events: list[dict[str, Any]] = []
    result = run_job("child_jobs:add", {"a": 1, "b": 2}, on_event=events.append)
    assert result["sum"] == 3
    assert result["pid"] != os.getpid()
    assert events == [{"step": 1}, {"step": 2, "text": "äöü 世界\n"}]


def test_a_crash_is_an_error_with_the_last_words() -> None:
    with pytest.raises(RuntimeFailed, match="child_jobs:abort") as caught:
        run_job("child_jobs:abort", {})
    if sys.platform != "win32":
        assert "SIGABRT" in caught.value.message
    assert "the last words" in caught.value.hint


def test_native_code_that_crashes_is_an_error(tiny_gguf: Path) -> None:
    with pytest.raises(RuntimeFailed, match=r"load_broken (died of|crashed)") as caught:
        run_job("child_jobs:load_broken", {"path": str(tiny_gguf)})
    assert "sched_reserve" in caught.value.hint, "what the library logged before is quoted"


def test_an_early_exit_says_its_code() -> None:
    with pytest.raises(RuntimeFailed, match="exited with code 7"):
        run_job("child_jobs:leave", {})


def test_an_edgeshrink_error_keeps_its_kind_and_hint() -> None:
    with pytest.raises(DataError, match="key x is wrong") as caught:
        run_job("child_jobs:refuse", {})
    assert caught.value.hint == "make it right"


def test_any_other_exception_is_named_with_its_place() -> None:
    with pytest.raises(RuntimeFailed, match="ZeroDivisionError") as caught:
        run_job("child_jobs:stumble", {})
    assert "child_jobs.py" in caught.value.hint


@pytest.mark.parametrize("job", ["child_jobs:nothing_of_that_name", "no_such_module:at_all"])
def test_an_unknown_job_is_an_error(job: str) -> None:
    with pytest.raises(RuntimeFailed, match=job):
        run_job(job, {})


def test_a_result_that_is_no_json_is_an_error() -> None:
    with pytest.raises(RuntimeFailed, match="not JSON serializable"):
        run_job("child_jobs:unserializable", {})


def test_chatter_on_stdout_cannot_forge_or_block_the_result() -> None:
    assert run_job("child_jobs:chatter", {}) == {"honest": True}


def test_all_that_a_child_prints_is_in_its_log_before_the_result_is_here(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "job.log"
    assert run_job("child_jobs:chatter", {}, log=log) == {"honest": True}
    said = log.read_bytes()
    assert b"forged" in said
    assert said.count(b"garbage without an end of line \xff") == 300 * 40
    assert said.count(b"more garbage\n") == 300 * 40


def test_a_log_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("before\n", encoding="utf-8")
    run_job("child_jobs:native_words", {"words": "one"}, log=log)
    run_job("child_jobs:native_words", {"words": "two"}, log=log)
    assert log.read_text(encoding="utf-8") == "before\none\ntwo\n"


def test_a_crash_names_its_log(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    with pytest.raises(RuntimeFailed) as caught:
        run_job("child_jobs:abort", {}, log=log)
    assert "the last words" in caught.value.hint and str(log) in caught.value.hint
    assert "the last words\n" in log.read_text(encoding="utf-8")


def test_the_whole_traceback_of_an_exception_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    with pytest.raises(RuntimeFailed) as caught:
        run_job("child_jobs:stumble", {}, log=log)
    assert str(log) in caught.value.hint
    assert log.read_text(encoding="utf-8").startswith("Traceback")


def test_a_refusal_is_quoted_without_a_log(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        run_job("child_jobs:refuse", {}, log=tmp_path / "job.log")
    assert caught.value.hint == "make it right"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_on_a_full_disk_stops_nothing() -> None:
    assert run_job("child_jobs:chatter", {}, log=Path("/dev/full")) == {"honest": True}


def test_a_job_that_takes_too_long_is_stopped() -> None:
    pids: list[int] = []
    with pytest.raises(RuntimeFailed, match="did not finish"):
        run_job("child_jobs:sleep", {}, timeout_s=1.5, on_event=lambda event: pids.append(int(str(event["pid"]))))
    assert pids
    assert gone(pids[0])


def test_a_listener_that_fails_stops_the_child() -> None:
    pids: list[int] = []

    def fail(event: dict[str, object]) -> None:
        pids.append(int(str(event["pid"])))
        raise ValueError("the listener failed")

    with pytest.raises(ValueError, match="the listener failed"):
        run_job("child_jobs:sleep", {}, on_event=fail)
    assert gone(pids[0])


PARENT = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
from edgeshrink.runtimes.child import run_job
try:
    run_job("child_jobs:sleep", {{}}, on_event=lambda event: print(event["pid"], flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture
def parent(repository: Path) -> Any:
    code = PARENT.format(root=str(repository), here=str(HERE))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to one process on Windows")
def test_ctrl_c_in_the_parent_leaves_no_child(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.send_signal(signal.SIGINT)
    assert parent.stdout.readline().strip() == "interrupted"
    assert gone(child)


def test_a_killed_parent_takes_the_child_with_it(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    assert gone(child)


def gone(pid: int) -> bool:
    """Whether the process ends within a while; a zombie that init has not collected yet counts as ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
