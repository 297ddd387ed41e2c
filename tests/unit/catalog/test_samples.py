"""Samples: read, divided without overlap, written and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from edgeshrink.catalog.image_preprocessing import read_image_preprocess
from edgeshrink.catalog.sample_random import random_samples
from edgeshrink.catalog.sample_reading import read_samples
from edgeshrink.catalog.sample_texts import shipped_texts
from edgeshrink.catalog.samples import Sample, Samples, divide, load_samples, save_samples
from edgeshrink.core.network import NetworkFacts, NetworkSource, Port
from edgeshrink.errors import DataError

Image = pytest.importorskip("PIL.Image")

PICTURE = (Port("pixel_values", "float32", (1, 3, 4, 4)),)
LOGITS = (Port("logits", "float32", (1, 10)),)
TEXT = (Port("input_ids", "int64", (1, "sequence")), Port("attention_mask", "int64", (1, "sequence")))


def facts(inputs: tuple[Port, ...], outputs: tuple[Port, ...] = LOGITS, **changes: Any) -> NetworkFacts:
    source = NetworkSource("function", "nets:make", Path("nets.py"), "nets:make")
    return replace(NetworkFacts(source, "net", "module", inputs, outputs, 1, 1, "F32"), **changes)


def flat(image: Any) -> np.ndarray[Any, Any]:
    return np.asarray(image.convert("RGB"), dtype=np.float32).transpose(2, 0, 1)


def shades(samples: Samples) -> list[tuple[int, int | None]]:
    return [(int(sample.arrays["pixel_values"].flat[0]), sample.label) for sample in samples.items]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes of ten; each picture's red is its number."""
    folder = tmp_path / "pictures"
    for place, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (4, 4), (place * 100 + number, 7, 9)).save(folder / name / f"{number:02}.png")
    return folder


