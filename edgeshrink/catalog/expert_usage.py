"""edgeshrink-experts.json: how sharply a model's experts are used, as `prune --experts` counted it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

from edgeshrink.catalog.json_files import read_json
from edgeshrink.core.expert_usage import USAGE_FILE, USAGE_SCHEMA, ExpertUsage, LayerUsage
from edgeshrink.errors import DataError

_AGAIN = "write it again with `edgeshrink prune MODEL --experts N`"


def usage_text(usage: ExpertUsage) -> str:
    """The file, whole: each layer with the entropy of its shares, which is told and not read."""
    data = {"schema": USAGE_SCHEMA, **asdict(usage)}
    data["layers"] = [
        {"sharpness": layer.sharpness, "entropy": layer.entropy, "shares": list(layer.shares)} for layer in usage.layers
    ]
    return json.dumps(data, indent=1) + "\n"


def read_usage(folder: Path, *, layers: int, experts: int) -> ExpertUsage | None:
    """What stands in the model's `folder`; None where nothing does. DataError: damaged, or of a model with another
    number of `layers` or `experts`."""
    file = folder / USAGE_FILE
    if not file.is_file():
        return None
    data = read_json(file)
    try:
        usage = ExpertUsage(
            used=int(data["used"]),
            tokens=int(data["tokens"]),
            text_sha256=str(data["text_sha256"]),
            layers=tuple(
                LayerUsage(tuple(float(share) for share in layer["shares"]), float(layer["sharpness"]))
                for layer in data["layers"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file} is not one of edgeshrink's: {error!r}", hint=_AGAIN) from error
    if data.get("schema") != USAGE_SCHEMA:
        raise DataError(f"{file}: schema {data.get('schema')!r}, expected {USAGE_SCHEMA!r}", hint=_AGAIN)
    numbers = [value for layer in usage.layers for value in (*layer.shares, layer.sharpness)]
    if not all(math.isfinite(value) and 0 <= value <= 1 for value in numbers):
        raise DataError(f"{file}: a share is no number from 0 to 1", hint=_AGAIN)
    if [len(layer.shares) for layer in usage.layers] != [experts] * layers:
        raise DataError(f"{file} is of another model: this one has {layers} layers of {experts} experts", hint=_AGAIN)
    return usage
