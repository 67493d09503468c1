"""The Typer application: which commands there are, and the one place where errors end."""

import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from c2v import __version__
from c2v.cli import (
    cluster,
    config,
    demo,
    describe,
    duplicates,
    evaluate,
    finetune,
    index,
    libraries,
    library,
    map,
    model,
    play,
    search,
    similar,
    tag,
)
from c2v.cli.complaints import check_arguments, complain, explain, print_trace
from c2v.cli.completion_options import InstallCompletionFlag, ShowCompletionFlag
from c2v.cli.quick import QuickGroup
from c2v.cli.session import LibraryFlag, QuietFlag, ReaderLeft, Session, VerboseFlag
from c2v.cli.streams import abandon
from c2v.errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, C2VError
from c2v.nearest import hint
from c2v.optional import missing_import

app = typer.Typer(
    name="c2v",
    cls=QuickGroup,
    help="Grep for videos: index a folder, search it with a sentence, get the file and the moment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"c2v {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    library: LibraryFlag = None,
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    install_completion: InstallCompletionFlag = False,
    show_completion: ShowCompletionFlag = False,
) -> None:
    """Grep for videos: index a folder, search it with a sentence, get the file and the moment."""
    context.obj = Session(library=library, quiet=quiet, verbose=verbose)


index.add_to(app)
search.add_to(app)
similar.add_to(app)
duplicates.add_to(app)
play.add_to(app)
describe.add_to(app)
tag.add_to(app)
cluster.add_to(app)
map.add_to(app)
library.add_to(app)
libraries.add_to(app)
evaluate.add_to(app)
finetune.add_to(app)
model.add_to(app)
config.add_to(app)
demo.add_to(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every error is printed here, once."""
    if instruction := os.environ.get("_C2V_COMPLETE"):
        from c2v.cli.completing import complete

        return complete(instruction, typer.main.get_command(app))
    verbose = "--verbose" in arguments or "-v" in arguments
    try:
        check_arguments(arguments)
        code = app(list(arguments), prog_name="c2v", standalone_mode=False)
        sys.stdout.flush()
    except C2VError as error:
        if verbose:
            print_trace(error)
        return complain(error.message, error.hint, error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except (ReaderLeft, BrokenPipeError, SystemExit):  # the last one is Typer's answer to it
        abandon(sys.stdout.fileno())
        return EXIT_OK
    except Exception as error:
        if _is_usage_error(error):
            return _complain_usage(error)
        if verbose:
            print_trace(error)
        if missing := missing_import(error):
            return complain(missing.message, missing.hint, missing.exit_code)
        return complain(*explain(error), EXIT_ERROR)
    return int(code or 0)


def _is_usage_error(error: Exception) -> bool:
    """Typer carries its own copy of click: BadParameter's parents are the classes to look for."""
    return isinstance(error, typer.BadParameter.__mro__[1:3])


def _complain_usage(error: Exception) -> int:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":  # no command was given: the message is the help
        sys.stdout.write(message.rstrip() + "\n")
        return EXIT_USAGE
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "c2v"
    sentence = message.rstrip(".").replace("Value error, ", "")
    return complain(sentence, hint(*_meant(error), f"{where} --help"), EXIT_USAGE)


def _meant(error: Exception) -> tuple[str, list[str]]:
    """The word that is wrong, and what it could have been, as far as that is known."""
    from c2v.cli.help_rows import choices_of

    context, param = getattr(error, "ctx", None), getattr(error, "param", None)
    if param is not None and (wrong := re.search("'([^']*)' is not one of", str(error))):
        return wrong[1], list(choices_of(param))
    option = getattr(error, "option_name", None)
    if option and context is not None:
        return option, [name for one in context.command.params for name in one.opts]
    return "", []
