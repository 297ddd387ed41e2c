from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeshrink.errors import DataError, PlanError, RuntimeFailed
from edgeshrink.ggml import library as ggml
from edgeshrink.measure.synthetic import Shape, write_random_gguf
from edgeshrink.runtimes import llama_cpp, llama_library
from edgeshrink.runtimes.log import KEPT_LINES, LogTail, tail
from edgeshrink.runtimes.registry import runtime


def numpy_logits(path: Path, ids: list[int]) -> np.ndarray:
    """An independent forward pass of the Llama architecture, in float64, on the tensors that gguf-py reads."""
    gguf = pytest.importorskip("gguf")
    reader = gguf.GGUFReader(path)
    weights = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64) for t in reader.tensors}
    heads, kv_heads = (int(reader.fields[f"llama.attention.{k}"].contents()) for k in ("head_count", "head_count_kv"))
    epsilon = float(reader.fields["llama.attention.layer_norm_rms_epsilon"].contents())
    count = len(ids)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weights[name]

    def rope(x: np.ndarray) -> np.ndarray:  # (n, heads, dim), pairs of neighbours, as GGUF llama files store them
        dim = x.shape[-1]
        angle = np.arange(count)[:, None] / 10000.0 ** (np.arange(0, dim, 2) / dim)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        out = np.empty_like(x)
        out[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
        out[..., 1::2] = x[..., 0::2] * sin + x[..., 1::2] * cos
        return out

    x = weights["token_embd.weight"][ids]
    mask = np.triu(np.full((count, count), -np.inf), 1)
    layer = 0
    while f"blk.{layer}.attn_q.weight" in weights:
        here = f"blk.{layer}."
        h = norm(x, here + "attn_norm.weight")
        q, k, v = (h @ weights[f"{here}attn_{part}.weight"].T for part in "qkv")
        q, k = rope(q.reshape(count, heads, -1)), rope(k.reshape(count, kv_heads, -1))
        k = k.repeat(heads // kv_heads, 1)
        v = v.reshape(count, kv_heads, -1).repeat(heads // kv_heads, 1)
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[-1]) + mask
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = np.einsum("hqk,khd->qhd", scores / scores.sum(-1, keepdims=True), v).reshape(count, -1)
        x = x + mixed @ weights[here + "attn_output.weight"].T
        h = norm(x, here + "ffn_norm.weight")
        gate = h @ weights[here + "ffn_gate.weight"].T
        x = (
            x
            + (gate / (1 + np.exp(-gate)) * (h @ weights[here + "ffn_up.weight"].T))
            @ weights[here + "ffn_down.weight"].T
        )
        layer += 1
    return norm(x, "output_norm.weight") @ weights["token_embd.weight"].T


def test_logits_are_those_of_an_independent_forward_pass(tmp_path: Path) -> None:
    path = tmp_path / "f32.gguf"
    write_random_gguf(path, Shape(width=128, ffn=192, type="F32"), seed=7)
    ids = [5, 9, 300, 17, 17, 2, 250]
    with llama_cpp.load(path, context=256, threads=1, exact=True) as session:
        found = session.logits(ids)
    expected = numpy_logits(path, ids)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_batches_do_not_change_the_logits(tiny_gguf: Path) -> None:
    ids = [1 + position % 200 for position in range(150)]
    with llama_cpp.load(tiny_gguf, context=256, threads=1, batch=64) as session:
        parts = list(session.iter_logits(ids))
        assert [len(rows) for rows in parts] == [64, 64, 22]
        last = session.reset() or session.prefill(ids)
    with llama_cpp.load(tiny_gguf, context=256, threads=1) as session:
        whole = session.logits(ids)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=5e-3)
    np.testing.assert_allclose(last, whole[-1], atol=5e-3)


def test_exact_arithmetic_is_not_the_apps(tiny_gguf: Path) -> None:
    found = {}
    for exact in (True, False):
        with llama_cpp.load(tiny_gguf, context=256, threads=1, exact=exact) as session:
            found[exact] = session.logits(range(1, 60))
        said = [line for line in tail.lines() if "KV buffer" in line or "K (" in line]
        assert any(f"K ({'f32' if exact else 'f16'})" in line for line in said), said
    assert 0 < abs(found[True] - found[False]).max() < 0.05


def test_networks_are_refused(tiny_gguf: Path) -> None:
    with pytest.raises(RuntimeFailed, match="language model"):
        llama_cpp.open_network(tiny_gguf, threads=1)


def test_an_unsupported_architecture_is_refused_in_the_librarys_words(tiny_gguf: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    data = tiny_gguf.read_bytes()
    assert data.count(b"\x05\0\0\0\0\0\0\0llama") >= 1
    other.write_bytes(data.replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0krake"))
    with pytest.raises(RuntimeFailed, match=r"unknown model architecture.*krake"):
        llama_cpp.load(other, context=256, threads=1)


def test_a_file_cut_short_is_refused(tiny_gguf: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.gguf"
    short.write_bytes(tiny_gguf.read_bytes()[:-5000])
    with pytest.raises(RuntimeFailed, match=r"short\.gguf.*not within the file bounds"):
        llama_cpp.load(short, context=256, threads=1)


def test_a_session_for_one_row_of_logits_refuses_all_rows(tiny_gguf: Path) -> None:
    with llama_cpp.load(tiny_gguf, context=256, threads=1, all_logits=False) as session:
        assert session.prefill(range(200)).shape == (session.vocab_size,)
        with pytest.raises(RuntimeFailed, match="last position"):
            session.logits([1, 2])


def test_a_vocabulary_alone_tokenizes_and_computes_nothing(tiny_gguf: Path) -> None:
    with llama_cpp.load(tiny_gguf, context=256, threads=1, vocab_only=True) as session:
        assert session.tokenize("a", add_special=False, parse_special=False) == [3 + ord("a")]
        assert session.facts().context == 0
        with pytest.raises(RuntimeFailed, match="vocabulary only"):
            session.prefill([1])


def test_a_file_without_tokenizer_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mute.gguf"
    write_random_gguf(path, Shape())
    with llama_cpp.load(path, context=256, threads=1) as session:
        assert (session.bos_id, session.eos_id, session.stop_ids, session.chat_template) == (None, None, (), None)
        with pytest.raises(RuntimeFailed, match="no tokenizer"):
            session.tokenize("a", add_special=True, parse_special=True)


def test_half_a_surrogate_pair_is_refused(tiny_gguf: Path) -> None:
    with (
        llama_cpp.load(tiny_gguf, context=256, threads=1, vocab_only=True) as session,
        pytest.raises(DataError, match="surrogate"),
    ):
        session.tokenize("\ud800", add_special=False, parse_special=False)


def test_layers_that_no_device_takes_are_not_claimed(tiny_gguf: Path) -> None:
    if any(device.kind in ("gpu", "igpu") for device in llama_library.devices()):
        pytest.skip("this build of llama.cpp has a GPU")
    with llama_cpp.load(tiny_gguf, context=256, threads=1, gpu_layers=99) as session:
        facts = session.facts()
    assert (facts.gpu_layers, facts.backend.split("+")[0]) == (0, "CPU")


def test_the_eval_callback_sees_the_graph(tiny_gguf: Path) -> None:
    asked = []
    with llama_cpp.load(
        tiny_gguf, context=256, threads=1, eval_callback=lambda tensor, ask: asked.append((tensor, ask)) or not ask
    ) as session:
        session.prefill([1, 2, 3])
    assert len(asked) > 20
    assert all(ask for _, ask in asked)


def test_nothing_of_the_librarys_log_reaches_the_screen(tiny_gguf: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with llama_cpp.load(tiny_gguf, context=256, threads=1) as session:
        session.prefill([1])
    assert capfd.readouterr() == ("", "")
    assert any("llama" in line for line in tail.lines())


def test_cpu_features_are_those_that_are_on() -> None:
    text = "Metal : EMBED_LIBRARY = 1 | CPU : NEON = 1 | SVE = 0 | DOTPROD = 1 | CUDA : ARCHS = 500 | F16 = 1 | "
    assert llama_library.parse_system_info(text) == ("NEON", "DOTPROD")


def test_the_build_id_is_that_of_the_library_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert llama_library.build_id() == llama_library.build_id.__wrapped__()
    assert {file.name.removeprefix("lib").split(".")[0] for file in llama_library.library_files()} >= {"llama", "ggml"}
    other = tmp_path / "libllama.so"
    other.write_bytes(b"another build")
    monkeypatch.setattr(llama_library, "library_files", lambda: (other,))
    assert llama_library.build_id.__wrapped__() != llama_library.build_id()


def test_the_library_is_looked_for_where_ggml_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LLAMA_CPP_LIB_PATH holds for both, and a version suffix makes no second library."""
    files = llama_library.library_files()
    assert set(files) >= set(ggml.library_files())
    for file in files:
        for name in (file.name, f"{file.name}.0", file.name.replace("llama", "mtmd")):
            (tmp_path / name).write_bytes(b"another build")
    own = llama_library.build_id.__wrapped__()
    ggml.library_folder.cache_clear()
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    try:
        assert [file.name for file in llama_library.library_files()] == [file.name for file in files]
        assert {file.parent for file in llama_library.library_files()} == {tmp_path}
        assert llama_library.build_id.__wrapped__() != own
    finally:
        ggml.library_folder.cache_clear()


def test_last_words_prefer_errors_and_join_continued_lines() -> None:
    log = LogTail()
    log.write(2, "loading ")
    log.write(5, "a file\n")
    log.write(1, "debug chatter\n")
    assert log.last_words() == "loading a file"
    log.write(4, "it is broken\n")
    log.write(3, "goodbye\n")
    assert log.last_words() == "it is broken"
    for number in range(500):
        log.write(2, f"{number}\n")
    assert len(log.lines()) == KEPT_LINES


def test_an_unknown_runtime_lists_the_known_ones() -> None:
    assert runtime("llama_cpp").NAME == "llama_cpp"
    with pytest.raises(PlanError, match="tflite") as caught:
        runtime("tflite")
    assert "llama_cpp" in caught.value.hint
