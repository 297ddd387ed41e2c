"""Models by hub id, from a hub on this machine: what is fetched, what is not, and how it fails."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SCRIPT = """
import json, sys
from edgeshrink.catalog.models import inspect_model
from edgeshrink.errors import Error
try:
    facts = inspect_model(sys.argv[1], offline="offline" in sys.argv, weights="small" not in sys.argv)
    print(json.dumps({"revision": facts.source.revision, "hub_id": facts.source.hub_id, "tensors": len(facts.tensors),
                      "files": sorted(path.name for path in facts.source.path.rglob("*") if path.is_file())}))
except Error as error:
    print(json.dumps({"error": error.message, "hint": error.hint}))
"""


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's HTTP interface as a download needs, for one model at one commit."""

    folder: ClassVar[Path]
    asked: ClassVar[list[str]]

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, *, body: bool = True) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        if path.startswith("/api/models/me/tiny"):
            files = sorted(file for file in self.folder.rglob("*") if file.is_file())
            names = [file.relative_to(self.folder).as_posix() for file in files]
            if "/tree/" in path:
                info: Any = [
                    {"type": "file", "path": name, "size": file.stat().st_size, "oid": digest(file)}
                    for name, file in zip(names, files, strict=True)
                ]
            else:
                info = {"id": "me/tiny", "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}
            self.answer(200, json.dumps(info).encode(), {"Content-Type": "application/json"}, body)
            return
        name = path.removeprefix(f"/me/tiny/resolve/{COMMIT}/")
        file = self.folder / name
        if name == path or not file.is_file():
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "not here"}, body)
            return
        self.answer(200, file.read_bytes(), {"X-Repo-Commit": COMMIT, "ETag": f'"{digest(file)}"'}, body)

    def answer(self, code: int, raw: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody watches."""


def digest(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()


@contextmanager
def hub(folder: Path) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Hub,), {"folder": folder, "asked": asked}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def inspect(hub_id: str, home: Path, endpoint: str, *flags: str) -> dict[str, Any]:
    """In a process of its own: huggingface_hub reads its settings when it is imported."""
    environment = {**os.environ, "HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, hub_id, *flags],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture
def remote(stories: Path, tmp_path: Path) -> Path:
    """A hub repository with things in it that must not be fetched."""
    folder = tmp_path / "remote"
    shutil.copytree(stories, folder, copy_function=shutil.copyfile)
    (folder / "modeling_x.py").write_text("raise SystemExit('never')", encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "consolidated.safetensors").write_bytes(b"twice")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}", encoding="utf-8")
    (folder / "LICENSE").write_text("terms", encoding="utf-8")
    (folder / "Notice.txt").write_text("terms", encoding="utf-8")
    (folder / "USE_POLICY.md").write_text("terms", encoding="utf-8")
    return folder


def test_weights_configuration_and_tokenizer_are_fetched_and_pinned(remote: Path, tmp_path: Path) -> None:
    with hub(remote) as (endpoint, _):
        found = inspect("me/tiny", tmp_path / "home", endpoint)
    assert (found["revision"], found["hub_id"], found["tensors"]) == (COMMIT, "me/tiny", 47)
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer.model"} <= set(found["files"])
    assert not {"modeling_x.py", "pytorch_model.bin", "consolidated.safetensors", "onnx"} & set(found["files"])


def test_licence_texts_come_with_it(remote: Path, tmp_path: Path) -> None:
    with hub(remote) as (endpoint, _):
        found = inspect("me/tiny", tmp_path / "home", endpoint, "small")
    assert {"LICENSE", "Notice.txt", "USE_POLICY.md"} <= set(found["files"])


def test_afterwards_no_network_is_needed(remote: Path, tmp_path: Path) -> None:
    with hub(remote) as (endpoint, asked):
        first = inspect("me/tiny", tmp_path / "home", endpoint)
        asked.clear()
        assert inspect("me/tiny", tmp_path / "home", endpoint, "offline") == first
        assert asked == []


def test_a_plan_fetches_no_weights(remote: Path, tmp_path: Path) -> None:
    with hub(remote) as (endpoint, asked):
        found = inspect("me/tiny", tmp_path / "home", endpoint, "small")
    assert found["tensors"] == 0
    assert not [path for path in asked if path.endswith(".safetensors")]


def test_what_cannot_be_built_is_refused_before_weights_are_fetched(remote: Path, tmp_path: Path) -> None:
    config = json.loads((remote / "config.json").read_text(encoding="utf-8"))
    (remote / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}), encoding="utf-8")
    with hub(remote) as (endpoint, asked):
        assert "gpt2" in inspect("me/tiny", tmp_path / "home", endpoint)["error"]
    assert not [path for path in asked if path.endswith(".safetensors")]


def test_offline_without_the_model_says_so(tmp_path: Path) -> None:
    found = inspect("me/tiny", tmp_path / "home", "http://127.0.0.1:9", "offline")
    assert "not in the local Hugging Face cache" in found["error"]


def test_a_hub_that_cannot_be_reached_is_an_error_and_no_hang(tmp_path: Path) -> None:
    found = inspect("me/tiny", tmp_path / "home", "http://127.0.0.1:9")
    assert "could not be reached" in found["error"]
    assert "--offline" in found["hint"]


def test_an_unknown_model_says_so(remote: Path, tmp_path: Path) -> None:
    with hub(remote) as (endpoint, _):
        assert "there is no model me/other" in inspect("me/other", tmp_path / "home", endpoint)["error"]
