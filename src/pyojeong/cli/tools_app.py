"""``pyojeong models`` and ``pyojeong doctor``, declared."""

from pathlib import Path
from typing import Annotated

import typer


def models(
    json_: Annotated[bool, typer.Option("--json", help="Print the cards as a JSON list.")] = False,
) -> None:
    """List the available models with licence and measured accuracy."""
    from pyojeong.cli.models import list_models

    list_models(as_json=json_)


def doctor(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of results, a data set or models to check.")
    ] = None,
) -> None:
    """Check this installation, or the files in FOLDER: checksums and missing files."""
    from pyojeong.cli.console import make_console
    from pyojeong.cli.doctor import check_installation, check_stored

    console = make_console(stderr=True)
    failed = check_installation(console) if folder is None else check_stored(folder, console)
    raise typer.Exit(1 if failed else 0)
