"""What is on disk: SQLite as the truth, a matrix and an HNSW graph as caches.

>>> import tempfile, numpy as np
>>> from pathlib import Path
>>> from c2v.library import ModelRecord, NewVideo, SegmentData, open_store
>>> library = open_store(Path(tempfile.mkdtemp()), create=True)
>>> library.set_model(ModelRecord("toy", "f1", "t1", feature_dim=2, vector_dim=2))
>>> times, features = np.zeros(1, "f4"), np.ones((1, 2), "f2")
>>> east, north = (SegmentData(0, 1, times, features, vector) for vector in np.eye(2, dtype="f4"))
>>> video = NewVideo(path="/v.mp4", size_bytes=1, mtime_ns=2, content_id="c",
...     duration_seconds=2.0, width=4, height=4, codec="h264", sampling="auto")
>>> key = library.put_video(video, [east, north])
>>> library.nearest(np.array([[0.6, 0.8]], "f4"), 2).scores.round(2).tolist()
[[0.800000011920929, 0.6000000238418579]]
>>> library.close()
"""

from c2v.library.addresses import Address, open_store, store_exists
from c2v.library.filters import NEAR_SECONDS, Filter
from c2v.library.lines import (
    IN_THE_VIDEO,
    Line,
    SaidLine,
    SaidWords,
    SubtitleData,
    SubtitleState,
)
from c2v.library.records import (
    FOLDER_BYTES,
    Counts,
    FailureRecord,
    FeatureBatch,
    HnswSettings,
    ModelRecord,
    Nearest,
    NewVideo,
    SegmentData,
    SegmentRow,
    StorageSizes,
    Tag,
    UsedStrategy,
    VideoRecord,
)
from c2v.library.store import Store

__all__ = [
    "FOLDER_BYTES",
    "IN_THE_VIDEO",
    "NEAR_SECONDS",
    "Address",
    "Counts",
    "FailureRecord",
    "FeatureBatch",
    "Filter",
    "HnswSettings",
    "Line",
    "ModelRecord",
    "Nearest",
    "NewVideo",
    "SaidLine",
    "SaidWords",
    "SegmentData",
    "SegmentRow",
    "StorageSizes",
    "Store",
    "SubtitleData",
    "SubtitleState",
    "Tag",
    "UsedStrategy",
    "VideoRecord",
    "open_store",
    "store_exists",
]
