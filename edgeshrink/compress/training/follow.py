"""The other workers' processes under torchrun, which starts the same command on each worker: the first one's is the
command, and these wait for its calls and take part in them. Imports torch when called."""

from __future__ import annotations

import logging
import signal
import threading
import warnings

from edgeshrink.compress.training import calls
from edgeshrink.compress.training.torchrun import place as this_place
from edgeshrink.errors import Error, UsageError
from edgeshrink.runtimes.quiet import keep_quiet

_TERMINATED = 128 + signal.SIGTERM


def follow() -> int:
    """Take part in all jobs of the first worker, until it sends this one home: the exit code.

    A job that fails for a reason of its own fails on the first worker too, which tells of it. Where the first worker is
    lost, what torch raises ends this process; torchrun ends them all.
    """
    here = this_place()
    if here.rank == 0:
        raise UsageError("the first worker has nobody to follow", hint="start the workers with torchrun")
    ended = threading.Event()
    # Ctrl-C reaches the whole group, and torchrun passes SIGTERM on to all: a step that runs is brought to its end by
    # all together, since its state is theirs; only then does this one leave.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    keep_quiet()
    logging.disable(logging.WARNING)  # what libraries have to say, the first worker hears as well
    warnings.simplefilter("ignore")
    from edgeshrink.compress.training.agent_store import open_store
    from edgeshrink.compress.training.distributed import join
    from edgeshrink.compress.training.taking_part import call_of, take_part

    store = open_store(here)
    turn = 1
    while (call := calls.wait(store, here, turn, over=ended.is_set)) is not None:
        world = join(here, turn, store)
        try:
            take_part(call_of(call), world, _untold)
        except Error:
            pass
        finally:
            world.leave()
        turn += 1
    return _TERMINATED if ended.is_set() else 0


def _untold(_: dict[str, object]) -> None:
    """The first worker tells how it goes."""