def test_pictures_are_divided_by_class_and_none_is_in_both(pictures: Path) -> None:
    first, second = read_samples(pictures, facts(PICTURE), calibration_count=6, evaluation_count=8, preprocess=flat)
    one, two = shades(first), shades(second)
    assert [label for _, label in one].count(0) == 3 and [label for _, label in two].count(1) == 4
    assert not set(one) & set(two) and len(set(one) | set(two)) == 14
    assert all(label == shade // 100 for shade, label in one + two)
    assert second.classes == ("cat", "dog") and second.items[0].arrays["pixel_values"].shape == (1, 3, 4, 4)
    again = read_samples(pictures, facts(PICTURE), calibration_count=6, evaluation_count=8, preprocess=flat)
    assert shades(again[0]) == one and shades(again[1]) == two
    other = read_samples(pictures, facts(PICTURE), calibration_count=6, evaluation_count=8, seed=1, preprocess=flat)
    assert shades(other[0]) != one


def test_too_few_pictures_are_shared_out_in_proportion(pictures: Path) -> None:
    first, second = read_samples(pictures, facts(PICTURE), calibration_count=100, evaluation_count=300, preprocess=flat)
    assert (len(first.items), len(second.items)) == (5, 15)
    assert not set(shades(first)) & set(shades(second))


def test_an_unreadable_picture_is_named(pictures: Path) -> None:
    (pictures / "cat" / "03.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    with pytest.raises(DataError, match=r"03\.png cannot be read"):
        read_samples(pictures, facts(PICTURE), calibration_count=10, evaluation_count=10, preprocess=flat)


def test_pictures_need_a_preprocess_of_the_right_shape_that_works(pictures: Path) -> None:
    def read(preprocess: Any) -> None:
        read_samples(pictures, facts(PICTURE), calibration_count=1, evaluation_count=1, preprocess=preprocess)

    with pytest.raises(DataError, match="does not say how a picture becomes"):
        read(None)
    with pytest.raises(DataError, match=r"preprocess makes float32 4 x 4 x 3 .* takes pixel_values float32"):
        read(lambda image: np.asarray(image, dtype=np.float32))
    with pytest.raises(DataError, match="preprocess makes uint8"):
        read(lambda image: np.asarray(image).transpose(2, 0, 1))
    with pytest.raises(DataError, match=r"preprocess failed on .*ZeroDivisionError"):
        read(lambda image: 1 / 0)


def test_pictures_one_folder_too_deep_point_to_the_inner_folder(pictures: Path) -> None:
    inner = pictures.parent / "outer" / "train"
    inner.parent.mkdir()
    pictures.rename(inner)
    with pytest.raises(DataError, match="deeper") as caught:
        read_samples(inner.parent, facts(PICTURE), calibration_count=1, evaluation_count=1, preprocess=flat)
    assert caught.value.hint == f"give {inner}"


def test_pictures_without_folders_have_no_labels(pictures: Path) -> None:
    first, second = read_samples(
        pictures / "dog", facts(PICTURE), calibration_count=2, evaluation_count=3, preprocess=flat
    )
    assert {label for _, label in shades(first) + shades(second)} == {None} and second.classes == ()


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no samples at"):
        read_samples(tmp_path / "absent", facts(PICTURE), calibration_count=1, evaluation_count=1)
    (tmp_path / "notes.md").write_text("hello", encoding="utf-8")
    with pytest.raises(DataError, match="holds no samples"):
        read_samples(tmp_path, facts(PICTURE), calibration_count=1, evaluation_count=1)


def test_one_sample_cannot_be_both(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "only.png")
    with pytest.raises(DataError, match="too few samples"):
        read_samples(tmp_path, facts(PICTURE), calibration_count=1, evaluation_count=1, preprocess=flat)


VECTOR = (Port("x", "float32", (1, 3)), Port("scale", "float32", ()))


def test_a_stack_of_arrays_is_many_samples_and_what_has_no_stack_is_shared(tmp_path: Path) -> None:
    x = np.arange(30, dtype=np.float64).reshape(10, 1, 3)
    np.savez(tmp_path / "all.npz", x=x, scale=np.float32(2.0), label=np.arange(10) % 2)
    first, second = read_samples(tmp_path, facts(VECTOR), calibration_count=4, evaluation_count=6)
    rows = {int(sample.arrays["x"][0, 0]) // 3: sample for sample in (*first.items, *second.items)}
    assert sorted(rows) == list(range(10))
    assert all(sample.label == row % 2 for row, sample in rows.items())
    assert all(sample.arrays["x"].dtype == np.float32 for sample in rows.values())
    assert all(float(sample.arrays["scale"]) == 2.0 for sample in rows.values())


def test_a_file_a_sample_is_read_in_its_place(tmp_path: Path) -> None:
    for index in range(4):
        np.savez(tmp_path / f"{index}.npz", x=np.full((1, 3), index, np.float32), scale=np.float32(index))
    first, second = read_samples(tmp_path, facts(VECTOR), calibration_count=2, evaluation_count=2)
    assert sorted(float(sample.arrays["scale"]) for sample in (*first.items, *second.items)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((4, 1, 3), np.float32)}, "has no array scale"),
        ({"x": np.zeros((4, 1, 3)), "scale": np.zeros(4), "y": np.zeros(4)}, "no input y"),
        ({"x": np.zeros((4, 1, 2), np.float32), "scale": np.zeros(4, np.float32)}, "x is 4 x 1 x 2, expected"),
        ({"x": np.zeros((4, 1, 3)), "scale": np.zeros(5)}, "stacks of 4 and 5"),
        ({"x": np.array([["a", "b", "c"]]), "scale": np.zeros(())}, "x is <U1, expected"),
        ({"x": np.zeros((4, 1, 3)), "scale": np.zeros(4), "label": np.zeros(4)}, "label is float64"),
        ({"x": np.zeros((4, 1, 3)), "scale": np.zeros(4), "label": np.zeros(3, int)}, "expected 4 whole numbers"),
    ],
)
def test_arrays_that_are_not_the_inputs_are_named(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_samples(tmp_path, facts(VECTOR), calibration_count=1, evaluation_count=1)


MASKED = (Port("x", "float32", ("batch", "seq", 3)), Port("mask", "int64", ("batch", "seq")))


@pytest.mark.parametrize("stack", [(), (4,)])
def test_a_named_dimension_has_one_size_in_a_sample(tmp_path: Path, stack: tuple[int, ...]) -> None:
    def write(name: str, length: int) -> None:
        np.savez(tmp_path / name, x=np.zeros((*stack, 2, 9, 3), np.float32), mask=np.ones((*stack, 2, length), int))

    for index in range(2):
        write(f"good{index}.npz", 9)
    read_samples(tmp_path, facts(MASKED), calibration_count=1, evaluation_count=1)
    write("wrong.npz", 7)
    with pytest.raises(DataError, match=r'wrong\.npz: the dimension "seq" is 9 in x and 7 in mask') as caught:
        read_samples(tmp_path, facts(MASKED), calibration_count=1, evaluation_count=1)
    assert "mask int64 batch x seq" in caught.value.hint


def test_a_dimension_may_differ_from_file_to_file(tmp_path: Path) -> None:
    for length in (5, 8):
        np.savez(tmp_path / f"{length}.npz", x=np.zeros((1, length, 3), np.float32), mask=np.ones((1, length), int))
    first, second = read_samples(tmp_path, facts(MASKED), calibration_count=1, evaluation_count=1)
    assert {part.items[0].arrays["mask"].shape[1] for part in (first, second)} == {5, 8}


def test_pickled_arrays_and_garbage_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match=r"bad\.npz cannot be read"):
        read_samples(tmp_path / "bad.npz", facts(VECTOR), calibration_count=1, evaluation_count=1)
    (tmp_path / "bad.npz").write_bytes(b"PK garbage")
    with pytest.raises(DataError, match=r"bad\.npz cannot be read"):
        read_samples(tmp_path, facts(VECTOR), calibration_count=1, evaluation_count=1)


