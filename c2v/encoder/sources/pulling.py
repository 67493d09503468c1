"""From a wish for a model to its bundle: said, fetched, checked, written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from c2v.encoder.architecture import model_config, text_architecture
from c2v.encoder.clip_bundle import write_clip_bundle
from c2v.encoder.known_architectures import known_architecture
from c2v.encoder.licences import licence_of
from c2v.encoder.pretrained import find_pretrained
from c2v.encoder.sources.announcement import announcement
from c2v.encoder.sources.hub import (
    Fetching,
    hub_model,
    hub_source,
    is_cached,
    require_network,
    require_online,
)
from c2v.encoder.sources.origins import Origin, sweep
from c2v.encoder.sources.ready_bundles import ReadyBundle, find_ready
from c2v.encoder.sources.text_parts import check_text_parts
from c2v.encoder.sources.transfer import Progress
from c2v.errors import ModelError
from c2v.optional import has


@dataclass(frozen=True, slots=True)
class PullWish:
    """A model to fetch, where from, and who is told of it (:func:`c2v.encoder.catalogue
    .fetch_bundle`)."""

    name: str
    source: str
    """``ARCHITECTURE/TAG``; empty of a bundle that has no such name."""
    origin: Origin
    is_named: bool
    """Whether the origin was asked for: it may hold a bundle of c2v."""
    announce: Callable[[str], None]
    remark: Callable[[str], None]
    on_progress: Progress | None


def pull(wish: PullWish, target: Path, *, overwrite: bool) -> None:
    """Fetch a model and write its bundle to ``target``.

    Raises:
        ModelError, UnreachableError, MissingPartError: as ``fetch_bundle`` says.
    """
    repository = "" if wish.is_named else _repository(wish.source)
    cached = not wish.is_named and is_cached(wish.source)
    if not cached:
        require_online(wish.name, wish.origin)
        wish.announce(announcement(wish.name, wish.origin))
    if wish.is_named:
        if _pull_ready(wish, target, overwrite=overwrite):
            return
        repository = _repository(wish.source)
    if not cached:
        require_network(wish.name, wish.origin)  # before open_clip, whose import takes seconds
    wish.remark(licence_of(repository).sentence(wish.name))
    fetching = Fetching(
        wish.name,
        wish.origin,
        wish.remark,
        on_progress=wish.on_progress,
        reads_cache=not wish.is_named,
    )
    clip, file = hub_source(wish.source, fetching)
    write_clip_bundle(target, name=wish.name, clip=clip, overwrite=overwrite)
    sweep(file)


def _pull_ready(wish: PullWish, target: Path, *, overwrite: bool) -> bool:
    """Copy a bundle of c2v that lies at the address; whether there was one.

    Raises:
        ModelError: there is none, and no weights have that name either.
    """
    require_network(wish.name, wish.origin)
    found = find_ready(wish.origin, wish.name)
    if found is None and not wish.source:
        raise ModelError(
            f"{wish.origin.shown} holds no model of c2v named {wish.name}",
            hint="c2v model list --available shows the names of others",
        )
    if found is None:
        return False
    wish.remark(_licence_line(found, wish.name))
    found.write(target, name=wish.name, overwrite=overwrite, on_progress=wish.on_progress)
    return True


def _licence_line(found: ReadyBundle, name: str) -> str:
    return f"licence of {name}: {found.licence}"


def _repository(source: str) -> str:
    """The repository of weights; what c2v cannot run is refused before anything is said.

    Raises:
        ModelError: no such weights, or towers that c2v cannot run.
        MissingPartError: only open_clip knows them.
    """
    architecture, _, tag = source.partition("/")
    if known_architecture(architecture) is not None or has("torch", "open_clip"):
        model = model_config(architecture)
        text_architecture(model)
        check_text_parts(model, wish=f"the model {source}")
    known = find_pretrained(source)
    return known.repository if known else hub_model(architecture, tag).repository
