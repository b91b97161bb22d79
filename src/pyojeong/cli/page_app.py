"""``pyojeong page ...``: the page that runs in the browser, declared."""

from pathlib import Path
from typing import Annotated

import typer

from pyojeong.cli.options import ModelOption

page_app = typer.Typer(
    help="Build the page that analyzes faces in the browser.", no_args_is_help=True
)


@page_app.command("build")
def build(
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="New or empty folder, or an earlier page to replace."),
    ],
    model: ModelOption = "auto",
    ort: Annotated[
        Path | None,
        typer.Option(
            "--ort", help="Folder dist of the npm package onnxruntime-web. Default: bundled."
        ),
    ] = None,
) -> None:
    """Write the page to a folder that any static file server can serve.

    The page processes images in the browser and does not send them anywhere.
    """
    from pyojeong.cli.page import build_folder

    build_folder(out, model=model, ort=ort)
