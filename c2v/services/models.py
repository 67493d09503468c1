"""Models that leave this machine, and which libraries would miss them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from c2v.errors import ModelError
from c2v.services.libraries import FoundLibrary, list_libraries

if TYPE_CHECKING:
    from c2v.encoder.registry import FoundBundle


def remove_model(
    name: str, *, force: bool, library: str, confirm: Callable[[FoundBundle], None]
) -> FoundBundle:
    """Delete a model from this machine.

    Args:
        name: as ``c2v model list`` shows it.
        force: also while libraries are filled by it; they cannot be searched then.
        library: looked at too, if it is a folder of its own.
        confirm: told what is about to be deleted; raising stops it.

    Raises:
        ModelError: there is none of that name, it comes with c2v, or a library needs it.
    """
    from c2v.encoder.catalogue import not_here
    from c2v.encoder.registry import list_bundles
    from c2v.files.drafts import remove_folder

    named = [bundle for bundle in list_bundles() if bundle.name == name]
    found = next((bundle for bundle in named if bundle.origin == "user"), None)
    if found is None and named:
        raise ModelError(f"{name} comes with c2v and stays", hint="c2v model use NAME")
    if found is None:
        raise not_here(name)
    # With one of that name that comes with c2v it goes on, or is refused, by that one's files.
    if (users := _users(name, library)) and not force:
        raise _in_use(name, users)
    confirm(found)
    try:
        remove_folder(found.directory)
    except OSError as error:
        raise ModelError(
            f"{found.directory} cannot be deleted: {error.strerror}",
            hint="check the permissions of the folder, and whether another program has it open",
        ) from error
    return found


def _users(name: str, library: str) -> list[FoundLibrary]:
    return [one for one in list_libraries(also=library) if one.model == name]


def _in_use(name: str, users: list[FoundLibrary]) -> ModelError:
    import shlex

    first = users[0]
    more = f" and {len(users) - 1} more" if len(users) > 1 else ""
    return ModelError(
        f"the library {first.name}{more} was filled by {name}, and could not be searched without",
        hint=f"fill it by another: c2v index --model OTHER --library {shlex.quote(first.name)} "
        "PATH; or remove it all the same: --force",
    )
