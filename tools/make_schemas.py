"""Write the JSON Schemas of the files that people read and write: profiles, targets, report.json,
comparison.json, manifest.json, edgeshrink-step.json, what `compare --json` prints, and sessions on several devices.

    python tools/make_schemas.py           write edgeshrink/schemas/*.schema.json
    python tools/make_schemas.py --check   say which are not up to date; exit 1 if one is not

They are made from the types that the program itself validates with, and ship in the package.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from edgeshrink.core.manifest import Manifest
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.target import Target
from edgeshrink.report.json import compared_schema, comparison_schema, report_schema, sessions_schema, step_schema

FOLDER = Path(__file__).resolve().parent.parent / "edgeshrink" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, str]:
    """File name -> text, the same on every run."""
    made: dict[str, dict[str, Any]] = {
        "profile": DeviceProfile.model_json_schema(),
        "target": Target.model_json_schema(),
        "report": report_schema(),
        "compared": compared_schema(),
        "comparison": comparison_schema(),
        "devices": sessions_schema(),
        "step": step_schema(),
        "manifest": TypeAdapter(Manifest).json_schema(mode="serialization"),
    }
    return {
        f"{name}.schema.json": json.dumps({"$schema": DIALECT, **schema}, indent=2, sort_keys=True) + "\n"
        for name, schema in made.items()
    }


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a schema is not up to date")
    check = parser.parse_args().check
    FOLDER.mkdir(exist_ok=True)
    stale = 0
    for name, text in schemas().items():
        path = FOLDER / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"not up to date: {path} (run python tools/make_schemas.py)")
        else:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
