"""`python -m lab` (PYTHONPATH=tests): make the arm64 file trees now, so that no test has to; says why not, else."""

from __future__ import annotations

import sys
import time

from lab.android_root import android_root
from lab.dpkg_root import dpkg_root
from lab.linux_root import linux_root
from lab.unavailable import Unavailable


def main() -> int:
    for make in (linux_root, android_root, dpkg_root):
        start = time.monotonic()
        try:
            sys.stdout.write(f"{make()}  {time.monotonic() - start:.1f} s\n")
        except Unavailable as why:
            sys.stderr.write(f"{why}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
