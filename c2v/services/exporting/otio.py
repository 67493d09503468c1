"""OpenTimelineIO: its JSON, written as its own library writes it, so that nobody needs that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from c2v.services.exporting.clips import EditClip
from c2v.services.exporting.names import file_uri, readable


def otio(clips: Sequence[EditClip], title: str) -> bytes:
    """A timeline of one track, the clips one after the other; each has a marker at its best."""
    track: dict[str, Any] = {
        "OTIO_SCHEMA": "Track.1",
        "name": "V1",
        "kind": "Video",
        "metadata": {},
        "source_range": None,
        "effects": [],
        "markers": [],
        "enabled": True,
        "children": [_clip(clip) for clip in clips],
    }
    timeline: dict[str, Any] = {
        "OTIO_SCHEMA": "Timeline.1",
        "name": readable(title),
        "metadata": {},
        "global_start_time": None,
        "tracks": {
            "OTIO_SCHEMA": "Stack.1",
            "name": "tracks",
            "metadata": {},
            "source_range": None,
            "effects": [],
            "markers": [],
            "enabled": True,
            "children": [track],
        },
    }
    return (json.dumps(timeline, ensure_ascii=False, indent=2) + "\n").encode()


def _clip(clip: EditClip) -> dict[str, Any]:
    source = clip.source
    begins = source.first_frame
    return {
        "OTIO_SCHEMA": "Clip.2",
        "name": source.name,
        "metadata": {"c2v": {"rank": clip.rank, "score": round(clip.score, 6)}},
        "source_range": _range(begins + clip.first, clip.last - clip.first, source.rate),
        "effects": [],
        "markers": [_marker(begins + clip.best, source.rate)],
        "enabled": True,
        "active_media_reference_key": "DEFAULT_MEDIA",
        "media_references": {
            "DEFAULT_MEDIA": {
                "OTIO_SCHEMA": "ExternalReference.1",
                "name": source.name,
                "metadata": {},
                "available_range": _range(begins, source.frames, source.rate),
                "available_image_bounds": None,
                "target_url": file_uri(source.path),
            }
        },
    }


def _marker(frame: int, rate: Fraction) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "Marker.2",
        "name": "best",
        "metadata": {},
        "color": "GREEN",
        "comment": "",
        "marked_range": _range(frame, 1, rate),
    }


def _range(first: int, frames: int, rate: Fraction) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": _time(first, rate),
        "duration": _time(frames, rate),
    }


def _time(frames: int, rate: Fraction) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "value": float(frames), "rate": float(rate)}
