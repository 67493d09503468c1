"""c2v: grep for videos.

>>> import c2v
>>> videos = c2v.open("family")  # a name, a folder, or nothing: the library of the settings
>>> videos.exists
False

What an index, a search and the other methods do and give is told by
:class:`c2v.services.video_library.VideoLibrary`. Importing ``c2v`` loads nothing else.

The way of one video, from the disk to the library: ``cli/index.py`` (or a script),
``services/filling.py`` (library and encoder), ``indexing/pipeline.py`` (scan, plan, run, commit),
``indexing/plan.py`` (what has to be read), ``indexing/local.py`` (decodes on threads and encodes),
``media/sampled.py`` (which pictures of a file), ``indexing/assembly.py`` (features to segments with
vectors), ``indexing/committer.py`` (into the store).

The way of one question, from the words to the table: ``cli/search.py`` (or a script),
``services/searching.py``, ``search/text_cache.py`` (was it asked before?),
``encoder/bundle.py`` (words to a vector), ``search/ranking.py`` (segments, videos, best frames),
``library/sqlite/searcher.py`` (exact scan or graph), ``search/results.py``, ``cli/render.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from c2v.telemetry import refuse_telemetry

if TYPE_CHECKING:
    from c2v.evaluation.retrieval import Evaluation
    from c2v.indexing.report import IndexReport
    from c2v.search.results import Answer, Moment
    from c2v.services.open_library import open_library as open  # noqa: A004
    from c2v.services.reports import Comparison, Description, Removed, Status
    from c2v.services.video_library import VideoLibrary

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Comparison",
    "Description",
    "Evaluation",
    "IndexReport",
    "Moment",
    "Removed",
    "Status",
    "VideoLibrary",
    "__version__",
    "open",
]

_PLACES = {
    "Answer": ("c2v.search.results", "Answer"),
    "Comparison": ("c2v.services.reports", "Comparison"),
    "Description": ("c2v.services.reports", "Description"),
    "Evaluation": ("c2v.evaluation.retrieval", "Evaluation"),
    "IndexReport": ("c2v.indexing.report", "IndexReport"),
    "Moment": ("c2v.search.results", "Moment"),
    "Removed": ("c2v.services.reports", "Removed"),
    "Status": ("c2v.services.reports", "Status"),
    "VideoLibrary": ("c2v.services.video_library", "VideoLibrary"),
    "open": ("c2v.services.open_library", "open_library"),
}

refuse_telemetry()


def __getattr__(name: str) -> Any:
    """Load a name of :data:`__all__` when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, inside = _PLACES[name]
    found = globals()[name] = getattr(import_module(module), inside)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
