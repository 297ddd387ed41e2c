"""The published JSON Schemas are those of the types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMAS = REPOSITORY / "edgeshrink" / "schemas"


def test_the_schemas_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "tools/make_schemas.py", "--check"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["profile", "target"])
def test_a_schema_names_every_key_that_the_shipped_files_use(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    pattern = "profiles/*.toml" if name == "profile" else "targets/*/target.toml"
    for file in REPOSITORY.glob(pattern):
        assert set(tomllib.loads(file.read_text(encoding="utf-8"))) <= set(schema["properties"])
        assert schema["additionalProperties"] is False


def test_bytes_may_be_written_as_number_or_text() -> None:
    schema = json.loads((SCHEMAS / "profile.schema.json").read_text(encoding="utf-8"))
    kinds = [kind["type"] for kind in schema["$defs"]["BytesFact"]["properties"]["value"]["anyOf"]]
    assert kinds == ["integer", "string"]
