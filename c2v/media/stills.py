"""A still picture as an encoder is shown it: upright, whatever its EXIF says of the camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError, only_this_file
from c2v.media.containers import MOST_MEGAPIXELS, check_size, plain_reason
from c2v.media.picture import FrameShape, orientation_of, square_picture

_HINT = "give a picture: a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF file"


def still(path: Path, shape: FrameShape) -> NDArray[np.uint8]:
    """The picture in a file, made small: uint8 RGB [side, side, 3]; of a video its first one.

    Raises:
        MediaError: naming the file, when it is no picture that can be read.
    """
    import av

    try:
        if path.is_dir():
            raise MediaError("is a folder, not a picture")
        if not path.is_file():
            reason = "is not a regular file" if path.exists() else "there is no such file"
            raise MediaError(reason)
        limit = {"max_pixels": str(int(MOST_MEGAPIXELS * 1e6)), "protocol_whitelist": "file"}
        with only_this_file(), av.open(str(path), options=limit) as container:
            if not container.streams.video:
                raise MediaError("has no picture in it")
            stream = container.streams.video[0]
            frame = next(iter(container.decode(stream)), None)
            if frame is None:
                raise MediaError("no picture in it can be decoded")
            check_size(frame.width, frame.height, max_megapixels=MOST_MEGAPIXELS)
            aspect = float(stream.sample_aspect_ratio or 1) or 1.0
            orientation = orientation_of(frame)
            return square_picture(frame, shape=shape, pixel_aspect=aspect, orientation=orientation)
    except MediaError as error:
        raise MediaError(f"{path}: {error.message}", hint=error.hint or _HINT) from error
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = f"is not a picture that can be read ({plain_reason(error)})"
        raise MediaError(f"{path}: {reason}", hint=_HINT) from error
