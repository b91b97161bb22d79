"""Out-of-fold predictions: nobody is read by a net that saw them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7
from pyojeong.datasets.predictions import read_predictions
from pyojeong.datasets.samples import Sample, Split, manifest_id, read_rows, write_manifest
from pyojeong.training.data.datamodule import FaceData
from pyojeong.training.data.portion import Fold, Portion
from pyojeong.training.experiment import Experiment
from pyojeong.training.folds import predict_folds, train_folds
from pyojeong.training.run import Run
from tests.training.tiny import TOML, manifest

SHORT = TOML.replace("epochs = 6", "epochs = 2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("folds")
    data = manifest(folder)
    return data, train_folds(SHORT, data, folder / "runs", folds=3)


def test_each_training_row_has_one_prediction_and_no_test_row_has(
    trained: tuple[Path, Path],
) -> None:
    data, file = trained
    out = read_predictions(file, manifest=manifest_id(data))
    splits = dict(read_rows(data, splits=list(Split)))
    assert sorted(set(out.rows)) == sorted(out.rows)
    read = {int(r) for r in out.rows}
    assert read == {r for r, s in splits.items() if s.split is not Split.TEST}
    for row, fold in zip(out.rows, out.folds, strict=True):
        sample = splits[int(row)]
        if sample.split is Split.VALID:
            assert fold == -1
        else:
            assert Fold(int(fold), 3).holds(sample)
    np.testing.assert_allclose(out.scores.sum(1), 1, atol=1e-6)


def test_a_fold_trains_on_the_others_only(trained: tuple[Path, Path]) -> None:
    data, _ = trained
    experiment = Experiment.from_toml(SHORT)
    sizes = []
    for index in range(3):
        part = FaceData(
            data, experiment.preprocess, experiment.augment, batch_size=8, seed=0,
            portion=Portion(without=Fold(index, 3)),
        )  # fmt: skip
        sizes.append(len(part.train))
    total = sum(s.split is Split.TRAIN for _, s in read_rows(data, splits=list(Split)))
    assert sum(total - size for size in sizes) == total
    assert all(0 < size < total for size in sizes)


def test_equal_pictures_and_groups_are_never_divided() -> None:
    def make(i: int, **more: object) -> Sample:
        return Sample(label="sad", split=Split.TRAIN, image=bytes([i]), source=str(i), **more)  # type: ignore[arg-type]

    parts = [[Fold(k, 4).holds(make(i)) for k in range(4)] for i in range(80)]
    assert all(sum(p) == 1 for p in parts)
    assert all(any(p[k] for p in parts) for k in range(4))
    one, other = make(1, group="S005"), make(2, group="S005")
    assert [Fold(k, 4).holds(one) for k in range(4)] == [Fold(k, 4).holds(other) for k in range(4)]
    one, other = make(1, content_hash="ab"), make(2, content_hash="ab")
    assert [Fold(k, 4).holds(one) for k in range(4)] == [Fold(k, 4).holds(other) for k in range(4)]


def test_the_last_epoch_predicts_not_the_best(trained: tuple[Path, Path]) -> None:
    data, file = trained
    finished = [(Fold(k, 3), Run(file.parent / f"{k}-of-3")) for k in range(3)]
    before = predict_folds(finished, data)
    for _, run in finished:
        run.best.unlink()
    np.testing.assert_array_equal(predict_folds(finished, data).scores, before.scores)


@pytest.mark.filterwarnings("ignore::pyojeong.core.errors.PicturesLeftOut")
def test_broken_pictures_get_no_prediction_and_move_no_other(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    data, file = trained
    finished = [(Fold(k, 3), Run(file.parent / f"{k}-of-3")) for k in range(3)]
    whole = predict_folds(finished, data)
    rows = [s for _, s in read_rows(data, splits=list(Split))]
    broken = (7, 13, 23)  # of train, valid and train
    junk = [
        Sample(label="sad", split=rows[i].split, image=b"junk", source=f"junk {i}") for i in broken
    ]
    for place, sample in zip(broken, junk, strict=True):
        rows.insert(place, sample)
    write_manifest(tmp_path / "tiny.parquet", rows, FER7)
    some = predict_folds(finished, tmp_path / "tiny.parquet")
    assert not set(broken) & set(some.rows.tolist())
    np.testing.assert_allclose(some.scores, whole.scores, atol=1e-6)
    np.testing.assert_array_equal(some.folds, whole.folds)


def test_predictions_of_another_data_set_are_refused(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    other = manifest(tmp_path, count=70)
    with pytest.raises(DataError, match="another data set"):
        read_predictions(trained[1], manifest=manifest_id(other))


@pytest.mark.parametrize(("index", "count"), [(0, 1), (3, 3), (-1, 3)])
def test_impossible_folds_are_refused(index: int, count: int) -> None:
    with pytest.raises(DataError, match="fold"):
        Fold(index, count)