def test_a_stack_without_its_state_is_a_sequence_and_stays_in_order(tmp_path: Path) -> None:
    inputs = (Port("frame", "float32", (1, 2)), Port("state", "float32", (1, 4)))
    outputs = (Port("y", "float32", (1, 1)), Port("stateN", "float32", (1, 4)))
    np.savez(tmp_path / "a.npz", frame=np.repeat(np.arange(10, dtype=np.float32), 2).reshape(10, 1, 2))
    first, second = read_samples(tmp_path, facts(inputs, outputs), calibration_count=2, evaluation_count=3)
    frames = [[int(sample.arrays["frame"][0, 0]) for sample in part.items] for part in (first, second)]
    assert frames == [[0, 1, 2, 3], [4, 5, 6]]
    assert [sample.begins for sample in first.items] == [True, False, False, False]


@pytest.fixture
def encoder(tmp_path: Path) -> NetworkFacts:
    """An encoder's folder with a tokenizer of words; its facts."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    words = {word: index for index, word in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *"abcdefghij"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer.enable_padding(length=16)  # as many published files have it
    tokenizer.save(str(folder / "tokenizer.json"))
    source = NetworkSource("huggingface", str(folder), folder)
    return facts(TEXT, source=source, limits=(("sequence", 1, 6),))


def test_lines_become_ids_with_special_tokens_cut_to_the_longest(tmp_path: Path, encoder: NetworkFacts) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("a b\n\nc\na b\n  \nd e f g h i j\n", encoding="utf-8")
    first, second = read_samples(file, encoder, calibration_count=1, evaluation_count=2)
    found = {tuple(sample.arrays["input_ids"][0].tolist()): sample for sample in (*first.items, *second.items)}
    assert set(found) == {(1, 4, 5, 2), (1, 6, 2), (1, 7, 8, 9, 10, 2)}
    assert all((sample.arrays["attention_mask"] == 1).all() for sample in found.values())
    assert all(sample.arrays["attention_mask"].shape == sample.arrays["input_ids"].shape for sample in found.values())


def test_a_fixed_length_is_filled_with_padding_that_is_not_attended(tmp_path: Path, encoder: NetworkFacts) -> None:
    (tmp_path / "lines.txt").write_text("a\nb\n", encoding="utf-8")
    fixed = tuple(replace(port, shape=(1, 5), dtype="int32") for port in TEXT)
    first, _ = read_samples(
        tmp_path / "lines.txt", replace(encoder, inputs=fixed), calibration_count=1, evaluation_count=1
    )
    arrays = first.items[0].arrays
    assert arrays["input_ids"].dtype == np.int32 and arrays["input_ids"].shape == (1, 5)
    assert arrays["attention_mask"].tolist() == [[1, 1, 1, 0, 0]] and arrays["input_ids"][0, 3:].tolist() == [0, 0]


def test_text_for_a_network_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no tokenizer\.json"):
        read_samples(tmp_path, facts(TEXT), calibration_count=1, evaluation_count=1)


def test_a_broken_tokenizer_and_text_that_is_no_text_are_named(tmp_path: Path, encoder: NetworkFacts) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_samples(lines, encoder, calibration_count=1, evaluation_count=1)
    (encoder.source.path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="not a tokenizer"):
        read_samples(lines, encoder, calibration_count=1, evaluation_count=1)


def test_the_shipped_texts_share_no_line(encoder: NetworkFacts) -> None:
    first, second = shipped_texts(encoder, calibration=20, evaluation=30, seed=0)
    assert len(first.items) == 20 and "shipped calibration text" in first.origin
    ids = [{sample.arrays["input_ids"].tobytes() for sample in part.items} for part in (first, second)]
    assert not ids[0] & ids[1]


def test_random_samples_are_seeded_within_limits_and_say_what_they_are() -> None:
    network = facts((*TEXT, Port("x", "float16", (2, "sequence"))), limits=(("sequence", 3, 9),))
    examples = {"input_ids": np.array([[5, 900, 17]])}
    first, second = (
        random_samples(network, calibration=20, evaluation=5, seed=seed, examples=examples)[0] for seed in (0, 1)
    )
    lengths = {sample.arrays["input_ids"].shape[1] for sample in first.items}
    assert lengths <= set(range(3, 10)) and len(lengths) > 1
    assert {int(value) for sample in first.items for value in sample.arrays["input_ids"].flat} == {5, 900, 17}
    assert all((sample.arrays["attention_mask"] == 1).all() for sample in first.items)
    assert first.items[0].arrays["x"].dtype == np.float16
    assert "random" in first.origin
    again = random_samples(network, calibration=20, evaluation=5, seed=0, examples=examples)[0]
    assert all((one.arrays["x"] == two.arrays["x"]).all() for one, two in zip(first.items, again.items, strict=True))
    assert any(
        one.arrays["x"].shape != two.arrays["x"].shape for one, two in zip(first.items, second.items, strict=True)
    )


def test_samples_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    items = (
        Sample({"label": np.array([1.5], np.float32), "a/b": np.arange(3)}, label=4),
        Sample({"label": np.array([2.5], np.float32), "a/b": np.arange(2)}, begins=False),
    )
    save_samples(tmp_path / "s.npz", Samples(items, "two of mine", ("x", "y")))
    found = load_samples(tmp_path / "s.npz", names=["a/b", "label"])
    assert found.origin == "two of mine" and found.classes == ("x", "y")
    assert [sample.begins for sample in found.items] == [True, False]
    for one, two in zip(items, found.items, strict=True):
        for name, array in one.arrays.items():
            np.testing.assert_array_equal(two.arrays[name], array)


def test_a_label_beside_the_arrays_comes_back(tmp_path: Path) -> None:
    save_samples(tmp_path / "s.npz", Samples((Sample({"x": np.zeros(1)}, 3), Sample({"x": np.zeros(1)})), "mine"))
    assert [sample.label for sample in load_samples(tmp_path / "s.npz", names=["x"]).items] == [3, None]


def test_a_broken_file_of_samples_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.npz").write_bytes(b"no")
    with pytest.raises(DataError, match=r"s\.npz is not a file of samples"):
        load_samples(tmp_path / "s.npz", names=["x"])


def test_unequal_groups_are_divided_as_far_as_they_go() -> None:
    first, second = divide([list("aaaaaaaa"), list("b")], calibration=2, evaluation=4, seed=0)
    assert sorted(first) == ["a", "b"] and second == ("a",) * 4


PIL_PROCESSORS = {
    "ViTImageProcessorPil": {"size": {"height": 24, "width": 20}, "resample": 2},
    "DeiTImageProcessorPil": {"size": {"height": 30, "width": 30}, "crop_size": {"height": 24, "width": 24}},
    "ConvNextImageProcessorPil": {"size": {"shortest_edge": 28}, "crop_pct": 0.875},
    "MobileNetV2ImageProcessorPil": {
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 24, "width": 24},
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.5, 0.6, 0.7],
    },
}


@pytest.mark.parametrize("name", PIL_PROCESSORS)
@pytest.mark.parametrize("size", [(57, 40), (40, 57), (31, 31)])
def test_pictures_are_prepared_as_transformers_prepares_them(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    transformers = pytest.importorskip("transformers")
    processor = getattr(transformers, name)(**PIL_PROCESSORS[name])
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor.to_dict(), default=str), encoding="utf-8")
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    expected = processor(image, return_tensors="np")["pixel_values"][0]
    preprocess = read_image_preprocess(tmp_path)
    assert preprocess is not None
    found = preprocess(image)
    assert preprocess.output_size == expected.shape[1:]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"size": {"longest_edge": 5, "shortest_edge": 3}}, {"resample": 9}, {"image_mean": [1, 2]}]
)
def test_a_preparation_that_is_not_understood_is_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": 8, **wrong}), encoding="utf-8")
    with pytest.raises(DataError, match=next(iter(wrong))):
        read_image_preprocess(tmp_path)
