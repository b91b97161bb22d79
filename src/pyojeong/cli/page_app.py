"""``pyojeong page ...``: the page that runs in the browser, declared."""

from pathlib import Path
from typing import Annotated

import typer

from pyojeong.cli.options import ModelOption

page_app = typer.Typer(help="The page that reads expressions in the browser.", no_args_is_help=True)


@page_app.command("build")
def build(
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder: new, empty, or an earlier page to replace."),
    ],
    model: ModelOption = "auto",
    ort: Annotated[
        Path | None,
        typer.Option("--ort", help="Folder dist of npm's onnxruntime-web. Default: bundled."),
    ] = None,
) -> None:
    """Write the page into a folder that any file server can serve; nothing is sent anywhere."""
    from pyojeong.cli.page import build_folder

    build_folder(out, model=model, ort=ort)
