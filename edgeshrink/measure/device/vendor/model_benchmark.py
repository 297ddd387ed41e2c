"""onnxruntime-genai's `model_benchmark`: a language model in the folder that genai_config.json describes.

Source: benchmark/c of onnxruntime-genai (main.cpp, options.cpp). "Prompt processing (time to first token)" is prefill
alone: the first token's choice is what it calls "Token sampling". Threads are those of genai_config.json.
"""

from __future__ import annotations

import re

from edgeshrink.measure.device.vendor.interface import Spread, Told, Work
from edgeshrink.measure.device.vendor.text import NUMBER, last, missing

_SHAPE = r"^\s*Batch size: 1, prompt tokens: ([0-9]{1,7}), tokens to generate: [0-9]{1,7}\s*$"
_PREFILL, _DECODE = "Prompt processing (time to first token):", "Token generation:"


class ModelBenchmark:
    name = "model_benchmark"
    format = "onnx"
    network = False
    repeats = True
    loading = ""
    first = "prefill of the prompt, without choosing the first token"
    inputs = ""

    def recognises(self, name: str, help: str) -> bool:
        return "model_benchmark" in name or "compatible with onnxruntime-genai" in help

    def argv(self, work: Work) -> tuple[str, ...]:
        sizes = ("-l", str(work.prompt_tokens), "-g", str(work.decode_tokens))
        return (work.program, "-i", work.model, *sizes, "-r", str(work.repetitions), "-w", "1")

    def parse(self, said: str) -> Told:
        tokens = last(_SHAPE, said)
        prefill, decode = _part(_PREFILL, said), _part(_DECODE, said)
        first, speed = _row("p50 (us):", prefill), _row("avg (tokens/s):", decode)
        if not tokens or first is None or not speed:
            raise missing(self.name, "its statistics (Prompt processing, Token generation)", said)
        step, prompts, steps = _row("p50 (us):", decode), _row("n:", prefill), _row("n:", decode)
        peak = last(rf"^\s*Peak working set size(?: \(bytes\))?: {NUMBER}\b", said)
        return Told(
            prompt_tokens=int(tokens),
            ttft=Spread((), int(prompts or 0), first / 1e3),
            step=Spread((), int(steps or 0), None if step is None else step / 1e3),
            decode_tok_s=(speed,),
            decode_tokens=int(steps or 0),
            peak_rss_bytes=None if peak is None else int(peak),
            remarks=("threads are those that genai_config.json names",),
        )


def _part(title: str, said: str) -> str:
    """What is indented below the last line that is `title`."""
    found = re.findall(rf"^\s*{re.escape(title)}\s*\n((?:[ \t]+[a-z0-9][^\n]*\n?)+)", said, re.MULTILINE)
    return str(found[-1]) if found else ""


def _row(label: str, part: str) -> float | None:
    return last(rf"^\s*{re.escape(label)}\s+{NUMBER}\b", part)
