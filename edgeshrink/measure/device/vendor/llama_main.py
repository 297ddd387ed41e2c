"""ExecuTorch's `llama_main`: a language model in a .pte with its tokenizer; one prompt and one generation a process.

Flags: examples/models/llama/main.cpp; a build before 1.2 has no --prompt_file and no --ignore_eos. Its figures stand
in one line, written by extension/llm/runner/stats.h. Clock stamps are whole milliseconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from edgeshrink.measure.device.vendor.interface import Spread, Told, Work
from edgeshrink.measure.device.vendor.text import missing

_LINE = re.compile(r"PyTorchObserver (\{[^{}]{1,4000}\})")
_STAMPS = "its line of figures (PyTorchObserver)"


@dataclass(frozen=True, slots=True)
class _Stats:
    """Milliseconds since some start. `generated_tokens` are those of the decode loop: the first one is prefill's."""

    prompt_tokens: int
    generated_tokens: int
    model_load_start_ms: int
    model_load_end_ms: int
    inference_start_ms: int
    inference_end_ms: int
    prompt_eval_end_ms: int
    first_token_ms: int

    @property
    def is_sound(self) -> bool:
        stamps = (self.inference_start_ms, self.prompt_eval_end_ms, self.inference_end_ms)
        counts = (self.prompt_tokens, self.generated_tokens)
        return (
            0 <= stamps[0] <= stamps[1] <= stamps[2] < 1 << 53
            and self.inference_start_ms <= self.first_token_ms <= self.inference_end_ms
            and 0 <= self.model_load_start_ms <= self.model_load_end_ms
            and all(0 <= count < 1 << 24 for count in counts)
        )


class LlamaMain:
    name = "llama_main"
    format = "executorch"
    network = False
    repeats = False
    loading = "model loading as llama_main times it, a new process each; the file was just copied or read"
    first = "prompt text handed over to first id, tokenization in it, whole milliseconds"
    inputs = ""

    def recognises(self, name: str, help: str) -> bool:
        return "llama_main" in name or "examples/models/llama/main.cpp" in help

    def argv(self, work: Work) -> tuple[str, ...]:
        words = [work.program, f"--model_path={work.model}", f"--tokenizer_path={work.tokenizer}"]
        words += [f"--prompt_file={work.prompt_file}" if work.has("prompt_file") else f"--prompt={work.prompt}"]
        if work.has("max_new_tokens"):
            words += [f"--max_new_tokens={work.decode_tokens}"]
        else:
            words += [f"--seq_len={work.prompt_tokens + work.decode_tokens}"]
        words += [f"--cpu_threads={work.threads}", "--temperature=0"]
        words += ["--warmup=true"] if work.has("warmup") else []
        words += ["--ignore_eos=true"] if work.has("ignore_eos") else []
        return tuple(words)

    def parse(self, said: str) -> Told:
        lines = _LINE.findall(said)
        if not lines:
            raise missing(self.name, _STAMPS, said)
        try:
            stats = TypeAdapter(_Stats).validate_json(lines[-1], strict=True)
        except ValidationError:
            raise missing(self.name, _STAMPS, said) from None
        if not stats.is_sound:
            raise missing(self.name, "figures that can be true", said)
        decode_ms = stats.inference_end_ms - stats.prompt_eval_end_ms
        return Told(
            load_ms=float(stats.model_load_end_ms - stats.model_load_start_ms) or None,
            prompt_tokens=stats.prompt_tokens,
            ttft=Spread((float(stats.first_token_ms - stats.inference_start_ms),)),
            decode_tok_s=(1e3 * stats.generated_tokens / decode_ms,) if decode_ms and stats.generated_tokens else (),
            decode_tokens=stats.generated_tokens,
        )
