"""Reading a GGUF's header, against gguf-py's reader."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.catalog.gguf_source import inspect_gguf
from edgeshrink.errors import DataError, UnsupportedModel


def write(
    path: Path, *, kind: gguf.GGMLQuantizationType | None = None, arch: str = "llama", alignment: int = 32
) -> Path:
    writer = gguf.GGUFWriter(path, arch)
    if alignment != 32:
        writer.add_custom_alignment(alignment)
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_token_list(["a", "ü", "中"])
    writer.add_token_scores([0.5, -1.0, 2.0])
    writer.add_bool("x.flag", True)
    writer.add_array("x.numbers", [1, 2, 3])
    weights = np.arange(96, dtype=np.float32).reshape(3, 32)
    if kind is None:
        writer.add_tensor("token_embd.weight", weights)
    else:
        writer.add_tensor("token_embd.weight", gguf.quants.quantize(weights, kind), raw_dtype=kind)
    writer.add_tensor("output_norm.weight", np.ones(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("alignment", [32, 64])
def test_keys_and_places_are_those_gguf_py_reads(alignment: int, tmp_path: Path) -> None:
    file = write(tmp_path / "m.gguf", alignment=alignment)
    header = read_gguf_header(file)
    reader = gguf.GGUFReader(file)
    keys = [name for name in reader.fields if not name.startswith("GGUF.")]
    assert [entry.key for entry in header.metadata] == keys
    for entry in header.metadata:
        expected = reader.fields[entry.key].contents()
        found = entry.value
        if isinstance(found, tuple):
            found = [item.decode() if isinstance(item, bytes) else item for item in found]
        assert found == expected, entry.key
    assert [(t.name, t.offset, t.nbytes) for t in header.tensors] == [
        (t.name, int(t.data_offset), int(t.n_bytes)) for t in reader.tensors
    ]
    assert header.tensors[0].shape == (3, 32)


@pytest.mark.parametrize("name", ["ggml-vocab-gpt-2.gguf", "ggml-vocab-llama-spm.gguf"])
def test_a_real_vocabulary_is_read_whole(shared_data: Path, name: str) -> None:
    file = shared_data / "tokenizers" / "gguf_vocab" / name
    reader = gguf.GGUFReader(file)
    tokens = read_gguf_header(file).value("tokenizer.ggml.tokens")
    assert isinstance(tokens, tuple)
    assert [token.decode() for token in tokens if isinstance(token, bytes)] == reader.fields[
        "tokenizer.ggml.tokens"
    ].contents()


def test_an_unquantized_file_is_a_source(tmp_path: Path) -> None:
    facts = inspect_gguf(write(tmp_path / "m.gguf"), "m.gguf")
    assert (facts.model_type, facts.vocab_size, facts.head_dim, facts.dtype) == ("llama", 3, 8, "F32")
    assert facts.tied_embeddings
    assert facts.metadata[0].key == "general.architecture"


def test_a_quantized_file_is_refused_with_the_way_to_measure_it(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        inspect_gguf(write(tmp_path / "m.gguf", kind=gguf.GGMLQuantizationType.Q8_0), "m.gguf")
    assert "Q8_0" in caught.value.message
    assert "edgeshrink profile" in caught.value.hint


def test_types_that_are_never_written_here_are_still_read(tmp_path: Path) -> None:
    file = write(tmp_path / "m.gguf", kind=gguf.GGMLQuantizationType.MXFP4)
    assert read_gguf_header(file).tensors[0].dtype == "MXFP4"


def test_another_architecture_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="gpt2"):
        inspect_gguf(write(tmp_path / "m.gguf", arch="gpt2"), "m.gguf")


@pytest.mark.parametrize("keep", [3, 10, 40, 200])
def test_a_file_cut_inside_its_header_says_so(keep: int, tmp_path: Path) -> None:
    file = write(tmp_path / "m.gguf")
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"m\.gguf"):
        read_gguf_header(file)


def test_a_file_cut_inside_its_tensors_names_the_tensor(tmp_path: Path) -> None:
    file = write(tmp_path / "m.gguf")
    file.write_bytes(file.read_bytes()[:-64])
    with pytest.raises(DataError, match=r"output_norm\.weight"):
        read_gguf_header(file)


def test_another_kind_of_file_is_not_a_gguf(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(DataError, match="not a GGUF"):
        read_gguf_header(tmp_path / "m.gguf")


def test_absurd_counts_do_not_allocate(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16)
    with pytest.raises(DataError, match="damaged"):
        read_gguf_header(tmp_path / "m.gguf")
