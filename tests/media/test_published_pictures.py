"""Pictures made small as the papers do it, beside the golden ones."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from c2v.errors import C2VError, MediaError
from c2v.media.published_pictures import PillowShape, made_small, resize_and_crop


def noise(height: int, width: int) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (64, 48), (33, 77), (20, 20), (224, 300)])
def test_any_picture_becomes_a_square(height: int, width: int) -> None:
    out = resize_and_crop(noise(height, width))
    assert out.shape == (224, 224, 3)
    assert out.dtype == np.uint8


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    pixels = noise(32, 40)
    np.testing.assert_array_equal(resize_and_crop(pixels, 32), pixels[:, 4:36])


def test_what_torchvision_does() -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    from PIL import Image

    crop = transforms.Compose(
        [
            transforms.Resize(64, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(64),
        ]
    )
    for height, width in ((120, 160), (201, 99), (65, 333), (50, 41)):
        pixels = noise(height, width)
        wanted = np.asarray(crop(Image.fromarray(pixels)))
        np.testing.assert_array_equal(resize_and_crop(pixels, 64), wanted)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize", ["shortest", "squash"])
def test_what_open_clips_transform_does(resize: Any, interpolation: Any) -> None:
    """PE-Core's pictures are squashed and bilinear, SigLIP's squashed and bicubic."""
    transform = pytest.importorskip("open_clip.transform")
    from PIL import Image

    convert = transform.image_transform(
        64, is_train=False, mean=(0.0,) * 3, std=(1.0,) * 3,
        resize_mode=resize, interpolation=interpolation,
    )  # fmt: skip
    for height, width in ((120, 160), (201, 99), (50, 41), (64, 64), (64, 300)):
        pixels = noise(height, width)
        wanted = convert(Image.fromarray(pixels)).mul(255).round().byte().permute(1, 2, 0)
        found = made_small(pixels, PillowShape(64, resize, interpolation))
        np.testing.assert_array_equal(found, wanted.numpy())


def test_pictures_that_are_none() -> None:
    with pytest.raises(MediaError, match="float32"):
        resize_and_crop(np.zeros((4, 4, 3), np.float32))  # type: ignore[arg-type]


def test_without_pillow_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(C2VError, match="Pillow") as caught:
        resize_and_crop(noise(4, 4), 2)
    assert "[clip]" in caught.value.hint
