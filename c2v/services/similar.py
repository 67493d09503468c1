"""What looks like a video, or like a moment of it, among all the others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from c2v.errors import C2VError
from c2v.services.asking import clip_asked, question_of
from c2v.services.places import StrPath
from c2v.services.searching import answers_to

if TYPE_CHECKING:
    from c2v.library import Store
    from c2v.search.results import Answer
    from c2v.services.wanted import Wanted
    from c2v.services.workspace import Workspace


def similar_to(space: Workspace, clip: StrPath, wanted: Wanted) -> Answer:
    """The moments of other videos that look like ``FILE``, ``FILE@TIME`` or ``FILE@FROM-TO``."""
    bundle = space.encoder()
    question = question_of(space, bundle, None, {**wanted, "video": clip})
    same = _same(space.store, clip_asked(clip)[0])
    return answers_to(space, bundle, [question], wanted, without=same)[0]


def _same(store: Store, path: Path) -> frozenset[int]:
    """The videos at this path and of the content that is there now."""
    from c2v.media.identity import content_id

    with store.snapshot():
        video = store.video_by_path(path.absolute())
        ids = set() if video is None else {video.id}
        contents = set() if video is None else {video.content_id}
        try:
            contents.add(content_id(path))
        except C2VError:
            if video is None:
                raise
        for content in contents:
            ids |= {copy.id for copy in store.videos_of_content(content)}
    return frozenset(ids)
