"""The table of faces that ``pyojeong analyze`` shows."""

from typing import Literal

from rich.table import Table

from pyojeong.cli.console import as_markup
from pyojeong.cli.sums import short_paths
from pyojeong.core.face import Expression, FrameResult
from pyojeong.core.labels import LabelSet


class FaceTable:
    """The table that people see: all seven scores where there is room, else the best two."""

    def __init__(self, labels: LabelSet, files: list[str], *, wide: bool) -> None:
        self._wide = wide
        self._names = short_paths(files)
        self.table = Table(box=None, header_style="bold", pad_edge=False)
        # Names and boxes give way where there is little room; labels and scores do not.
        self.table.add_column(
            "image", overflow="ellipsis", no_wrap=True, min_width=8, max_width=48 if wide else 14
        )
        self.table.add_column("face", justify="right", no_wrap=True, min_width=4)
        most = None if wide else 16
        self.table.add_column("box (x, y, w, h)", no_wrap=True, min_width=8, max_width=most)
        self.table.add_column("appears", no_wrap=True, min_width=19)
        for name in labels.names if wide else ("", "then"):
            left, width = name == "then", max(len(name), 12 if name == "then" else 4)
            justify: Literal["left", "right"] = "left" if left else "right"
            self.table.add_column(name, justify=justify, no_wrap=True, min_width=width)

    def add(self, result: FrameResult) -> None:
        """Add one row per face, or one that says there is none."""
        name = as_markup(self._names.get(result.source, result.source))
        if not result.faces:
            self.table.add_row(name, "", "", "[dim]no face[/]")
        for number, face in enumerate(result.faces, 1):
            box = face.box
            shape = f"{box.x1:.0f}, {box.y1:.0f}, {box.width:.0f}, {box.height:.0f}"
            cells = () if face.expression is None else self._cells(face.expression)
            self.table.add_row(name if number == 1 else "", str(number), shape, *cells)

    def _cells(self, expression: Expression) -> list[str]:
        top, score = expression.top
        appears = f"[dim]unclear ({top}?)[/]" if expression.unclear else f"[bold]{top}[/]"
        if self._wide:
            best = int(expression.scores.argmax())
            cells = [f"{s:.0%}" for s in expression.scores]
            cells[best] = f"[bold]{score:.0%}[/]"
            return [appears, *cells]
        second = expression.scores.argsort()[-2]
        then = f"{expression.label_set.names[second]} {expression.scores[second]:.0%}"
        return [appears, f"{score:.0%}", f"[dim]{then}[/]"]
