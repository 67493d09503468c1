"""An encoder bundle in use: frames and texts to features, features to vectors of a library.

Nothing heavy is imported until it is needed: embedding a text never imports torch, and the image
tower is made when the first frame is encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2v.config import SETTINGS
from c2v.encoder.bundle_config import CONFIG_NAME, GRAPHS, BundleConfig, read_config
from c2v.encoder.devices import check_device_name, resolve_device, usable_gpu
from c2v.encoder.fingerprints import bundle_fingerprint, file_digest, towers_fingerprint
from c2v.encoder.hubs import GAIN, Hubs
from c2v.encoder.made_once import made_once
from c2v.encoder.padding import pad
from c2v.encoder.towers import TextFeatures, WordTower
from c2v.encoder.towers.making import make_image_tower, make_text_tower
from c2v.errors import DeviceError, ModelError, UsageError
from c2v.optional import has, remark

if TYPE_CHECKING:
    from c2v.encoder.heads import Head
    from c2v.encoder.text.tokenizer import TextTokenizer
    from c2v.encoder.towers import ImageTower, TextTower

_TEXTS_AT_ONCE = 256  # token features of many texts would fill the memory
_SEGMENTS_AT_ONCE = 64


class Bundle:
    """One encoder: two towers, a tokenizer and a temporal head.

    Threads may share one: each part is made once. Pickled, it is the four attributes below, and the
    process that reads it makes parts of its own.

    Attributes:
        directory: the folder of the bundle.
        config: what stands in its ``config.json``.
        device: the device as it was asked for (``auto`` is resolved when torch is first needed).
        precision: ``auto``, ``fp32``, ``bf16``, ``fp16`` or ``int8``, as it was asked for.
    """

    def __init__(
        self,
        directory: Path,
        config: BundleConfig,
        *,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        if not SETTINGS["precision"].takes(precision):
            raise UsageError(
                f"--precision {precision} is not a precision",
                hint=SETTINGS["precision"].hint,
            )
        self.directory = directory
        self.config = config
        self.device = check_device_name(device)
        self.precision = precision

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs to open the same encoder; it makes towers of its own."""
        kept = ("directory", "config", "device", "precision")
        return {name: self.__dict__[name] for name in kept}

    def __repr__(self) -> str:
        return f"Bundle({self.name!r}, {str(self.directory)!r})"

    @property
    def name(self) -> str:
        """The name it is chosen by."""
        return self.config.name

    @property
    def chosen_directory(self) -> Path:
        """The folder that its name leads to."""
        return self.directory

    @property
    def fingerprint(self) -> str:
        """Identifies everything that shapes a vector of a library."""
        return self.config.fingerprint

    @property
    def towers_fingerprint(self) -> str:
        """Identifies everything that shapes a stage-1 frame feature."""
        return self.config.towers_fingerprint

    @property
    def feature_dim(self) -> int:
        """D, the width of frame and token features."""
        return self.config.feature_dim

    @property
    def vector_dim(self) -> int:
        """V, the width of the vectors of a library."""
        return self.config.vector_dim

    @property
    def interacts(self) -> bool:
        """Whether the head compares words with frames: vectors only propose what it scores."""
        return self.config.head.type == "wti"

    @property
    def head_dim(self) -> int:
        """H, the width of the head's vectors: V, or one less where a library keeps a bias."""
        return self.config.head_dim

    @made_once
    def tokenizer(self) -> TextTokenizer:
        """The tokenizer of the text tower."""
        from c2v.encoder.text.tokenizer import load_tokenizer

        return load_tokenizer(self.directory, self.config.text)

    @made_once
    def head(self) -> Head:
        """The temporal head (stage 2)."""
        from c2v.encoder.heads import load_head

        head = load_head(self.directory, self.config, device=self.device)
        if head.vector_dim != self.head_dim:
            raise ModelError(
                f"{self.directory / CONFIG_NAME}: vector_dim is {self.vector_dim}, which is "
                f"{self.head_dim} of the head; the head gives {head.vector_dim}"
            )
        return head

    @made_once
    def hubs(self) -> Hubs | None:
        """The hub bias of segments; None where there is none."""
        if self.config.hubs is None:
            return None
        return Hubs.load(self.directory, self.config.hubs, self.head)

    @made_once
    def image_tower(self) -> ImageTower:
        """The image tower, made on first use."""
        on_cpu = self.config.image.family in GRAPHS
        return make_image_tower(
            self.directory,
            self.config,
            device="cpu" if on_cpu else resolve_device(self.device),
            precision=self.precision,
        )

    @made_once
    def text_tower(self) -> TextTower:
        """The text tower, made on first use."""
        return make_text_tower(self.directory, self.config)

    def encode_frames(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Frames [N, side, side, 3] uint8 RGB to features [N, D] float32, **not** normalised.

        Source: CLIP2Video, section 3.1. Any N, also none. An encoder that takes clips of T pictures
        gets [N, T, side, side, 3]; a single picture is to it a clip in which nothing moves.

        Raises:
            ModelError: the pictures are not of the tower's size or not uint8.
        """
        side, clip = self.config.image.side, self.config.image.clip
        if clip is not None:
            images = _as_clips(images, clip[0], side, name=self.name)
        elif images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise ModelError(
                f"{self.name} takes uint8 frames of shape [N, {side}, {side}, 3], "
                f"got {images.dtype} {list(images.shape)}"
            )
        if len(images) == 0:
            return np.zeros((0, self.feature_dim), np.float32)
        return self.image_tower.encode(images)

    def encode_text(
        self,
        texts: Sequence[str],
        *,
        most_tokens: int | None = None,
        words: bool | None = None,
    ) -> TextFeatures:
        """Texts to token features [N, L, D] and mask [N, L], **not** normalised.

        L is the longest text of the batch in tokens; the feature at the last masked position of a
        row is the feature of the whole text. A text of more than ``most_tokens`` is cut to them,
        the end token being the last (papers read 32 or 64 where a tower could read 77).
        ``words`` are asked for also of a tower that otherwise gives one feature a text; None is
        what the head needs.
        """
        if isinstance(texts, str):
            raise TypeError("encode_text takes a list of texts, got one text")
        ids, mask = self.token_ids(texts, most_tokens=most_tokens)
        tower = self.text_tower
        words = self.interacts if words is None else words
        if words and isinstance(tower, WordTower):
            return tower.encode_words(ids, mask)
        return tower.encode(ids, mask)

    def token_ids(
        self, texts: Sequence[str], *, most_tokens: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Ids [N, L] and mask [N, L] of texts; ``most_tokens`` as in ``encode_text``."""
        ids, mask = self.tokenizer.encode(texts)
        if most_tokens is not None:
            ids, mask = _cut(ids, mask, most_tokens, pad_id=self.config.text.pad_id)
        return ids, mask

    def embed_video(
        self, features: NDArray[np.floating], mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Frame features [B, T, D] with mask [B, T] to vectors [B, H] of unit length."""
        return self.head.embed_video(np.asarray(features, np.float32), np.asarray(mask, np.bool_))

    def embed_segments(
        self,
        segments: Sequence[NDArray[Any]],
        *,
        length: int = 0,
        filler: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Frame features [T_i, D] of B segments to vectors [B, H] of unit length; any B.

        They are padded and masked a batch at a time (:func:`c2v.encoder.padding.pad`).
        """
        vectors = np.empty((len(segments), self.head_dim), np.float32)
        for first in range(0, len(segments), _SEGMENTS_AT_ONCE):
            batch = segments[first : first + _SEGMENTS_AT_ONCE]
            padded, mask = pad(batch, length=length, filler=filler)
            vectors[first : first + len(batch)] = self.embed_video(padded, mask)
        return vectors

    def embed_text(
        self, texts: Sequence[str], *, most_tokens: int | None = None
    ) -> NDArray[np.float32]:
        """Texts to vectors [N, H] of unit length; ``most_tokens`` as in ``encode_text``."""
        if isinstance(texts, str):
            raise TypeError("embed_text takes a list of texts, got one text")
        vectors = np.zeros((len(texts), self.head_dim), np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = texts[start : start + _TEXTS_AT_ONCE]
            features = self.encode_text(part, most_tokens=most_tokens)
            vectors[start : start + _TEXTS_AT_ONCE] = self.head.embed_text(
                features.tokens, features.mask
            )
        return vectors

    def for_library(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors [N, H] of segments as a library keeps them: [N, V]."""
        if self.hubs is None:
            return vectors
        return np.concatenate([vectors, self.hubs.column(vectors)[:, None]], axis=1)

    def from_library(self, kept: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors [..., V] of a library as the head made them: [..., H]."""
        return kept[..., : self.head_dim]

    def as_questions(
        self, vectors: NDArray[np.float32], words: Sequence[float] | float = 1.0
    ) -> NDArray[np.float32]:
        """Vectors [N, H] as a library is asked: [N, V].

        ``words`` is how much of each is text: 1 of a sentence, 0 of pictures.
        """
        if self.config.hubs is None:
            return vectors
        column = np.broadcast_to(np.asarray(words, np.float32) / GAIN, len(vectors))
        return np.concatenate([vectors, column[:, None]], axis=1)

    def check_parts(self) -> None:
        """Say before any work that videos cannot be encoded as it was asked for.

        Raises:
            MissingPartError: it takes a part that is not installed, with the command for it.
            ModelError: the image tower has no such precision.
        """
        from c2v.encoder.heads import check_video_side, head_settings

        check_video_side(head_settings(self.config), of=self.name)
        if self.config.image.family in GRAPHS:
            from c2v.encoder.towers.onnx_image import check_precision

            check_precision(self.config, self.precision)
        else:
            from c2v.encoder.towers.clip_image import check_parts

            check_parts(self.config, device=self.device, precision=self.precision)

    @property
    def slower_because(self) -> str:
        """A line on what ``auto`` would have chosen if PyTorch were here; empty if nothing else."""
        if self.config.image.family in GRAPHS or has("torch", "open_clip"):
            return ""
        gpu = usable_gpu() if self.device == "auto" else ""
        if gpu:
            return remark(f"{gpu} is here and stays unused", "torch", "open_clip")
        from c2v.encoder.towers.precision import cpu_has_bf16

        if self.precision == "auto" and cpu_has_bf16():
            gain = f"{self.name} runs in fp32 or int8 on a processor that is quick in bf16"
            return remark(gain, "torch", "open_clip")
        return ""

    def verify(self) -> None:
        """Hash every file again and compare with what was noted when the bundle was written.

        Raises:
            ModelError: naming the first file that is not what it was.
        """
        for name, record in self.config.files.items():
            if file_digest(self.directory / name) != record.digest:
                raise ModelError(
                    f"{self.directory / name} was changed or damaged after the bundle was written",
                    hint=f"c2v model pull {self.name} --overwrite",
                )


def _as_clips(images: NDArray[np.uint8], frames: int, side: int, *, name: str) -> NDArray[np.uint8]:
    """Clips [N, T, side, side, 3] as they are; pictures [N, side, side, 3] as clips of one each.

    Raises:
        ModelError: they are neither.
    """
    if images.dtype == np.uint8 and images.shape[1:] == (frames, side, side, 3):
        return images
    if images.dtype == np.uint8 and images.shape[1:] == (side, side, 3):
        return np.repeat(images[:, np.newaxis], frames, axis=1)
    raise ModelError(
        f"{name} takes uint8 clips of shape [N, {frames}, {side}, {side}, 3], "
        f"got {images.dtype} {list(images.shape)}"
    )


def _cut(
    ids: NDArray[np.int64], mask: NDArray[np.bool_], most: int, *, pad_id: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Ids and mask [N, L] with at most so many tokens a row; the last one stays the last."""
    if most >= ids.shape[1]:
        return ids, mask
    lengths = mask.sum(axis=1)
    cut = np.flatnonzero(lengths > most)
    ids, mask = ids.copy(), mask.copy()
    ids[cut, most - 1] = ids[cut, lengths[cut] - 1]
    ids[cut, most:] = pad_id
    mask[:, most:] = False
    return ids, mask


def load_bundle(
    name_or_directory: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
) -> Bundle:
    """Open an encoder of this machine by name (shipped, fetched, imported, trained) or by folder.

    Nothing is fetched: that is what ``c2v model pull`` is for.

    Args:
        name_or_directory: for instance ``mini``, ``ViT-B-32``, ``ViT-B-16-quickgelu/openai``, or
            the folder of a bundle.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: ``auto``, ``fp32``, ``bf16``, ``fp16`` or ``int8``, of the image tower.

    Raises:
        ModelError: there is no such encoder here, or its folder is damaged.
        DeviceError: a device that is asked for is not there.
        UsageError: a malformed device or precision.
    """
    from c2v.encoder.catalogue import locate_bundle

    if device not in ("auto", "cpu"):
        resolve_device(device)  # asked for and absent: said before any work
    directory = locate_bundle(name_or_directory)
    config = read_config(directory)
    check_unchanged(directory, config)
    if config.image.family in GRAPHS and device not in ("auto", "cpu"):
        raise DeviceError(
            f"{config.name} runs on the CPU alone, and --device {device} was asked for",
            hint="--device cpu, or another --model",
        )
    return Bundle(directory, config, device=device, precision=precision)


def check_unchanged(directory: Path, config: BundleConfig) -> None:
    """Notice, without hashing weights, a bundle whose files or settings were edited by hand.

    Raises:
        ModelError: a file is missing or of another size, or the settings do not give the
            fingerprints noted beside them.
    """
    for name, record in config.files.items():
        path = directory / name
        size = path.stat().st_size if path.is_file() else -1
        if size != record.size_bytes:
            found = "is missing" if size < 0 else f"has {size} bytes, not {record.size_bytes}"
            raise ModelError(f"{path} {found}", hint=f"c2v model pull {config.name} --overwrite")
    towers = towers_fingerprint(config.image, config.files)
    whole = bundle_fingerprint(config.image, config.text, config.head, config.files, config.hubs)
    if (towers, whole) != (config.towers_fingerprint, config.fingerprint):
        raise ModelError(
            f"{directory / CONFIG_NAME} was edited: its settings do not give its fingerprint",
            hint=f"c2v model pull {config.name} --overwrite",
        )
