"""A model on the Hugging Face hub, fetched into huggingface_hub's own cache: configuration, tokenizer, safetensors."""

from __future__ import annotations

import re
from pathlib import Path

from edgeshrink.catalog.licence_files import LICENCE_PATTERNS
from edgeshrink.errors import DataError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Nothing that could run: no *.py, no pickles.
SMALL_FILES = ("*.json", "*.jinja", "merges.txt", "tokenizer.model", "README.md", *LICENCE_PATTERNS)
WEIGHTS = ("model*.safetensors",)
SUBFOLDERS = ("*/*",)
CONNECT_TIMEOUT_S = 10.0


def fetch(hub_id: str, *, offline: bool, weights: bool, revision: str | None = None) -> Path:
    """The snapshot folder of `hub_id`; its name is the commit. DataError where it cannot be had.

    Without `weights`, only the small files: enough to refuse a model, and to plan one.
    """
    import os

    # Read by huggingface_hub when it is imported: a dead network must fail within seconds, not hang.
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", str(int(CONNECT_TIMEOUT_S)))
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", str(int(CONNECT_TIMEOUT_S)))
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(
            snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=[*SMALL_FILES, *(WEIGHTS if weights else ())],
                ignore_patterns=list(SUBFOLDERS),
                local_files_only=offline,
                etag_timeout=CONNECT_TIMEOUT_S,
            )
        )
    except GatedRepoError as problem:
        raise DataError(
            f"{hub_id} is a gated model on the hub, and access is not granted",
            hint="accept its licence on its page, then `hf auth login`",
        ) from problem
    except RepositoryNotFoundError as problem:
        raise DataError(
            f"there is no model {hub_id} on the hub that you may see, and no such folder here",
            hint="check the spelling; for a private model, `hf auth login` first",
        ) from problem
    except LocalEntryNotFoundError as problem:
        if offline:
            raise DataError(
                f"{hub_id} is not in the local Hugging Face cache, and --offline forbids fetching it",
                hint="run once without --offline, or give a folder",
            ) from problem
        raise _unreachable(hub_id, problem) from problem
    except (HfHubHTTPError, OSError) as problem:
        raise _unreachable(hub_id, problem) from problem


def _unreachable(hub_id: str, problem: Exception) -> DataError:
    first = (str(problem).splitlines() or [type(problem).__name__])[0]
    return DataError(
        f"the hub could not be reached for {hub_id}: {first}",
        hint="check the network, or use --offline with a model that is in the cache, or give a folder",
    )
