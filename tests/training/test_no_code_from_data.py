"""Run folders, weights and arrays of others: what is hidden in them is not executed."""

import io
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pyojeong.cli.app import app
from pyojeong.core.errors import ExperimentError, ModelCorrupt, PyojeongError
from pyojeong.core.json_record import write_record
from pyojeong.core.run_files import WEIGHTS
from pyojeong.datasets.layout_affectnet import _value
from pyojeong.datasets.predictions import read_predictions
from pyojeong.datasets.samples import Split
from pyojeong.runtime.golden import golden_path, read_golden
from pyojeong.training.loop import train
from pyojeong.training.packing import pack
from pyojeong.training.pretrained import _read
from pyojeong.training.run import Run, load_best, load_last, load_picked
from pyojeong.training.run_identity import IMAGES, images_trained_on
from pyojeong.training.soft_labels import SoftLabels
from tests.training.tiny import TOML, manifest


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("run")
    data = manifest(folder)
    return train(TOML.replace("epochs = 6", "epochs = 2"), data, folder / "runs"), data


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "executed"


def evil_checkpoint(like: Path, mark: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save({**torch.load(like, weights_only=True), "more": Evil(mark)}, buffer)
    return buffer.getvalue()


def evil_files(like: Path, mark: Path) -> list[bytes]:
    """Every form of file that holds a pickle: checkpoint, plain pickle, .npy, .npz."""
    array = np.array([Evil(mark)], dtype=object)
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, array, allow_pickle=True)
    names = ("logits", "log_probabilities", "facts")
    np.savez(npz, **dict.fromkeys(names, array))  # type: ignore[arg-type]
    plain = pickle.dumps(Evil(mark))
    return [evil_checkpoint(like, mark), plain, npy.getvalue(), npz.getvalue()]


def test_the_files_of_these_tests_do_execute_where_pickles_are_read(finished, mark) -> None:
    for data in evil_files(finished[0].last, mark)[:2]:
        if data.startswith(b"PK"):
            torch.load(io.BytesIO(data), weights_only=False)
        else:
            pickle.loads(data)
        assert mark.is_dir()
        mark.rmdir()


def copy(run: Run, folder: Path) -> Run:
    return Run(Path(shutil.copytree(run.folder, folder / "runs" / run.folder.name)))


@pytest.mark.parametrize("which", range(4))
def test_checkpoints_of_run_folders(finished, tmp_path, mark, which) -> None:
    run = copy(finished[0], tmp_path)
    data = evil_files(finished[0].last, mark)[which]
    run.last.write_bytes(data)
    run.best.write_bytes(data)
    for load in (load_best, load_last, load_picked):
        with pytest.raises(ExperimentError, match=r"\.ckpt: .*train again"):
            load(run, num_classes=7)
    with pytest.raises(ExperimentError, match="train again"):
        pack(run, tmp_path / "packed")
    (run.folder / "done.json").unlink()  # the same command would take the training up again
    with pytest.raises(ExperimentError, match="train again"):
        train(TOML.replace("epochs = 6", "epochs = 2"), finished[1], run.folder.parent)
    assert not mark.exists()


@pytest.mark.parametrize("which", range(4))
def test_packed_weights(finished, tmp_path, mark, which) -> None:
    packed = pack(finished[0], tmp_path / "packed")
    (packed / WEIGHTS).write_bytes(evil_files(finished[0].last, mark)[which])
    with pytest.raises(ExperimentError, match=WEIGHTS):
        load_picked(Run(packed), num_classes=7)
    assert not mark.exists()


@pytest.mark.parametrize("which", range(4))
def test_arrays_and_tables(finished, tmp_path, mark, which) -> None:
    run = copy(finished[0], tmp_path)
    data = evil_files(finished[0].last, mark)[which]
    file = tmp_path / "soft.npz"
    file.write_bytes(data)
    with pytest.raises(ExperimentError, match=r"soft\.npz"):
        SoftLabels.read(file)
    (run.folder / IMAGES).write_bytes(data)
    with pytest.raises(ExperimentError, match=IMAGES):
        images_trained_on(run, finished[1], Split.VALID)
    golden_path(tmp_path, "m").write_bytes(data)
    with pytest.raises(ModelCorrupt, match="golden"):
        read_golden(tmp_path, "m")
    with pytest.raises(PyojeongError, match=r"soft\.npz"):
        _value(file)
    with pytest.raises(PyojeongError, match=r"soft\.npz"):
        read_predictions(file, manifest="x")
    for name in ("start.pth", "start.safetensors", "start.pt", "start"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelCorrupt, match="start"):
            _read(tmp_path / name)
    assert not mark.exists()


@pytest.mark.parametrize("command", ["export", "evaluate", "experiments pack"])
def test_commands_end_in_one_line(finished, tmp_path, mark, command) -> None:
    run = copy(finished[0], tmp_path)
    for file in (run.last, run.best):
        file.write_bytes(evil_checkpoint(finished[0].last, mark))
    arguments = {
        "export": ["export", run.folder, "--data", finished[1], "--id", "a-b", "--out", tmp_path],
        "evaluate": ["evaluate", run.folder, "--data", finished[1]],
        "experiments pack": ["experiments", "pack", run.folder, "--out", tmp_path / "p"],
    }[command]
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit | PyojeongError), done.exception
    assert not mark.exists()


def test_a_checkpoint_of_another_net_is_one_line(finished, tmp_path) -> None:
    run = copy(finished[0], tmp_path)
    state = torch.load(run.last, weights_only=True)
    state["state_dict"] = {"other": torch.zeros(1)}
    torch.save(state, run.last)
    with pytest.raises(ExperimentError, match="is damaged or was changed"):
        load_last(run, num_classes=7)
    run.last.with_name("last.ckpt.sha256.json").unlink()  # as runs of earlier versions
    write_record(run.folder / "done.json", {**run.summary, "weights_sha256": None})
    with pytest.raises(ExperimentError, match="not those of the experiment"):
        load_last(run, num_classes=7)
    with zipfile.ZipFile(run.last, "w") as archive:
        archive.writestr("nothing", b"")
    with pytest.raises(ExperimentError, match="damaged"):
        load_last(run, num_classes=7)
