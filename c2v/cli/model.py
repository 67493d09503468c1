"""``c2v model``: the encoders on this machine, and how more of them get here."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.cli.consent import YesFlag, require_consent
from c2v.cli.downloads import fetch_model
from c2v.cli.model_tune import described, tune
from c2v.cli.render import PlainFormat, PlainFormatFlag, new_table, show
from c2v.cli.session import Session, command
from c2v.config import set_config_value

if TYPE_CHECKING:
    from c2v.encoder.registry import FoundBundle

NameArgument = Annotated[str, typer.Argument(help="Name of the model.", metavar="NAME")]
OverwriteModelFlag = Annotated[bool, typer.Option("--overwrite", help="Replace one of that name.")]


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(
        help="List, fetch, import, tune, choose and remove models.", no_args_is_help=True
    )
    group.command("list")(command(list_models))
    group.command("info")(command(info))
    group.command("pull")(command(pull))
    group.command("import")(command(import_file))
    group.command("export")(command(export))
    group.command("use")(command(use))
    group.command("tune")(command(tune))
    group.command("remove")(command(remove))
    app.add_typer(group, name="model")


def list_models(
    session: Session,
    available: Annotated[
        bool, typer.Option("--available", help="List what can be fetched instead.")
    ] = False,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> None:
    """List the models on this machine, or what can be fetched, with their licences."""
    from c2v.encoder.pretrained import pretrained
    from c2v.encoder.registry import list_bundles

    if available:
        known = [one.as_dict() for one in pretrained().values()]
        show(style, whole=lambda: known, table=lambda: _print_available(session, known))
        return
    facts = [bundle.as_dict() for bundle in list_bundles()]
    show(style, whole=lambda: facts, table=lambda: _print_models(session, facts))


def _print_available(session: Session, facts: list[dict[str, Any]]) -> None:
    table = new_table("name", ("size", {"justify": "right"}), "licence", "runs on")
    for fact in facts:
        limit = "" if fact["use"] in ("any", "unknown") else f", {fact['use']}"
        table.add_row(
            fact["name"],
            f"{fact['size_bytes'] / 1e6:.0f} MB",
            f"{fact['licence'] or 'unknown'}{limit}",
            "PyTorch" if fact["needs_torch"] else "anything",
        )
    session.out.print(table)
    session.notice("a licence is said in full, with its page, before anything is fetched")


def _print_models(session: Session, facts: list[dict[str, Any]]) -> None:
    right = {"justify": "right", "overflow": "fold"}
    table = new_table("name", "head", ("vector", right), ("size", right), "from")
    for fact in facts:
        table.add_row(
            fact["name"],
            fact["head"] or "-",
            str(fact["vector_dim"] or "-"),
            f"{fact['size_bytes'] / 1e6:.0f} MB",
            fact["problem"] or f"{fact['source']} ({_short_licence(fact)})",
        )
    session.out.print(table)
    session.notice(
        f"in use: {session.settings().model}; c2v model list --available shows what c2v model pull "
        "NAME fetches"
    )


def _short_licence(fact: dict[str, Any]) -> str:
    """A licence by its name alone, and what it forbids."""
    if not fact["licence"]:
        return "licence unknown"
    if fact["use"] == "unknown":  # also where many parts have one each: they stand in model info
        return "licence: see model info"
    name = fact["licence"].partition(" ")[0].rstrip(",;")
    return name if fact["use"] == "any" else f"{name}, {fact['use']}"


def info(session: Session, name: NameArgument, style: PlainFormatFlag = PlainFormat.TABLE) -> None:
    """Show one model, and check that its files are what they were when it was written."""
    from c2v.encoder.bundle import load_bundle
    from c2v.encoder.bundle_config import settings_as_json
    from c2v.encoder.catalogue import not_here
    from c2v.encoder.registry import list_bundles

    found = next((one for one in list_bundles() if one.name == name), None)
    if found is None:
        raise not_here(name)
    bundle = load_bundle(name)
    bundle.verify()
    config, facts = bundle.config, found.details()
    around = settings_as_json(config.hubs, config.questions, config.calibration)
    show(
        style,
        whole=lambda: facts | around,
        table=lambda: _print_facts(session, facts | described(around)),
    )


def _print_facts(session: Session, facts: dict[str, Any]) -> None:
    for key, value in facts.items():
        if value:
            session.out.print(f"{key.replace('_', ' '):12} {value}", soft_wrap=True)


def pull(
    session: Session,
    name: NameArgument,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL|DIR",
            help="A mirror of huggingface.co, or a folder.  \\[env: HF_ENDPOINT]",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteModelFlag = False,
) -> None:
    """Fetch an open_clip model: ViT-B-32, or ARCHITECTURE/TAG such as PE-Core-B-16/meta.

    Host, size and licence are named before the download. One that broke off goes on where it was.
    """
    folder = fetch_model(session, name, origin=origin, overwrite=overwrite)
    session.notice(f"fetched {name} into {folder}")


def import_file(
    session: Session,
    file: Annotated[
        Path,
        typer.Argument(help="A .pt, .bin, .ckpt or .safetensors file, or the folder of a model."),
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call it.")],
    head: Annotated[
        str,
        typer.Option(
            "--head",
            metavar="auto|clip2video|meanP|seqLSTM|seqTransf|tightTransf",
            help="The head; auto sees it by the names of the weights.",
        ),
    ] = "auto",
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture", metavar="NAME", help="Of a bare CLIP: what open_clip calls it."
        ),
    ] = None,
    words: Annotated[
        int | None, typer.Option("--words", min=3, help="Most tokens of a text.")
    ] = None,
    overwrite: OverwriteModelFlag = False,
) -> None:
    """Make a model of a checkpoint: CLIP2Video, CLIP4Clip, or a CLIP as open_clip writes it."""
    from c2v.encoder.catalogue import import_bundle, import_checkpoint

    if file.is_dir():
        folder = import_bundle(file, name=name, overwrite=overwrite)
    else:
        folder = import_checkpoint(
            file, name=name, head=head, architecture=architecture, words=words, overwrite=overwrite
        )
    session.notice(f"imported {file} as {name} into {folder}")


def export(
    session: Session,
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="Where to: .safetensors, .pt or .bin.")],
) -> None:
    """Write a model to a checkpoint as the papers' own code reads it."""
    from c2v.encoder.catalogue import export_checkpoint

    export_checkpoint(name, file)
    session.notice(f"exported {name} to {file}")


