from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_networks as tiny

from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes import executorch
from edgeshrink.runtimes import executorch_library as library
from edgeshrink.runtimes.executorch_tokenizer import RunnerTokenizer
from edgeshrink.runtimes.tokenizer_files import TokenizerFiles

torch = pytest.importorskip("torch")
pytest.importorskip("executorch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """named.pte, plain.pte (nothing delegated, no names), vulkan.pte: the same network."""
    made = tmp_path_factory.mktemp("pte")
    tiny.write_ptes(
        tiny.Pte(made / "named.pte"),
        tiny.Pte(made / "plain.pte", delegate="none", named=False),
        tiny.Pte(made / "vulkan.pte", delegate="vulkan"),
    )
    return made


def test_the_backend_is_read_from_the_file(folder: Path) -> None:
    assert library.backends(folder / "named.pte") == ("XnnpackBackend",)
    assert library.backends(folder / "plain.pte") == ()
    assert library.backends(folder / "vulkan.pte") == ("VulkanBackend",)
    with executorch.open_network(folder / "plain.pte", threads=1, delegate="xnnpack") as network:
        assert network.facts().backend == "portable"


def test_a_file_for_another_devices_delegate_is_refused(folder: Path) -> None:
    with pytest.raises(RuntimeFailed, match="lowered for vulkan, which this machine cannot run"):
        executorch.open_network(folder / "vulkan.pte", threads=1)


def test_without_names_places_count(folder: Path) -> None:
    given, expected = tiny.inputs(3), tiny.expected(tiny.inputs(3))
    with executorch.open_network(folder / "plain.pte", threads=1) as network:
        assert [port.name for port in (*network.inputs, *network.outputs)] == [
            "input_0",
            "input_1",
            "output_0",
            "output_1",
        ]
        found = network.run({"input_0": given["x"], "input_1": given["extra"]})
    np.testing.assert_allclose(found["output_0"], expected["y"], atol=1e-5)
    np.testing.assert_array_equal(found["output_1"], expected["total"])


def test_more_than_the_file_was_exported_for_is_refused_in_words(folder: Path) -> None:
    with (
        executorch.open_network(folder / "named.pte", threads=1) as network,
        pytest.raises(RuntimeFailed, match="larger, than the file takes"),
    ):
        network.run(tiny.inputs(tiny.LONGEST + 1))


def test_threads_are_those_that_the_library_counts(folder: Path) -> None:
    for count in (2, 1):
        with executorch.open_network(folder / "named.pte", threads=count) as network:
            assert network.facts().threads == count == library.threads()
            assert torch.get_num_threads() == count  # a second pool that attention uses
            other = 3 - count
            with pytest.raises(RuntimeFailed, match="one thread pool a process"):
                executorch.open_network(folder / "named.pte", threads=other)
            with executorch.open_network(folder / "named.pte", threads=count) as second:
                second.run(tiny.inputs(1))


def test_a_network_is_no_language_model(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailed, match="no language model"):
        executorch.load(folder / "named.pte", context=64, threads=1)
    with pytest.raises(DataError, match=r"holds 3 \.pte files"):
        executorch.load(folder, context=64, threads=1)
    with pytest.raises(RuntimeFailed, match="no such file"):
        executorch.load(tmp_path, context=64, threads=1)


def test_the_runtime_is_loaded_without_the_exporter(folder: Path) -> None:
    """Importing executorch.runtime brings torchao and the compiler: seconds, and 130 MB that would be measured."""
    code = (
        "import sys, pathlib; from edgeshrink.runtimes import executorch; executorch.preload(); "
        f"executorch.open_network(pathlib.Path({str(folder / 'named.pte')!r}), threads=1); "
        "found = {'torchao', 'executorch.exir', 'transformers'} & set(sys.modules); print(sorted(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_sentencepiece_model_is_read_by_the_runners_own_library(stories: Path, tmp_path: Path) -> None:
    from sentencepiece import SentencePieceProcessor

    (tmp_path / "tokenizer.model").write_bytes((stories / "tokenizer.model").read_bytes())
    processor = SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    tokenizer = RunnerTokenizer(TokenizerFiles(tmp_path, {}, 512))
    for text in ("Once upon a time", " two  spaces\n", "世界 🙂", ""):
        ids = processor.encode(text)
        assert tokenizer.encode(text, add_special=False, parse_special=True) == ids
        assert tokenizer.encode(text, add_special=True, parse_special=True) == [processor.bos_id(), *ids]
    assert tokenizer.eos_id == processor.eos_id()
    (tmp_path / "tokenizer_config.json").write_text('{"add_bos_token": false, "add_eos_token": true}', "utf-8")
    other = RunnerTokenizer(TokenizerFiles(tmp_path, {}, 512))
    assert other.encode("a", add_special=True, parse_special=True) == [*processor.encode("a"), processor.eos_id()]


def test_an_error_code_is_put_in_words() -> None:
    assert "OperatorMissing" in library.words(RuntimeError("loading failed with error 0x14"))
    assert "InvalidProgram" in library.words(RuntimeError("Failed to load program, error: 0x:23"))
    assert library.words(RuntimeError("something else")) == "something else"
