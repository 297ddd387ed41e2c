from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from edgeshrink.errors import ToolMissing
from edgeshrink.runtimes import packages
from edgeshrink.runtimes.registry import runtime


def test_the_build_names_what_is_installed() -> None:
    numpy, click = metadata.version("numpy"), metadata.version("click")
    assert packages.build_of("onnx", ("no-such-name", "numpy"), ("click",)) == f"numpy-{numpy}+click-{click}"


@pytest.mark.parametrize(("name", "package"), [("onnx", "onnxruntime-genai"), ("executorch", "executorch")])
def test_a_missing_package_names_the_pip_command(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "installed_version", lambda _: "")
    for call in (runtime(name).build_id, runtime(name).preload):
        with pytest.raises(ToolMissing, match=f"{package} is not installed") as caught:
            call()
        assert f"pip install 'edgeshrink[{name}]'" in caught.value.hint


def test_asking_for_the_builds_imports_nothing_heavy() -> None:
    pytest.importorskip("executorch")
    pytest.importorskip("onnxruntime_genai")
    code = (
        "import sys; from edgeshrink.runtimes.registry import RUNTIMES, runtime; "
        "[runtime(name).build_id() for name in ('onnx', 'executorch')]; "
        "heavy = {'torch', 'executorch', 'onnxruntime', 'onnxruntime_genai', 'tokenizers', 'llama_cpp'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
