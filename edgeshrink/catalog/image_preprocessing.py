"""From a picture to the array that an image model takes, as its preprocessor_config.json says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.json_files import read_json
from edgeshrink.errors import DataError

FILE = "preprocessor_config.json"
_BILINEAR = 2
# transformers' ConvNext processor scales the edge up and crops, below 384 pixels only.
_CONVNEXT_WHOLE = 384
_CONVNEXT_CROP = 224 / 256
_BY_EDGE = ("MobileNet", "Bit", "CLIP")  # processors where a size that is one number means the shortest edge


@dataclass(frozen=True, slots=True)
class ImagePreprocess:
    """Resize, crop, scale, normalize, in this order; None and False leave a step out. Sizes are (height, width).

    `shortest_edge` keeps the picture's proportions. `resample` is Pillow's number. `mean` and `std` are per channel.
    """

    shortest_edge: int | None
    resize: tuple[int, int] | None
    crop: tuple[int, int] | None
    resample: int
    factor: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def output_size(self) -> tuple[int, int] | None:
        """(height, width) of every result; None where it depends on the picture."""
        return self.crop or self.resize

    def __call__(self, image: Any) -> NDArray[np.float32]:
        """A PIL image as float32 (channels, height, width)."""
        from PIL import Image

        picture = image.convert("L" if len(self.mean) == 1 else "RGB")
        size = self.resize
        if self.shortest_edge is not None:
            size = _scaled(picture.height, picture.width, self.shortest_edge)
        if size is not None and size != (picture.height, picture.width):
            picture = picture.resize((size[1], size[0]), resample=Image.Resampling(self.resample))
        pixels = np.asarray(picture, dtype=np.float32)
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        if self.crop is not None:
            pixels = _center(pixels, self.crop)
        values = (pixels * np.float32(self.factor) - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)


def read_image_preprocess(folder: Path) -> ImagePreprocess | None:
    """What the folder says; None where it says nothing. DataError: it says something that is not understood."""
    file = folder / FILE
    if not file.is_file():
        return None
    config = read_json(file)
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
    convnext = "crop_pct" in config or kind.startswith("ConvNext")
    by_edge = convnext or kind.startswith(_BY_EDGE)
    edge, size = _size(file, config, "size", by_edge=by_edge) if config.get("do_resize", True) else (None, None)
    cropped = config.get("do_center_crop", "crop_size" in config)
    crop = _size(file, config, "crop_size", by_edge=False)[1] if cropped else None
    if convnext and edge is not None:
        edge, size, crop = _convnext(edge, float(config.get("crop_pct") or _CONVNEXT_CROP))
    normalize = config.get("do_normalize", True)
    mean, std = (_numbers(file, config, key, fallback) for key, fallback in (("image_mean", 0.5), ("image_std", 0.5)))
    if not normalize:
        mean, std = (0.0,) * len(mean), (1.0,) * len(std)
    resample = config.get("resample", _BILINEAR)
    if resample not in range(6):
        raise DataError(f"{file}: resample is {resample!r}, expected Pillow's number, 0 to 5")
    factor = float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0
    return ImagePreprocess(edge, size, crop, int(resample), factor, mean, std)


def _size(
    file: Path, config: Mapping[str, Any], key: str, *, by_edge: bool
) -> tuple[int | None, tuple[int, int] | None]:
    """(shortest edge, None) or (None, (height, width))."""
    found = config.get(key)
    if found is None:
        return None, None
    if isinstance(found, int):
        return (found, None) if by_edge else (None, (found, found))
    if isinstance(found, Mapping):
        if isinstance(found.get("shortest_edge"), int) and "longest_edge" not in found:
            return int(found["shortest_edge"]), None
        if isinstance(found.get("height"), int) and isinstance(found.get("width"), int):
            return None, (int(found["height"]), int(found["width"]))
    raise DataError(
        f"{file}: {key} is {found!r}, expected height and width, or shortest_edge",
        hint="give the network as package.module:function with a preprocess of your own",
    )


def _convnext(edge: int, crop_pct: float) -> tuple[int | None, tuple[int, int] | None, tuple[int, int] | None]:
    if edge < _CONVNEXT_WHOLE:
        return int(edge / crop_pct), None, (edge, edge)
    return None, (edge, edge), None


def _numbers(file: Path, config: Mapping[str, Any], key: str, fallback: float) -> tuple[float, ...]:
    found = config.get(key)
    if found is None:
        return (fallback,) * 3
    values = found if isinstance(found, list) else [found] * 3
    if len(values) not in (1, 3) or not all(isinstance(value, (int, float)) for value in values):
        raise DataError(f"{file}: {key} is {found!r}, expected one number a channel")
    return tuple(float(value) for value in values)


def _scaled(height: int, width: int, edge: int) -> tuple[int, int]:
    """(height, width) with the shorter side `edge`, the longer in proportion, rounded down as transformers does."""
    short, long = min(height, width), max(height, width)
    other = int(edge * long / short)
    return (edge, other) if height <= width else (other, edge)


def _center(pixels: NDArray[np.float32], crop: tuple[int, int]) -> NDArray[np.float32]:
    """The middle of (height, width, channels); where it is smaller than the crop, black around it."""
    height, width = pixels.shape[:2]
    tall, wide = max(crop[0], height), max(crop[1], width)
    if (tall, wide) != (height, width):
        larger = np.zeros((tall, wide, pixels.shape[2]), dtype=pixels.dtype)
        top, left = -(-(tall - height) // 2), -(-(wide - width) // 2)
        larger[top : top + height, left : left + width] = pixels
        pixels, height, width = larger, tall, wide
    top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
    return pixels[top : top + crop[0], left : left + crop[1]]
