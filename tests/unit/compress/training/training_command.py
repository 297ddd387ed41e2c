"""A command that trains, as torchrun starts it on every worker: WORKDIR, then an order for each time it is begun."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgeshrink.compress.training.follow import follow
from edgeshrink.compress.training.launch import dismiss_followers, is_follower, train
from edgeshrink.compress.training.order import order_of
from edgeshrink.compress.training.torchrun import place


def main() -> int:
    if is_follower():
        return follow()
    workdir, *orders = map(Path, sys.argv[1:])
    train(order_of(json.loads(orders[place().restart].read_text(encoding="utf-8"))), workdir)
    dismiss_followers()
    return 0


if __name__ == "__main__":
    sys.exit(main())
