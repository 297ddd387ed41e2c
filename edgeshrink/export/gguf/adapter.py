"""A GGUF adapter: the low-rank updates alone, as llama.cpp loads them beside their base.

Keys and names: llama.cpp's src/llama-adapter.cpp (general.type, adapter.type, adapter.lora.alpha,
general.architecture; blk.0.attn_q.weight.lora_a). Written by the writer of models: streamed, whole or not at all.
"""

from __future__ import annotations

from pathlib import Path

from edgeshrink.catalog.adapters import BASE, BASE_NAME, GGUF_LICENSE, SCHEME
from edgeshrink.core.adapter import Adapter
from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.adapters import adapter_plan
from edgeshrink.planning.gguf_size import gguf_file_bytes


def write_gguf_adapter(
    path: Path,
    facts: ModelFacts,
    adapter: Adapter,
    *,
    type: str = "F16",
    threads: int = 1,
    listener: Listener = silent,
) -> None:
    """Write `adapter` of the base `facts` to `path`, its numbers of `type` (F16 or F32).

    DataError where it does not fit the base, StepFailed where a number is not finite or too large for the type.
    """
    plan = adapter_plan(facts, adapter, type)
    source = {part.name: part for update in adapter.updates for part in (update.a, update.b)}
    header = adapter_metadata(facts, adapter)
    write_gguf(path, header, plan, source, importance=None, threads=threads, listener=listener)


def gguf_adapter_bytes(facts: ModelFacts, adapter: Adapter, type: str = "F16") -> int:
    """Bytes of the file before it is written."""
    return gguf_file_bytes(adapter_metadata(facts, adapter), adapter_plan(facts, adapter, type))


def adapter_metadata(facts: ModelFacts, adapter: Adapter) -> tuple[KeyValue, ...]:
    """The header. llama.cpp multiplies every update with alpha over its rank."""
    told = {
        GGUF_LICENSE: adapter.license,
        BASE: adapter.base,
        BASE_NAME: adapter.base_name,
        SCHEME: adapter.scheme,
    }
    return (
        KeyValue("general.architecture", "string", ARCHITECTURES[facts.model_type].gguf_name),
        KeyValue("general.type", "string", "adapter"),
        KeyValue("adapter.type", "string", "lora"),
        KeyValue("adapter.lora.alpha", "float32", adapter.alpha),
        KeyValue("general.name", "string", adapter.name),
        *(KeyValue(key, "string", value) for key, value in told.items() if value),
    )
