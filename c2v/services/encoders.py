"""Which encoder is worked with: the one asked for, the library's own, or the default."""

from __future__ import annotations

import os
import shlex
import threading
from typing import TYPE_CHECKING

from c2v.config import SETTINGS, Settings
from c2v.errors import C2VError, LibraryError
from c2v.services.telling import Tell

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.library import ModelRecord, Store


class Encoders:
    """The encoders of one :class:`c2v.services.video_library.VideoLibrary`, each loaded once.

    Threads may share them.
    """

    def __init__(self, settings: Settings, *, notice: Tell) -> None:
        self._settings = settings
        self._notice = notice
        self._loaded: dict[str, Bundle] = {}
        self._mentioned = False
        self._lock = threading.Lock()

    def named(self, name: str) -> Bundle:
        """The encoder of that name (or folder), on the device of the settings.

        Raises:
            ModelError: there is none here, or it is damaged.
        """
        from c2v.encoder.bundle_config import read_config

        with self._lock:
            known = self._loaded.get(name)
            if known is None or read_config(known.directory).fingerprint != known.fingerprint:
                known = self._loaded[name] = self._load(name)
            return known

    def of_library(self, library: Store) -> Bundle:
        """The encoder whose vectors ``library`` holds.

        A model of the settings that is not used because of it is named.

        Raises:
            LibraryError: it is empty, or its encoder has changed since.
            ModelError: its encoder is not here.
        """
        from c2v.library.refusals import model_of

        held = model_of(library)
        self.mention_other_wish(library, held)
        return self._as_recorded(library, held)

    def mention_other_wish(self, library: Store, held: ModelRecord) -> None:
        """Say, once, that the settings name another encoder than the one ``library`` is of."""
        wish = self._settings.model
        if (
            wish in (SETTINGS["model"].default, held.name)
            or self._mentioned
            or _is_the_same(wish, held)
        ):
            return
        self._mentioned = True
        origin = "C2V_MODEL" if os.environ.get("C2V_MODEL") == wish else "the settings"
        place = self._settings.library
        option = f" --library {shlex.quote(place)}" if place != SETTINGS["library"].default else ""
        self._notice(
            f"with {held.name}, the model of the library {library.address}, not {wish} ({origin}); "
            f"to change the library: c2v index --model {shlex.quote(wish)}{option} PATH"
        )

    def default(self) -> Bundle:
        """The encoder of the settings, else ``ViT-B-32`` if it is here, else ``mini``, and why."""
        from c2v.encoder.catalogue import choose_default

        name, remark = choose_default(configured=self._settings.model)
        if remark:
            self._notice(remark)
        return self.named(name)

    def of_library_or_default(self, library: Store) -> Bundle:
        """The encoder of ``library``; while it is empty the default."""
        return self.default() if library.model is None else self.of_library(library)

    def _as_recorded(self, library: Store, record: ModelRecord) -> Bundle:
        with self._lock:
            bundle = self._loaded.get(record.name)
            if bundle is None or bundle.fingerprint != record.fingerprint:
                bundle = self._loaded[record.name] = self._load(record.name)
        bundle = self.as_filled(bundle, record)
        if bundle.fingerprint != record.fingerprint:
            raise LibraryError(
                f"the model {record.name} has changed since it filled the library "
                f"{library.address}",
                hint=f"c2v index --model {record.name} --rebuild PATH",
            )
        return bundle

    def as_filled(self, bundle: Bundle, record: ModelRecord) -> Bundle:
        """The version of a shipped ``bundle`` that filled a library, where that is an earlier one.

        Any other bundle is itself, also one that has nothing to do with ``record``.
        """
        from c2v.encoder.earlier import earlier_version

        if record.fingerprint == bundle.fingerprint:
            return bundle
        with self._lock:
            if (known := self._loaded.get(record.fingerprint)) is None:
                known = earlier_version(bundle, record.fingerprint) or bundle
                if known is not bundle:
                    self._loaded[record.fingerprint] = known
            return known

    def _load(self, name: str) -> Bundle:
        from c2v.encoder.bundle import load_bundle

        settings = self._settings
        return load_bundle(name, device=settings.device, precision=settings.precision)


def _is_the_same(wish: str, held: ModelRecord) -> bool:
    """Whether a setting means the encoder ``held`` by another name: its folder, its source."""
    from c2v.encoder.bundle_config import read_config
    from c2v.encoder.catalogue import locate_bundle
    from c2v.encoder.registry import DEFAULT_NAME, DEFAULT_SOURCE

    if (wish, held.name) == (DEFAULT_SOURCE, DEFAULT_NAME):
        return True
    try:
        return read_config(locate_bundle(wish)).fingerprint == held.fingerprint
    except C2VError:  # it is not on this machine
        return False
