"""Options that several commands share: one meaning, one default and one help text each."""

from typing import Annotated

import typer

PriorOption = Annotated[
    str | None,
    typer.Option(
        "--prior",
        help="Base rates that answers assume: natural, between, balanced (posed or selected sets), "
        "or a share for each label: angry=0.1,happy=0.3,... Default: the model's (bundled ones: "
        "between).",
    ),
]
LabelsOption = Annotated[
    str | None,
    typer.Option("--labels", help="fer7, or ferplus8 (also contempt). Default: the model's."),
]
OutputOption = Annotated[
    str,
    typer.Option(
        "--output",
        help="auto: what analyze answers (shares of votes); fer2013: the label that the model's "
        "training data would give.",
    ),
]
