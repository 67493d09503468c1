"""What c2v needs of PyAV holds in every version that it declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from c2v.media import probe
from c2v.media.pyav_versions import open_options


def test_the_installed_version_takes_the_options(videos: Any, tmp_path: Path) -> None:
    path = videos.make_video(tmp_path / "a.mp4")
    with av.open(str(path), mode="r", **open_options()) as container:
        assert container.streams.video


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_tag_that_is_not_utf8_does_not_end_the_opening(
    name: str, videos: Any, tmp_path: Path
) -> None:
    plain = videos.make_video(tmp_path / name)
    tagged = tmp_path / f"tagged-{name}"
    with av.open(str(plain)) as source, av.open(str(tagged), "w") as target:
        target.metadata["title"] = "caf-QQ-bar"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    content = tagged.read_bytes()
    assert b"caf-QQ-bar" in content
    tagged.write_bytes(content.replace(b"caf-QQ-bar", b"caf-\xe9\xff-bar"))
    assert probe(tagged).width == probe(plain).width
