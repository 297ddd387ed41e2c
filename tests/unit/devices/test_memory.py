"""Memory limits, as control groups of both versions show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from edgeshrink.devices import memory

Plant = Callable[[Mapping[str, str]], Path]
GIB = 2**30
V1_UNLIMITED = "9223372036854771712\n"


def test_no_control_group_is_no_limit(plant: Plant) -> None:
    root = plant({})
    assert memory.container_limit(root) is None
    assert memory.app_ram(root).nbytes == psutil.virtual_memory().total * 4 // 5


def test_version_2_in_a_container_of_its_own(plant: Plant) -> None:
    root = plant({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{GIB}\n"})
    limit = memory.container_limit(root)
    assert limit is not None and limit.nbytes == GIB
    assert memory.app_ram(root).nbytes == GIB
    assert memory.app_ram(root).source.endswith("sys/fs/cgroup/memory.max")


def test_version_2_counts_every_group_around_the_process(plant: Plant) -> None:
    root = plant(
        {
            "proc/self/cgroup": "0::/user.slice/app.scope\n",
            "sys/fs/cgroup/user.slice/memory.max": f"{2 * GIB}\n",
            "sys/fs/cgroup/user.slice/app.scope/memory.max": "max\n",
        }
    )
    limit = memory.container_limit(root)
    assert limit is not None and limit.nbytes == 2 * GIB


def test_version_1(plant: Plant) -> None:
    groups = "5:devices:/\n4:memory:/docker/abc\n3:cpuset:/\n0::/\n"
    top = "sys/fs/cgroup/memory"
    root = plant({"proc/self/cgroup": groups, f"{top}/memory.limit_in_bytes": V1_UNLIMITED})
    assert memory.container_limit(root) is None
    root = plant({f"{top}/docker/abc/memory.limit_in_bytes": f"{3 * GIB}\n"})
    limit = memory.container_limit(root)
    assert limit is not None and limit.nbytes == 3 * GIB


def test_a_path_that_climbs_out_is_not_followed(plant: Plant) -> None:
    root = plant({"proc/self/cgroup": "0::/../../../etc\n", "etc/memory.max": f"{GIB}\n"})
    assert memory.container_limit(root) is None


@pytest.mark.parametrize("text", ["", "rubbish", "a:b", "::::\n"])
def test_a_strange_cgroup_file_is_no_limit(plant: Plant, text: str) -> None:
    assert memory.container_limit(plant({"proc/self/cgroup": text})) is None


def test_what_a_limited_group_has_left(plant: Plant) -> None:
    """File cache that it may drop is not taken."""
    root = plant(
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "1000000\n",
            "sys/fs/cgroup/memory.current": "700000\n",
            "sys/fs/cgroup/memory.stat": "anon 300000\ninactive_file 400000\n",
        }
    )
    assert memory.available_ram(root) == 700000


def test_an_overfull_group_has_nothing_left(plant: Plant) -> None:
    root = plant(
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "1000\n",
            "sys/fs/cgroup/memory.current": "5000\n",
        }
    )
    assert memory.available_ram(root) == 0
