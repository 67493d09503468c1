"""What every ability of the one object works with: a library, its encoders, and whom to tell."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from c2v.config import Settings
from c2v.files.presence import Presence
from c2v.services.encoders import Encoders
from c2v.services.telling import Telling

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.library import Store


class Workspace:
    """The library of ``settings``, opened at the first use, and the encoders it is used with.

    Threads may share it.
    """

    def __init__(self, settings: Settings, telling: Telling, *, asked_for: bool) -> None:
        self.settings = settings
        self.telling = telling
        self.encoders = Encoders(settings, notice=telling.notice)
        self.presence = Presence()
        self._asked_for = asked_for
        self._store: Store | None = None
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the library; the next use opens it again."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    @property
    def exists(self) -> bool:
        """Whether there is a library to be opened, sound or not."""
        from c2v.library import store_exists

        return self._store is not None or store_exists(self.settings.library)

    @property
    def store(self) -> Store:
        """The library itself.

        Raises:
            LibraryError: there is none, or it is damaged.
        """
        return self._opened(create=False)

    def create(self) -> Store:
        """The library itself, made if there is none."""
        return self._opened(create=True)

    def _opened(self, *, create: bool) -> Store:
        from c2v.library import HnswSettings, open_store

        wanted = self.settings
        hnsw = HnswSettings(
            m=wanted.hnsw_m, ef_construction=wanted.hnsw_ef_construction, ef=wanted.hnsw_ef
        )
        with self._lock:
            if self._store is None:
                self._store = open_store(wanted.library, create=create, hnsw=hnsw)
            return self._store

    def encoder(self) -> Bundle:
        """The encoder whose vectors the library holds."""
        return self.encoders.of_library(self.store)

    def encoder_for_clips(self, model: str | None) -> Bundle:
        """For what needs no library: ``model``, else the library's own, else the default."""
        if model is not None:
            return self.encoders.named(model)
        if self._asked_for or self.exists:
            return self.encoders.of_library_or_default(self.store)
        return self.encoders.default()

    def encoders_named(self, names: tuple[str, ...]) -> list[Bundle]:
        """The encoders of these names; of none the library's own, else the default."""
        if names:
            return [self.encoders.named(name) for name in names]
        if self.exists and self.store.model is not None:
            return [self.encoder()]
        return [self.encoders.default()]

    def notice_once(self, text: str) -> None:
        """Tell what is good to know, if it is anything, and only the first time."""
        self.telling.once(self.telling.notice, text)
