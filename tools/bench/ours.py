"""One conversion by edgeshrink's own rooms, as a build runs them: python ours.py MODEL OUT SCHEME THREADS."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.events import silent
from edgeshrink.export.gguf.pretokenizer import prove_pretokenizer
from edgeshrink.export.gguf.vocabulary import vocabulary_metadata
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.planning.layout import check_source, layout
from edgeshrink.planning.presets import preset_types, scheme


def convert(model: str, out: Path, name: str, threads: int) -> None:
    started = time.perf_counter()
    facts = inspect_model(model, offline=True)
    tensors = preset_types(name, layout(facts), facts, has_imatrix=False)
    check_source(facts, tensors)
    vocabulary = read_vocabulary(facts)
    proof = prove_pretokenizer(facts, vocabulary)
    proven, spent = time.perf_counter(), time.process_time()
    metadata = model_metadata(facts, file_type=scheme(name).file_type, name="bench")
    metadata += vocabulary_metadata(vocabulary, proof.pre)
    source = {tensor.name: tensor for tensor in facts.tensors}
    write_gguf(out, metadata, tensors, source, importance=None, threads=threads, listener=silent)
    written = {"write_wall_s": time.perf_counter() - proven, "write_cpu_s": time.process_time() - spent}
    print(json.dumps({"prepare_s": proven - started, **written}))


if __name__ == "__main__":
    convert(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
