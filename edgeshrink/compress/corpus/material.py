"""What every corpus is made of, whatever its rows are; and the child process that makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgeshrink.catalog.overlap import Items
from edgeshrink.catalog.texts import Text
from edgeshrink.compress.corpus.apart import scratch_of
from edgeshrink.compress.corpus.corpus import Corpus
from edgeshrink.core.events import Listener
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.progress import forward


@dataclass(frozen=True)
class Material:
    """Files and folders, to be read in the tokens of the model in the folder `tokenizer`.

    A share `held_out` is kept from training, drawn by `seed`. What stands in `kept_apart` or `kept_items`, which a
    suite asks, may not stand in the files.
    """

    paths: tuple[Path, ...]
    tokenizer: Path
    held_out: float = 0.01
    seed: int = 0
    kept_apart: tuple[Text, ...] = field(default=(), repr=False)
    kept_items: tuple[Items, ...] = field(default=(), repr=False)


def make_corpus(
    job: str, material: Material, folder: Path, parameters: dict[str, object], *, title: str, listener: Listener
) -> Corpus:
    """What `job` makes of `material` in `folder`, with `parameters` of its own: the chat template lives in a child."""
    with scratch_of(folder, material.kept_apart, material.kept_items) as scratch:
        common: dict[str, object] = {
            "paths": [str(path.resolve()) for path in material.paths],
            "tokenizer_folder": str(material.tokenizer.resolve()),
            "folder": str(folder.resolve()),
            "scratch": str(scratch.resolve()),
            "held_out": material.held_out,
            "seed": material.seed,
        }
        run_job(job, common | parameters, on_event=forward(listener, title))
    return Corpus.open(folder)
