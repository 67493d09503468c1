"""Frames for training and pictures of a report: an exception out of one file is that file's."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.encoder.bundle import load_bundle
from c2v.evaluation.failures import _thumbnail
from c2v.media import pyav_decoder
from c2v.training.distributed import Group
from c2v.training.frame_cache import decoded_frames


def test_one_odd_file_does_not_end_the_training(
    videos: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(videos.make_video(tmp_path / f"{n}.mp4", count=10, rate=5)) for n in range(3)]
    right = pyav_decoder.square_picture
    calls = [0]

    def odd(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == 11:  # the second file's first
            raise ValueError("31 is not a valid Type")
        return right(*arguments, **options)

    monkeypatch.setattr(pyav_decoder, "square_picture", odd)
    bundle = load_bundle("mini", device="cpu")
    frames = decoded_frames(
        bundle, paths, first_seconds=None, group=Group(), on_progress=lambda done, count: None
    )
    reasons = {Path(missing.path).name: missing.reason for missing in frames.unreadable}
    assert len(reasons) == 1
    assert next(iter(reasons.values())) == (
        "cannot be read: unexpected ValueError: 31 is not a valid Type"
    )
    assert frames.present.any(axis=1).sum() == 2
    calls[0] = 10
    assert "unexpected ValueError" in _thumbnail(paths[0])
