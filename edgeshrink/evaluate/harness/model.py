"""A session as the harness sees a language model. Runs in the child: imports lm_eval.

Tokens are cut and scored as its own HFLM does (TemplateLM), so figures compare: the whole text is tokenized, control
tokens in it count, a text that begins with BOS gets no second one, what is too long loses its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from edgeshrink.core.importance import Floats
from edgeshrink.errors import DataError
from edgeshrink.runtimes.generate import generate
from edgeshrink.runtimes.interface import Session

_DEFAULT_TOKENS = 256  # as HFLM's
_TOKEN_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
TokenRequest = tuple[Any, list[int], list[int]]


class SessionModel(TemplateLM):
    """In at most `context` positions, whatever the session's cache could hold. `tell` hears of every request done."""

    def __init__(self, session: Session, context: int, tell: Callable[[], None]) -> None:
        super().__init__()
        self._session = session
        self._context = min(context, session.context)
        self._tell = tell
        bos = session.bos_id
        self._bos_text = "" if bos is None else session.detokenize([bos]).decode("utf-8", "replace")

    @property
    def eot_token_id(self) -> int:
        eos = self._session.eos_id
        if eos is None:
            raise DataError("the file names no token that ends a text, which the harness begins texts with")
        return eos

    @property
    def prefix_token_id(self) -> int:
        bos = self._session.bos_id
        return self.eot_token_id if bos is None else bos

    @property
    def max_length(self) -> int:
        return self._context

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_unused: Any) -> list[int]:
        begun = bool(self._bos_text) and string.startswith(self._bos_text)
        special = (not begun) if add_special_tokens is None else add_special_tokens
        return self._session.tokenize(string, add_special=special, parse_special=True)

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        return [self._rolling(str(request.args[0])) for request in requests]

    def _rolling(self, text: str) -> float:
        windows = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        total = sum(self._scores([(None, *make_disjoint_window(pair))])[0][0] for pair in windows)
        self._tell()
        return float(total)

    def _loglikelihood_tokens(self, requests: Sequence[TokenRequest], **_unused: Any) -> list[tuple[float, bool]]:
        """Requests that differ in their last token alone (the letters of a choice) are read once."""
        found: dict[int, tuple[float, bool]] = {}
        order = sorted(range(len(requests)), key=lambda index: _read(requests[index]))
        for _, indices in groupby(order, key=lambda index: _read(requests[index])):
            same = list(indices)
            for index, score in zip(same, self._scores([requests[one] for one in same]), strict=True):
                found[index] = score
                self._tell()
        return [found[index] for index in range(len(requests))]

    def _scores(self, requests: Sequence[TokenRequest]) -> list[tuple[float, bool]]:
        """Of continuations behind one and the same reading: log-probability in nats, and whether it is what greedy
        decoding would say."""
        read = list(_read(requests[0]))[-self.max_length :]
        totals, greedy = [0.0] * len(requests), [True] * len(requests)
        for position, row in self._rows(read):
            likely = int(row.argmax())
            log_sum = _log_sum(row)
            for index, (_, _, continuation) in enumerate(requests):
                place = position - (len(read) - len(continuation))
                if place >= 0:
                    totals[index] += float(row[continuation[place]]) - log_sum
                    greedy[index] &= likely == continuation[place]
        return list(zip(totals, greedy, strict=True))

    def _rows(self, ids: Sequence[int]) -> Iterator[tuple[int, Floats]]:
        position = 0
        for batch in self._session.iter_logits(ids):
            for row in batch:
                yield position, row
                position += 1

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        return [self._generated(*request.args) for request in requests]

    def _generated(self, context: str, asked: Mapping[str, Any]) -> str:
        """An answer is cut at the first of its stop texts. It may take half of the context at most, and a prompt that
        leaves no room for it loses its beginning."""
        session = self._session
        most = next((int(asked[name]) for name in _TOKEN_LIMITS if asked.get(name) is not None), _DEFAULT_TOKENS)
        most = min(most, self._context // 2)
        until = asked.get("until") or []
        stops = [stop for stop in ([until] if isinstance(until, str) else until) if stop]
        warm = bool(asked.get("do_sample", float(asked.get("temperature") or 0.0) > 0))
        tokens = generate(
            session,
            self.tok_encode(context)[-(self._context - most) :],
            max_tokens=most,
            stop_ids=session.stop_ids,
            temperature=float(asked.get("temperature") or 1.0) if warm else 0.0,
            top_p=float(asked.get("top_p") or 1.0),
            seed=0,
        )
        said: list[int] = []
        text = ""
        for token in tokens:
            said.append(token)
            text = session.detokenize(said, special=False).decode("utf-8", "replace")
            if any(stop in text for stop in stops):
                break
        for stop in stops:
            text = text.split(stop)[0]
        self._tell()
        return text


def _read(request: TokenRequest) -> tuple[int, ...]:
    """What is read: all but the last token, after which nothing is asked."""
    _, context, continuation = request
    return (*context, *continuation[:-1])


def _log_sum(row: Floats) -> float:
    top = float(row.max())
    return top + float(np.log(np.exp(row.astype(np.float64) - top).sum()))
