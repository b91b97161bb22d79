"""Options of commands that read data sets or train; see ``options.py`` for the others."""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        help="Data set: fer2013.csv (also .gz or .xz), a folder of images, or a .parquet table.",
    ),
]
VotesOption = Annotated[
    Path | None,
    typer.Option("--votes", help="File of the FER+ votes, fer2013new.csv, joined by row."),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="NAME=LABEL: use LABEL for the class called NAME; NAME=skip leaves the class out. "
        "Repeat the option for more than one.",
    ),
]
GroupsOption = Annotated[
    str | None,
    typer.Option(
        "--groups",
        help="How to identify the person: a regular expression with one group, searched for in the "
        r"file path, such as '^(.*?)_\d+'; or, with --table, the name of a column.",
    ),
]
TableOption = Annotated[
    Path | None,
    typer.Option("--table", help="CSV file that lists the images of a folder with their labels."),
]
ImageColumnOption = Annotated[
    str | None,
    typer.Option(
        "--image-column",
        help="Column of the table with the file names, relative to the folder. Default: detected.",
    ),
]
LabelColumnOption = Annotated[
    str | None,
    typer.Option("--label-column", help="Column of the table with the labels. Default: detected."),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Use only the first N training samples, for a trial run."),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(
        "--epochs", min=1, help="Train exactly N epochs, instead of the number in the recipe."
    ),
]
LearningRateOption = Annotated[
    float | None,
    typer.Option("--lr", help="Peak learning rate, instead of the one in the recipe."),
]
