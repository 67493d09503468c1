"""Which encoder a command works with: the library's own, the one asked for, or the default."""

from typing import TYPE_CHECKING, Annotated

import typer

from c2v.errors import LibraryError

if TYPE_CHECKING:
    from c2v.cli.session import Session
    from c2v.encoder.bundle import Bundle
    from c2v.library import Store

ModelFlag = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", metavar="NAME", help="The encoder.  \\[env: C2V_MODEL]", show_default=False
    ),
]
DeviceFlag = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda|cuda:N|mps",
        help="Where the encoder runs.  \\[env: C2V_DEVICE]",
        show_default=False,
    ),
]
PrecisionFlag = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="auto|fp32|bf16|fp16|int8",
        help="Numbers the image tower computes with.  \\[env: C2V_PRECISION]",
        show_default=False,
    ),
]


def open_library(session: "Session") -> "Store":
    """The library of this call, which has to exist and to have videos by some model."""
    from c2v.library import open_store

    library = open_store(session.library_address())
    if library.model is None:
        library.close()
        raise LibraryError(f"the library {library.address} is empty", hint="c2v index PATH")
    return library


def chosen_bundle(
    session: "Session", model: str | None, *, device: str | None, precision: str | None
) -> "Bundle":
    """The encoder for what needs no library: ``model``, else the library's own, else the default.

    A library that was asked for by name has to exist. A model of the settings that gives way to
    the library's is named.
    """
    from c2v.encoder.bundle import load_bundle
    from c2v.encoder.catalogue import AUTO, choose_default
    from c2v.library import open_store, store_exists

    settings = session.settings(device=device, precision=precision)
    if model is not None:
        return load_bundle(model, device=settings.device, precision=settings.precision)
    if session.library is not None or store_exists(session.library_address()):
        with open_store(session.library_address()) as library:
            if library.model is not None:
                held = library.model.name
                if settings.model not in (AUTO, held):
                    session.notice(
                        f"with {held}, the model of the library {library.address}; "
                        f"for the one of the settings: --model {settings.model}"
                    )
                return library_bundle(session, library, device=device, precision=precision)
    name, notice = choose_default(configured=settings.model)
    if notice:
        session.notice(notice)
    return load_bundle(name, device=settings.device, precision=settings.precision)


def library_bundle(
    session: "Session",
    library: "Store",
    *,
    device: str | None = None,
    precision: str | None = None,
) -> "Bundle":
    """The encoder whose vectors ``library`` holds; an encoder that changed since is refused."""
    from c2v.encoder.bundle import load_bundle

    record = library.model
    if record is None:
        raise LibraryError(f"the library {library.address} is empty", hint="c2v index PATH")
    settings = session.settings(device=device, precision=precision)
    bundle = load_bundle(record.name, device=settings.device, precision=settings.precision)
    if bundle.fingerprint != record.fingerprint:
        raise LibraryError(
            f"the model {record.name} has changed since it filled the library {library.address}",
            hint=f"c2v index --model {record.name} --rebuild PATH",
        )
    return bundle
