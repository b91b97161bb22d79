"""``pyojeong table ...``: finished results in other forms, declared."""

from pathlib import Path
from typing import Annotated

import typer

from pyojeong.cli.options import LayoutName

table_app = typer.Typer(help="Write finished results in other forms.", no_args_is_help=True)


@table_app.command("convert")
def convert(
    results: Annotated[
        Path,
        typer.Argument(help="Results: a folder of a clip or of analyze, or a table."),
    ],
    layout: Annotated[LayoutName, typer.Option("--layout", help="Layout of another tool.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="File, or a folder that is there. Default: beside the results."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
) -> None:
    """Write results in the layout of another tool; no image is read again."""
    from pyojeong.cli.console import make_console
    from pyojeong.cli.table import convert_results

    console = make_console(stderr=True)
    convert_results(results, layout.value, out, overwrite=overwrite, console=console)
