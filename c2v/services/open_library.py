"""``c2v.open``: a library by its name, with settings of one's own."""

from __future__ import annotations

import os

from c2v.config import load_settings
from c2v.services.places import StrPath
from c2v.services.telling import Tell, log_notice, log_problem
from c2v.services.video_library import VideoLibrary


def open_library(
    library: StrPath | None = None,
    *,
    on_notice: Tell = log_notice,
    on_problem: Tell = log_problem,
    **settings: str | int | None,
) -> VideoLibrary:
    """The library of that name or folder; None is the one of the settings.

    Nothing is read yet: a library that does not exist is made by its first ``index``.

    Args:
        library: a name, or anything that looks like a path.
        on_notice: told in a line what is good to know; else the logger ``c2v`` is.
        on_problem: told in a line what was left out or could not be done; else the logger is.
        settings: those of ``c2v config show``, such as ``device="cuda"``; what is not given comes
            from ``C2V_*`` variables and ``config.toml``.

    Raises:
        UsageError: a setting that is unknown or does not fit.
    """
    name = None if library is None else os.fspath(library)
    return VideoLibrary(
        load_settings(library=name, **settings),
        asked_for=library is not None,
        on_notice=on_notice,
        on_problem=on_problem,
    )
