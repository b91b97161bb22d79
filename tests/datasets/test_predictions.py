"""Tables of predictions are checked whole before anything learns from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyojeong.core.errors import ManifestInvalid
from pyojeong.core.labels import FER7
from pyojeong.curate.label_checks import LabelIssue
from pyojeong.datasets.predictions import Predictions, read_predictions, write_predictions
from pyojeong.datasets.samples import manifest_id
from pyojeong.distillation.relabel import relabel
from tests.curate.made import noise, sample, write

COUNT = 40
Change = Callable[[dict[str, Any]], object]


def cell(column: str, row: int, value: float) -> Change:
    def change(columns: dict[str, Any]) -> None:
        columns[column][row] = value

    return change


def zero(columns: dict[str, Any]) -> None:
    for name in FER7.names:
        columns[name][3] = 0


def cut(columns: dict[str, Any]) -> None:
    for name, values in columns.items():
        columns[name] = values[:0]


def text(columns: dict[str, Any]) -> None:
    columns["sad"] = [str(value) for value in columns["sad"]]


def empty_cell(columns: dict[str, Any]) -> None:
    columns["sad"] = [None, *columns["sad"][1:]]


def share(columns: dict[str, Any]) -> None:
    columns["row"] = columns["row"] + 0.5


WRONG: dict[str, tuple[Change, str]] = {
    "not a number": (cell("sad", 3, np.nan), "sad of row 3 is nan, no finite number"),
    "infinite": (cell("fear", 5, np.inf), "fear of row 5 is inf, no finite number"),
    "negative": (cell("sad", 3, -0.25), "sad of row 3 is -0.25, negative"),
    "zero": (zero, "the scores of row 3 sum to 0, not to 1"),
    "sum": (cell("sad", 3, 0.9), "the scores of row 3 sum to 1.*, not to 1"),
    "twice": (cell("row", 4, 3), "row 3 is there twice"),
    "outside": (cell("row", 4, 99999), "row 99999 is not in the data set, which has 40 rows"),
    "below": (cell("row", 4, -1), "row -1 is not in the data set"),
    "no column": (lambda c: c.pop("sad"), "has no column 'sad'"),
    "no rows column": (lambda c: c.pop("row"), "has no column 'row'"),
    "no fold": (lambda c: c.pop("fold"), "has no column 'fold'"),
    "text": (text, "column 'sad' is string"),
    "empty cell": (empty_cell, "column 'sad' has empty cells"),
    "row no whole number": (share, "column 'row' is double"),
    "empty": (cut, "holds no predictions"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_could_not_be_used_is_one_line(tmp_path: Path, name: str) -> None:
    rows = [
        sample(noise(i, 16), FER7.names[i % 7], votes=(0, 9, 1, 0, 0, 0, 0, 0, 0, 0))
        for i in range(COUNT)
    ]
    table, file = write(tmp_path / "m.parquet", rows), tmp_path / "predictions.parquet"
    scores = np.random.default_rng(0).dirichlet(np.ones(7), COUNT).astype(np.float32)
    known = Predictions(
        np.arange(COUNT), np.zeros(COUNT, np.int8), scores, FER7, manifest_id(table), "made up"
    )
    write_predictions(file, known)
    read_predictions(file, manifest=known.manifest, size=COUNT)
    whole = pq.read_table(file)
    columns = {n: np.array(whole[n].to_numpy()) for n in whole.column_names}
    change, said = WRONG[name]
    change(columns)
    pq.write_table(pa.table(columns, metadata=whole.schema.metadata), file)
    said = rf"predictions\.parquet: {said}.*; make the predictions again with `pyojeong train"
    with pytest.raises(ManifestInvalid, match=said):
        list(LabelIssue(predictions=file).check_table(table))
    with pytest.raises(ManifestInvalid, match=said):
        relabel(table, file)
