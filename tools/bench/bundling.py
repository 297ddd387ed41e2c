"""edgeshrink bundle of a large artifact against `sha256sum` and `cp` of the same file.

    python tools/bench/bundling.py [--gib 2] [--repetitions 5] [--folder DIR]

The artifact is the demo's GGUF with random bytes behind its tensors, up to the size asked for: bundling reads its
header and copies the rest. Contenders take turns, each a child process of its own with a warm file cache and a sync
before; peak RSS is the largest process, children included. A bundle is signed, which `sha256sum` and `cp` are not, and
holds the model once more in every archive: "no archives" is what compares with the two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from convert import Run, run

_PIECE = 4 << 20


def enlarge(out: Path, nbytes: int) -> None:
    """Let the build in `out` have an artifact of `nbytes`, true in its report, lock and manifest.

    In a process of its own: a contender would inherit the peak of this one.
    """
    from edgeshrink.core.lock import LOCK_NAME
    from edgeshrink.engine.lock import lock_text, read_lock
    from edgeshrink.report.json import report_from_json, report_to_json
    from edgeshrink.report.manifest import MANIFEST_NAME, REPORT_NAME, read_manifest, write_manifest

    report = report_from_json((out / REPORT_NAME).read_text(encoding="utf-8"))
    versions = read_manifest(out).versions
    artifact = out / report.artifact.file
    with artifact.open("ab") as file:
        while (missing := nbytes - file.tell()) > 0:
            file.write(os.urandom(min(missing, _PIECE)))
    with artifact.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    changed = replace(report, artifact=replace(report.artifact, sha256=sha256, nbytes=nbytes))
    (out / REPORT_NAME).write_text(report_to_json(changed), encoding="utf-8")
    lock = replace(read_lock(out / LOCK_NAME), artifact_sha256=sha256, artifact_bytes=nbytes)
    (out / LOCK_NAME).write_text(lock_text(lock), encoding="utf-8")
    (out / MANIFEST_NAME).unlink()
    write_manifest(out, changed, versions, known_sha256={report.artifact.file: sha256})


def contenders(work: Path, artifact: Path) -> dict[str, list[str]]:
    ours = [sys.executable, "-m", "edgeshrink"]
    key = ["--key", str(work / "keys" / "edgeshrink.key")]
    bundle = [*ours, "bundle", str(artifact.parent), "--accept-verdict"]
    plain = str(work / "plain")
    return {
        "sha256sum, cp": ["sh", "-c", 'sha256sum "$1" && cp "$1" "$2"', "-", str(artifact), str(work / "copy")],
        "bundle, no archives": [*bundle, "-o", plain, "--no-archives", *key],
        "bundle, wheel and tarball": [*bundle, "-o", str(work / "archives"), *key],
        "verify, no archives": [*ours, "verify", plain, "--key", str(work / "keys" / "edgeshrink.pub")],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=2.0)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to work; it needs six times the size")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--enlarge", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.enlarge:
        enlarge(Path(given.enlarge[0]), int(given.enlarge[1]))
        return
    with tempfile.TemporaryDirectory(prefix="edgeshrink-bench-", dir=given.folder) as folder:
        work, log = Path(folder), Path(folder) / "log"
        ours = [sys.executable, "-m", "edgeshrink"]
        subprocess.run([*ours, "build", "--target", "laptop-cpu", "--scheme", "Q4_K_M", "-o", work / "out"], check=True)
        subprocess.run([*ours, "keys", "new", "-o", work / "keys"], check=True, stdout=subprocess.DEVNULL)
        nbytes = str(int(given.gib * 2**30))
        subprocess.run([sys.executable, __file__, "--enlarge", work / "out", nbytes], check=True)
        artifact = next((work / "out").glob("*.gguf"))
        runs: dict[str, list[Run]] = {name: [] for name in contenders(work, artifact)}
        for turn in range(given.repetitions):
            for name, command in contenders(work, artifact).items():
                runs[name].append(run(command, log))
                one = runs[name][-1]
                print(f"{turn + 1} {name:28}{one.wall_s:9.2f}{one.cpu_s:9.2f}{one.peak_rss_mib:10.0f}", flush=True)
            for name in ("copy", "plain", "archives"):
                path = work / name
                path.unlink() if path.is_file() else shutil.rmtree(path)
    show(runs, given.gib)
    if given.json:
        given.json.write_text(
            json.dumps({name: [asdict(one) for one in found] for name, found in runs.items()}, indent=1)
        )


def show(runs: dict[str, list[Run]], gib: float) -> None:
    rounds = len(next(iter(runs.values())))
    print(f"\n{f'{gib:g} GiB, medians of {rounds}':28}{'wall s':>12}{'CPU s':>9}{'peak MiB':>10}{'wall':>8}")
    peer = statistics.median(one.wall_s for one in runs["sha256sum, cp"])
    for name, found in runs.items():
        wall, cpu, peak = (
            statistics.median(getattr(one, field) for one in found) for field in ("wall_s", "cpu_s", "peak_rss_mib")
        )
        print(f"{name:28}{wall:12.2f}{cpu:9.2f}{peak:10.0f}{wall / peer:7.2f}x")


if __name__ == "__main__":
    main()
