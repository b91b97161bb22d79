"""Damage of stored tables is noticed: of pages and of the index behind them."""

import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyojeong.core.errors import PyojeongError
from pyojeong.core.labels import FER7
from pyojeong.datasets.predictions import Predictions, read_predictions, write_predictions
from pyojeong.datasets.samples import Sample, Split, manifest_id, read_rows, write_manifest
from pyojeong.output.tables import TABLE_READERS, ParquetSink
from pyojeong.parquet import is_sealed, open_parquet, write_table

FLIPS = 600


def a_manifest(path: Path) -> None:
    rng = random.Random(5)
    samples = [
        Sample(
            image=rng.randbytes(40),
            label=rng.choice(FER7.names),
            votes=tuple(rng.randrange(10) for _ in FER7.names),
            split=rng.choice(list(Split)),
            source=f"picture {i}",
            content_hash=f"{rng.getrandbits(128):032x}",
            phash=rng.getrandbits(64),
        )
        for i in range(120)
    ]
    write_manifest(path, samples, FER7)


def read_manifest_whole(path: Path) -> object:
    return manifest_id(path), list(read_rows(path, splits=list(Split)))


def a_table_of_results(path: Path, result: object) -> None:
    with ParquetSink(path) as sink:
        for index in range(30):
            sink.write(replace(result, index=index, time_s=index / 10))


def predictions(path: Path) -> None:
    rng = np.random.default_rng(5)
    scores = rng.dirichlet(np.ones(7), 80).astype(np.float32)
    rows = np.arange(80)
    write_predictions(path, Predictions(rows, (rows % 5).astype(np.int8), scores, FER7, "m", "o"))


def read_predictions_whole(path: Path) -> object:
    found = read_predictions(path, manifest="m")
    return found.rows.tolist(), found.folds.tolist(), found.scores.tolist(), found.origin


@pytest.mark.parametrize("what", ["manifest", "results", "predictions"])
def test_no_flipped_bit_changes_anything_silently(what, tmp_path, whole_face_result):
    file = tmp_path / "t.parquet"
    write, read = {
        "manifest": (a_manifest, read_manifest_whole),
        "results": (
            lambda path: a_table_of_results(path, whole_face_result),
            lambda path: [r.to_dict() for r in TABLE_READERS["parquet"](path)],
        ),
        "predictions": (predictions, read_predictions_whole),
    }[what]
    write(file)
    assert is_sealed(file)
    right = read(file)
    whole = file.read_bytes()
    rng = random.Random(7)
    noticed = 0
    for _ in range(FLIPS):
        at = rng.randrange(8 * len(whole))
        data = bytearray(whole)
        data[at // 8] ^= 1 << at % 8
        file.write_bytes(data)
        try:
            found = read(file)
        except PyojeongError:  # whatever else is raised fails the test
            noticed += 1
        else:
            assert found == right, f"bit {at} changed the answer silently"
    assert noticed > 0.8 * FLIPS


def test_files_of_others_and_of_earlier_versions_are_read(tmp_path):
    plain = tmp_path / "plain.parquet"
    table = pa.table({"a": [1, 2, 3]})
    pq.write_table(table, plain)
    assert not is_sealed(plain)
    with open_parquet(plain) as file:
        assert file.read().equals(table)


def test_other_readers_read_sealed_files(tmp_path):
    file = tmp_path / "sealed.parquet"
    table = pa.table({"a": list(range(5000)), "b": [os.urandom(9) for _ in range(5000)]})
    write_table(file, table, rows_per_group=1000)
    assert is_sealed(file)
    assert pq.read_table(file).equals(table)
    assert pq.ParquetFile(file).num_row_groups == 5


NOT_PARQUET = [b"", b"PAR1", b"PAR1PAR1", b"x" * 100, b"PAR1\xff\xff\xff\xffPAR1"]


@pytest.mark.parametrize("data", NOT_PARQUET)
def test_what_is_no_parquet_is_said(data, tmp_path):
    (tmp_path / "t").write_bytes(data)
    with pytest.raises(OSError, match="no Parquet"), open_parquet(tmp_path / "t"):
        pass
