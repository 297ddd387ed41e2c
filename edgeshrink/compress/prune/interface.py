"""What a method of pruning is, and all of them by name. Imports no torch.

A method that looks at activations is an `Observer`: it hangs hooks on a model for as long as text runs through it, and
gives its scores as arrays by name. A mask of `unstructured` is a function of weights. One algorithm a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self

from numpy.typing import NDArray

from edgeshrink.errors import UsageError

Axis = Literal["depth", "ffn", "heads", "hidden", "zeros"]
DepthMethod = Literal["block-influence", "measured-kl"]


@dataclass(frozen=True, slots=True)
class Method:
    """`observer`: "module:class" for what one pass over the text tells; "" where it takes passes of its own or none."""

    name: str
    axis: Axis
    words: str
    paper: str
    observer: str = ""

    @property
    def structured(self) -> bool:
        """True where weights leave the model; False where they turn into zeros, no faster in any runtime here."""
        return self.axis != "zeros"


class Observer(Protocol):
    """Hooks on a transformers model while text runs through it; gone when the block ends, whatever happened."""

    def __init__(self, model: Any) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """What was seen, by the names of `Scores`."""


_ROOM = "edgeshrink.compress.prune"
_TABLE = (
    Method(
        "block-influence",
        "depth",
        "layers that turn the hidden state least go first",
        "Men et al. 2024 (ShortGPT), arXiv:2403.03853",
        f"{_ROOM}.block_influence:BlockInfluence",
    ),
    Method(
        "measured-kl",
        "depth",
        "the layer whose absence changes the predictions least goes, then the next",
        "Song et al. 2024 (SLEB), arXiv:2402.09025, by KL in place of perplexity",
    ),
    Method(
        "ffn",
        "ffn",
        "feed-forward channels that add least to the hidden state",
        "Muralidharan et al. 2024 (Minitron), arXiv:2407.14679",
        f"{_ROOM}.ffn_importance:FfnImportance",
    ),
    Method(
        "heads",
        "heads",
        "key-value groups whose heads add least to the hidden state",
        "Muralidharan et al. 2024 (Minitron), arXiv:2407.14679; groups whole: Ainslie et al. 2023 (GQA)",
        f"{_ROOM}.head_importance:HeadImportance",
    ),
    Method(
        "hidden",
        "hidden",
        "hidden channels that are read least",
        "Muralidharan et al. 2024 (Minitron), arXiv:2407.14679",
        f"{_ROOM}.hidden_importance:HiddenImportance",
    ),
    Method("magnitude", "zeros", "the smallest weights of a matrix become 0", "Han et al. 2015, arXiv:1506.02626"),
    Method(
        "wanda",
        "zeros",
        "the smallest products of weight and input of a row become 0",
        "Sun et al. 2023 (Wanda), arXiv:2306.11695",
        f"{_ROOM}.input_norms:InputNorms",
    ),
    Method(
        "2:4",
        "zeros",
        "of every four weights in a row two become 0",
        "Mishra et al. 2021, arXiv:2104.08378; with Wanda's products where inputs were seen",
        f"{_ROOM}.input_norms:InputNorms",
    ),
)

METHODS: Final[dict[str, Method]] = {row.name: row for row in _TABLE}
STRUCTURED: Final = tuple(row.name for row in _TABLE if row.structured)
UNSTRUCTURED: Final = tuple(row.name for row in _TABLE if not row.structured)


def method(name: str) -> Method:
    """The row of `name`. UsageError where there is none."""
    found = METHODS.get(name)
    if found is None:
        raise UsageError(f"no pruning method is called {name!r}", hint=f"known: {', '.join(METHODS)}")
    return found


def observers(names: Sequence[str]) -> tuple[str, ...]:
    """ "module:class" of each observer that `names` need, once each."""
    return tuple(dict.fromkeys(METHODS[name].observer for name in names if METHODS[name].observer))
