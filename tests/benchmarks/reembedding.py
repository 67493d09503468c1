"""A new head over an old library against indexing afresh: python -m tests.benchmarks.reembedding.

Both are timed in one process, on the same videos, one after the other in turns. The towers are
ViT-B/32 with random weights (speed does not depend on them), the new head is CLIP2Video's. Also
a measurement of ``python -m tests.benchmarks``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from c2v.demo.clips import make_demo_videos
from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.bundle_config import HeadConfig
from c2v.encoder.clip_bundle import ClipSource, write_clip_bundle
from c2v.encoder.heads import HeadSettings
from c2v.encoder.heads.initialise import init_from_clip
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.reembedding import model_record, reembed
from c2v.library import open_store
from tests.benchmarks.measure import Row, compare


def make_bundles(folder: Path) -> tuple[Bundle, Bundle]:
    """The same towers with meanP and with CLIP2Video; made on first use."""
    if (folder / "temporal").exists():
        return load_bundle(folder / "plain"), load_bundle(folder / "temporal")
    import open_clip

    model = open_clip.get_model_config("ViT-B-32-quickgelu")
    state = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None).state_dict()
    settings, head = init_from_clip(HeadSettings(type="clip2video", feature_dim=512), state)
    described = settings.as_dict()
    kind = described.pop("type")
    plain = ClipSource(state=dict(state), model=model, source="a benchmark", licence="none")
    temporal = ClipSource(
        state=dict(state),
        model=model,
        source="a benchmark",
        licence="none",
        head=HeadConfig(kind, described),
        head_state=head,
        vector_dim=settings.vector_dim,
    )
    for name, clip in (("plain", plain), ("temporal", temporal)):
        write_clip_bundle(folder / name, name=name, clip=clip)
    return load_bundle(folder / "plain"), load_bundle(folder / "temporal")


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """The videos of the demo, embedded again with another head against indexed afresh."""
    afresh, again, segments = times(folder, runs=1 if short else min(runs, 3))
    what = f"new head over an old library ({segments} segments)"
    return [compare(what, "indexing afresh", again, afresh, is_speed=True)]


def times(
    folder: Path, *, runs: int, videos: Path | None = None
) -> tuple[list[float], list[float], int]:
    """Seconds of indexing afresh and of embedding again, and how many segments there were."""
    if videos is None:
        videos = folder / "videos"
        make_demo_videos(videos)
    plain, temporal = make_bundles(folder)
    afresh, again, segments = [], [], 0
    for _ in range(runs + 1):  # the first round warms up and does not count
        with (
            tempfile.TemporaryDirectory(dir=folder) as place,
            open_store(Path(place) / "library", create=True) as library,
            library.writer(),
        ):
            library.set_model(model_record(plain))
            started = time.perf_counter()
            index_paths(library, plain, [videos], options=IndexOptions())
            afresh.append(time.perf_counter() - started)
            started = time.perf_counter()
            reembed(library, temporal)
            again.append(time.perf_counter() - started)
            segments = library.counts().segments
    return afresh[1:], again[1:], segments


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path, help="a folder; the demo's videos if not given")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        afresh, again, segments = times(Path(scratch), runs=options.rounds, videos=options.videos)
    before, after = statistics.median(afresh), statistics.median(again)
    print(f"{segments} segments, medians of {options.rounds} rounds")
    print(f"indexed afresh     {before:8.2f} s")
    print(f"embedded again     {after:8.3f} s   {before / after:.0f}x faster")


if __name__ == "__main__":
    main()
