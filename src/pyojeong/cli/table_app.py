"""``pyojeong table ...``: finished results in other forms, declared."""

from pathlib import Path
from typing import Annotated

import typer

from pyojeong.cli.options import LayoutName

table_app = typer.Typer(help="Convert finished results to other formats.", no_args_is_help=True)


@table_app.command("convert")
def convert(
    results: Annotated[
        Path,
        typer.Argument(help="Result folder of a clip or of analyze, or a result table."),
    ],
    layout: Annotated[LayoutName, typer.Option("--layout", help="Layout to write.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File, or existing folder. Default: next to the results."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Write results in the layout of another tool, without reading images again."""
    from pyojeong.cli.console import make_console
    from pyojeong.cli.table import convert_results

    console = make_console(stderr=True)
    convert_results(results, layout.value, out, overwrite=overwrite, console=console)
