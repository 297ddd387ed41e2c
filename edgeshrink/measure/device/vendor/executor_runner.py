"""ExecuTorch's `executor_runner`: any .pte, its inputs filled with ones at the size they were exported for.

Source: examples/portable/executor_runner/executor_runner.cpp. Newer builds print the time of every run and of
loading; all of them print the sum.
"""

from __future__ import annotations

import re

from edgeshrink.measure.device.vendor.interface import Spread, Told, Work
from edgeshrink.measure.device.vendor.text import NUMBER, last, missing, number

_RUN = re.compile(rf"Iteration ([0-9]{{1,7}}) of ([0-9]{{1,7}}): {NUMBER} ms$", re.MULTILINE)
_SUM = re.compile(rf"Model executed successfully ([0-9]{{1,7}}) time\(s\) in {NUMBER} ms\.", re.MULTILINE)
_SOME = "executor_runner"


class ExecutorRunner:
    name = _SOME
    format = "executorch"
    network = True
    repeats = True
    loading = "program and method loaded, as executor_runner times it, once; the file was just copied or read"
    first = ""
    inputs = "every input as large as exported, filled with ones"

    def recognises(self, name: str, help: str) -> bool:
        return _SOME in name or "executor_runner.cpp" in help

    def argv(self, work: Work) -> tuple[str, ...]:
        words = [work.program, f"--model_path={work.model}", f"--num_executions={work.repetitions}"]
        words += [f"--cpu_threads={work.threads}"] if work.has("cpu_threads") else []
        words += ["--print_output=none"] if work.has("print_output") else []
        return tuple(words)

    def parse(self, said: str) -> Told:
        sums = _SUM.findall(said)
        if not sums:
            raise missing(self.name, "how long its runs took (Model executed successfully N time(s) in X ms)", said)
        count, total = int(sums[-1][0]), number(sums[-1][1])
        if not count or total is None:
            raise missing(self.name, "figures that can be true", said)
        times = [number(text) for _, of, text in _RUN.findall(said) if int(of) == count]
        samples = tuple(time for time in times if time is not None)
        each = len(samples) == count
        return Told(
            load_ms=last(rf"Model loaded in {NUMBER} ms\.", said),
            runs=Spread(samples) if each else Spread(n=count),
            remarks=() if each else (f"{self.name} of this build says only the mean: {total / count:.3f} ms a run",),
        )
