"""The line that comes before a connection: what is fetched, from which host, and how large it is.

It has to be made of what is on this machine, so a size is that of the weights in fp32, counted from
the config of the architecture.
"""

from __future__ import annotations

import math
import os
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from c2v.encoder.architecture import text_architecture
from c2v.encoder.registry import DEFAULT_NAME

_DEFAULT_MEGABYTES: Final = 605
_BYTES: Final = 4  # of a weight in fp32


def endpoint() -> str:
    """Address of the hub, as its own client reads it."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def host() -> str:
    """The host that is asked; of the address neither the user's name nor the password is shown."""
    try:
        parts = urllib.parse.urlsplit(endpoint())
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # no address at all
        return endpoint()
    return f"{parts.hostname}{port}" if parts.hostname else endpoint()


def announcement(name: str, model: Mapping[str, Any]) -> str:
    """One line about what is to be fetched.

    Args:
        name: the name the user asked for.
        model: open_clip's config of its architecture.

    Raises:
        ModelError: its text tower is none that c2v can run, so there is nothing to fetch.
    """
    return f"fetching {name} from {host()} ({_size(name, model)})"


def _size(name: str, model: Mapping[str, Any]) -> str:
    text = sum(math.prod(shape) for shape in text_architecture(model).shapes().values())
    if name == DEFAULT_NAME:
        return f"{_DEFAULT_MEGABYTES} MB"
    image = _image_weights(model)
    if image is None:
        return f"more than {_BYTES * text / 1e6:.0f} MB"
    return f"about {_BYTES * (text + image) / 1e6:.0f} MB"


def _image_weights(model: Mapping[str, Any]) -> int | None:
    """How many there are in a plain vision transformer; None for any other image tower."""
    vision = model["vision_cfg"]
    layers, side, patch = (
        vision.get(key, default)
        for key, default in (("layers", 12), ("image_size", 224), ("patch_size", 16))
    )
    if "timm_model_name" in vision or not all(isinstance(n, int) for n in (layers, side, patch)):
        return None
    width, dim = int(vision.get("width", 768)), int(model["embed_dim"])
    hidden = int(width * vision.get("mlp_ratio", 4.0))
    block = 4 * width * width + 2 * hidden * width + 9 * width + hidden
    patches = 3 * patch * patch * width + ((side // patch) ** 2 + 1) * width
    outside = 5 * width + width * dim  # class token, two norms, projection
    weights: int = layers * block + patches + outside
    return weights
