"""Two workers of one machine under torchrun, over gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from training_ground import Ground

from edgeshrink.compress.training.order import order_json
from edgeshrink.compress.training.record import read_record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs a POSIX system")
_COMMAND = Path(__file__).with_name("training_command.py")
_TIMEOUT_S = 300


def test_two_workers_learn_as_one_and_a_lost_one_is_made_good(
    ground: Ground, train_here: Callable[..., None], tmp_path: Path
) -> None:
    """DDP until one worker is lost in step 8; torchrun begins anew, and FSDP2 goes on from DDP's checkpoint."""
    train_here(ground.order(), tmp_path / "one")
    orders = (ground.order(accidents={"kill_at": 7, "rank": 1}), ground.order(parallel="fsdp"))
    files = [tmp_path / f"{number}.json" for number in range(len(orders))]
    for file, order in zip(files, orders, strict=True):
        file.write_text(json.dumps(order_json(order)), encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]

    ended = subprocess.run(
        [sys.executable, *launcher, _COMMAND, tmp_path / "two", *files],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )

    assert ended.returncode == 0, ended.stderr
    one, two = (read_record(tmp_path / name / "state") for name in ("one", "two"))
    assert (one.workers, two.workers, one.resumed, two.resumed) == (1, 2, 0, 1)
    assert two.tokens == one.tokens
    assert [point.loss for point in two.points] == pytest.approx([point.loss for point in one.points], rel=1e-5)
    assert [look.cross_entropy for look in two.held_out] == pytest.approx(
        [look.cross_entropy for look in one.held_out], rel=1e-5
    )
