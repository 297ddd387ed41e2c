"""Where a loss comes from: groups of tensors are put back to the reference's precision, one group at a time.

Nothing is assumed but that shares roughly add up. So groups whose weights are furthest off are tried first, and no more
are tried once all that is left could not give back more than the best one did.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeshrink.catalog.gguf_header import MAGIC, read_gguf_header
from edgeshrink.core.attribution import ALL_TENSORS, Attribution, Source
from edgeshrink.core.behaviour import Behaviour, Slice
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.evaluate.attribution import Group, by_kind, by_layer, returned, single, spans
from edgeshrink.evaluate.weight_errors import weight_errors
from edgeshrink.export.gguf.graft import graft

Run = Callable[[Path, frozenset[str]], Behaviour]
MOST_RUNS = 24
_SPANS = 6
_IN_THE_WEIGHTS = 0.5
"""Share that all tensors together must give back, for it to be worth while to look further."""
_EXPLAINED = 0.9


def attribute(
    behaviour: Behaviour,
    run: Run,
    artifact: Path,
    reference: Path,
    folder: Path,
    *,
    slices: Collection[str] | None = None,
    most_runs: int = MOST_RUNS,
    listener: Listener = silent,
) -> tuple[Attribution, ...] | Unmeasured:
    """Of each of `slices` (None: `behaviour.moved`) whose first metric lost for certain, where the loss comes from.

    `run(file, names)` gives a Behaviour of `file` with these slices, on the items that `behaviour` was found with.
    `reference` is the unquantized GGUF. Files with tensors put back are made in `folder`, one at a time, and deleted.
    At most `most_runs`; a slice whose loss no weight explains takes one. Unmeasured where one of them is no GGUF.
    """
    if not (_is_gguf(artifact) and _is_gguf(reference)):
        return Unmeasured("tensors can be put back one by one in a GGUF alone, and from a GGUF")
    lost = [one for one in _asked(behaviour, slices) if _is_lost(one)]
    if not lost:
        return ()
    errors = weight_errors(artifact, reference, listener=listener)
    search = _Search(run, artifact, reference, folder, lost, errors, most_runs, listener)
    search.look()
    return tuple(search.attribution(one) for one in lost)


@dataclass
class _Search:
    """Not frozen: it keeps what was found, by slice and group of tensors."""

    run: Run
    artifact: Path
    reference: Path
    folder: Path
    lost: Sequence[Slice]
    errors: dict[str, float]
    most_runs: int
    listener: Listener
    runs: int = 0
    found: dict[tuple[str, tuple[str, ...]], Source] = field(default_factory=dict)

    def look(self) -> None:
        wrong = tuple(name for name, error in self.errors.items() if error > 0)
        everything = Group(ALL_TENSORS, wrong)
        self._put_back(everything, [one.name for one in self.lost])
        whole = {one.name: self._share(one.name, everything) for one in self.lost}
        whole = {name: share for name, share in whole.items() if share >= _IN_THE_WEIGHTS}
        layers = by_layer(wrong)
        best_span = self._narrow(whole, dict.fromkeys(whole, spans(layers, _SPANS)))
        best_layer = self._within(
            best_span, lambda span: [layer for layer in layers if set(layer.tensors) <= set(span.tensors)]
        )
        best_kind = self._narrow(whole, dict.fromkeys(whole, by_kind(wrong)))
        self._try_crossings(best_layer, best_kind)
        for best in (best_layer, best_kind):
            self._within(best, lambda group: single(group.tensors))

    def attribution(self, one: Slice) -> Attribution:
        metric = one.metrics[0]
        sources = [source for (name, _), source in self.found.items() if name == one.name]
        explained = any(_value(source.returned) >= _EXPLAINED for source in sources if source.group == ALL_TENSORS)
        if explained:
            sources = [source for source in sources if source.group != ALL_TENSORS]
        sources.sort(key=lambda source: (-_value(source.returned), source.extra_bytes, source.group))
        return Attribution(one.name, metric.name, metric.loss, tuple(sources))

    def _within(self, best: Mapping[str, Group], parts: Callable[[Group], Sequence[Group]]) -> dict[str, Group]:
        """The best part of each slice's best group."""
        whole = {name: self._share(name, group) for name, group in best.items()}
        return self._narrow(whole, {name: parts(group) for name, group in best.items()})

    def _narrow(self, whole: Mapping[str, float], parts: Mapping[str, Sequence[Group]]) -> dict[str, Group]:
        """Of each slice the group that gives most back, of groups that give back `whole` together."""
        left = {name: sorted(parts[name], key=lambda group: self._promise(name, group), reverse=True) for name in whole}
        tried: dict[str, list[tuple[float, Group]]] = {name: [] for name in whole}
        while group := next((groups[0] for groups in left.values() if groups), None):
            names = [name for name, groups in left.items() if group in groups]
            if not self._put_back(group, names):
                break
            for name in names:
                left[name].remove(group)
                tried[name].append((self._share(name, group), group))
                shares = [max(share, 0.0) for share, _ in tried[name]]
                if whole[name] - sum(shares) <= max(shares):
                    left[name].clear()
        return {name: max(pairs, key=lambda pair: pair[0])[1] for name, pairs in tried.items() if pairs}

    def _try_crossings(self, layers: dict[str, Group], kinds: dict[str, Group]) -> None:
        """The one tensor that is both in a slice's best layer and of its best kind."""
        for name in layers.keys() & kinds.keys():
            for group in single(tensor for tensor in layers[name].tensors if tensor in kinds[name].tensors):
                self._put_back(group, [name])

    def _put_back(self, group: Group, names: Iterable[str]) -> bool:
        """Find out what the group gives back in these slices; False where no more runs are allowed."""
        missing = [one for one in self.lost if one.name in set(names) and (one.name, group.tensors) not in self.found]
        if not missing:
            return True
        if not group.tensors:
            for one in missing:
                self.found[one.name, ()] = Source(
                    group.name, (), Measured(0.0, how="every weight is the reference's own"), "", 0
                )
            return True
        if self.runs >= self.most_runs:
            return False
        self.runs += 1
        self.listener(Progress(f"put back {group.name}", self.runs, self.most_runs, "runs"))
        file = self.folder / "grafted.gguf"
        try:
            graft(self.artifact, self.reference, group.tensors, file)
            extra = file.stat().st_size - self.artifact.stat().st_size
            behaviour = self.run(file, frozenset(one.name for one in missing))
        finally:
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
        for one in missing:
            share = returned(one.metrics[0].loss, _loss(behaviour, one))
            self.found[one.name, group.tensors] = Source(group.name, group.tensors, share, self._types(group), extra)
        return True

    def _share(self, name: str, group: Group) -> float:
        source = self.found.get((name, group.tensors))
        return 0.0 if source is None else max(_value(source.returned), 0.0)

    def _promise(self, name: str, group: Group) -> tuple[bool, float]:
        """What is known costs no run, and comes first; then what is furthest off."""
        return (name, group.tensors) in self.found, sum(self.errors[tensor] for tensor in group.tensors)

    def _types(self, group: Group) -> str:
        types = {tensor.name: tensor.dtype for tensor in read_gguf_header(self.reference).tensors}
        return ", ".join(sorted({types[name] for name in group.tensors}))


def _asked(behaviour: Behaviour, names: Collection[str] | None) -> tuple[Slice, ...]:
    return behaviour.moved if names is None else tuple(one for one in behaviour.slices if one.name in names)


def _is_lost(one: Slice) -> bool:
    loss = one.metrics[0].loss if one.metrics else None
    return isinstance(loss, Measured) and loss.value > 0 and (loss.low is None or loss.low > 0)


def _loss(behaviour: Behaviour, one: Slice) -> Reading:
    found = behaviour.slice(one.name)
    metric = None if found is None else found.metric(one.metrics[0].name)
    return Unmeasured(f"the run has no {one.name}") if metric is None else metric.loss


def _value(reading: Reading) -> float:
    return reading.value if isinstance(reading, Measured) else float("-inf")


def _is_gguf(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
