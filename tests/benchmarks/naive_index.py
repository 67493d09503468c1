"""How videos are embedded without c2v: naive_index.py WAY WEIGHTS TIMES FILE...

Run as a process of its own. Each way embeds the same moments (TIMES: seconds, a JSON list) of the
same files with the same weights (ViT-B/32 of open_clip, fp32) and prints how many vectors it made:

* decord: one ``get_batch`` a video, as decord's README shows it, its threads left to it;
* opencv: CLIP4Clip's loader (rawvideo_util.py): seek to a picture, read it, go on to the next;
* files: rclip's way with pictures: each moment as a JPEG file, opened again, eight a batch.

Preprocessing is open_clip's own for this model, on full pictures.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 32
FILES_BATCH = 8  # rclip's default


def main() -> None:
    """Embed, and print the number of vectors."""
    way, weights, times, *files = sys.argv[1:]
    import open_clip
    import torch
    from safetensors.torch import load_file

    model = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None).eval()
    model.visual.load_state_dict(load_file(weights))
    preprocess = open_clip.image_transform(model.visual.image_size, is_train=False)
    done = 0
    for file in files:
        pictures = WAYS[way](file, np.array(json.loads(times)))
        size = FILES_BATCH if way == "files" else BATCH
        for batch in torch.stack([preprocess(picture) for picture in pictures]).split(size):
            with torch.inference_mode():
                done += len(model.encode_image(batch))
    print(done)


def with_decord(file: str, times: Any) -> Iterator[Any]:
    import decord
    from PIL import Image

    reader = decord.VideoReader(file)
    starts = reader.get_frame_timestamp(range(len(reader)))[:, 0]
    numbers = np.searchsorted(starts, times + 1e-6, side="right") - 1
    for pixels in reader.get_batch(numbers).asnumpy():
        yield Image.fromarray(pixels)


def with_opencv(file: str, times: Any) -> Iterator[Any]:
    import cv2
    from PIL import Image

    capture = cv2.VideoCapture(file)
    rate = capture.get(cv2.CAP_PROP_FPS)
    for seconds in times:
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(seconds * rate))
        good, pixels = capture.read()
        if good:
            yield Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    capture.release()


def with_files(file: str, times: Any) -> Iterator[Any]:
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        for number, picture in enumerate(with_decord(file, times)):
            picture.save(Path(folder) / f"{number:06}.jpg", quality=95)
        for path in sorted(Path(folder).iterdir()):
            yield Image.open(path).convert("RGB")


WAYS: dict[str, Callable[[str, Any], Iterator[Any]]] = {
    "decord": with_decord,
    "opencv": with_opencv,
    "files": with_files,
}

if __name__ == "__main__":
    main()