def use(session: Session, name: NameArgument) -> None:
    """Take a model for new libraries from now on (auto goes back to choosing)."""
    from c2v.encoder.bundle import load_bundle
    from c2v.encoder.catalogue import AUTO, not_here
    from c2v.encoder.registry import find_bundle

    if name != AUTO:
        if find_bundle(name) is None:
            raise not_here(name)
        load_bundle(name)  # a broken one would fail in every later command
    session.notice(f"written to {set_config_value('model', name)}")
    if (wanted := os.environ.get("C2V_MODEL", name)) != name:
        session.problem(f"C2V_MODEL is {wanted} and goes before it: unset C2V_MODEL")
    with session.videos() as videos:
        if not videos.exists:
            return
        held = videos.store.model
        if held is not None and name not in (AUTO, held.name):
            session.notice(
                f"the library {videos.store.address} stays with {held.name}; to change it: "
                f"c2v index --model {shlex.quote(name)}{session.library_option} PATH"
            )


def remove(
    session: Session,
    name: NameArgument,
    yes: YesFlag = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also while a library was filled by it.")
    ] = False,
) -> None:
    """Delete a model from this machine; refused while a library needs it."""
    from c2v.services.models import remove_model

    settings = session.settings()

    def confirm(doomed: "FoundBundle") -> None:
        what = (
            f"model remove deletes {name}, {doomed.size_bytes / 1e6:.0f} MB in {doomed.directory}"
        )
        require_consent(session, what, yes=yes)

    gone = remove_model(name, force=force, library=settings.library, confirm=confirm)
    session.notice(f"removed {name}, {gone.directory}")
    if settings.model == name:
        session.problem(f"the settings name it: c2v config unset model, or c2v model pull {name}")
