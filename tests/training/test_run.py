"""Packed runs: small, and the same net."""

import shutil
from pathlib import Path

import pytest
import torch

from pyojeong.core.errors import ExperimentError
from pyojeong.datasets.samples import Split
from pyojeong.distillation.teacher import teach
from pyojeong.training.loop import train
from pyojeong.training.run import Run, load_last, load_picked, pack
from pyojeong.training.run_identity import IMAGES, images_trained_on
from pyojeong.training.start import accuracy_before
from pyojeong.training.weight_digests import note_digest
from pyojeong.verification import verify_path
from tests.training.tiny import TOML, manifest


def test_a_packed_run_is_small_and_answers_and_teaches_like_the_run(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = manifest(tmp_path)
    run = train(TOML, data, tmp_path / "runs")
    packed = Run(pack(run, tmp_path / "packed"))
    size = sum(f.stat().st_size for f in packed.folder.iterdir())
    assert size < run.picked.stat().st_size / 4
    assert packed.done
    assert packed.experiment == run.experiment
    x = torch.randn(4, 1, 24, 24)
    with torch.inference_mode():
        ours, theirs = (load_picked(r, num_classes=7).scored(x)[0] for r in (packed, run))
    assert torch.allclose(ours, theirs, atol=0.02)
    augment = run.experiment.augment
    answers = [teach([r], data, augment, views=1) for r in (packed, run)]
    apart = answers[0].log_probabilities.astype(int) - answers[1].log_probabilities
    assert abs(apart).max() <= 1  # one step of the bytes
    shutil.rmtree(run.folder / "checkpoints")
    with pytest.raises(ExperimentError, match="no checkpoint"):
        load_picked(run, num_classes=7)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("finished")
    data = manifest(folder)
    return train(TOML.replace("epochs = 6", "epochs = 2"), data, folder / "runs"), data


def copied(run: Run, folder: Path) -> Run:
    return Run(Path(shutil.copytree(run.folder, folder / "runs" / "tiny")))


def flip_a_bit(file: Path, *, at: float = 0.5) -> None:
    data = bytearray(file.read_bytes())
    data[int(len(data) * at)] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_a_flipped_bit_in_weights_is_an_error(
    finished: tuple[Run, Path], tmp_path: Path, at: float
) -> None:
    run = copied(finished[0], tmp_path)
    packed = Run(pack(run, tmp_path / "packed"))
    load_picked(packed, num_classes=7)
    flip_a_bit(packed.packed, at=at)
    with pytest.raises(ExperimentError, match=r"weights\.safetensors: is damaged or was changed"):
        load_picked(packed, num_classes=7)
    flip_a_bit(run.best, at=at)
    with pytest.raises(ExperimentError, match=r"best\.ckpt: is damaged or was changed.*copy"):
        load_picked(run, num_classes=7)


def test_weights_of_earlier_versions_have_no_digest(
    finished: tuple[Run, Path], tmp_path: Path
) -> None:
    run = copied(finished[0], tmp_path)
    for file in run.folder.rglob("*.sha256.json"):
        file.unlink()
    load_picked(run, num_classes=7)


def test_a_process_that_is_killed_between_digest_and_weights_loses_nothing(
    finished: tuple[Run, Path], tmp_path: Path
) -> None:
    run = copied(finished[0], tmp_path)
    note_digest(run.last, b"weights that never took their name")
    load_last(run, num_classes=7)


@pytest.mark.parametrize("damage", ["cut", "bit"])
def test_a_damaged_checkpoint_is_not_resumed(
    finished: tuple[Run, Path], tmp_path: Path, damage: str
) -> None:
    run = copied(finished[0], tmp_path)
    (run.folder / "done.json").unlink()
    for digests in run.folder.rglob("*.sha256.json") if damage == "cut" else ():
        digests.unlink()
    if damage == "cut":
        run.last.write_bytes(run.last.read_bytes()[:2000])
    else:
        flip_a_bit(run.last)
    with pytest.raises(ExperimentError, match=r"last\.ckpt: is damaged"):
        train(TOML.replace("epochs = 6", "epochs = 2"), finished[1], tmp_path / "runs")


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", "{}", '{"epoch": 1, "checksum": "0"}'])
@pytest.mark.parametrize("name", ["done.json", "environment.json", "before.json"])
def test_a_damaged_file_of_a_run_is_one_line_with_a_cure(
    finished: tuple[Run, Path], tmp_path: Path, name: str, text: str
) -> None:
    run = copied(finished[0], tmp_path)
    (run.folder / name).write_text(text)
    read = {
        "done.json": lambda: run.summary,
        "environment.json": lambda: run.environment,
        "before.json": lambda: accuracy_before(run),
    }[name]
    with pytest.raises(ExperimentError, match=f"{name}: .*remove") as caught:
        read()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["done.json", "environment.json"])
def test_a_changed_file_of_a_run_is_an_error(
    finished: tuple[Run, Path], tmp_path: Path, name: str
) -> None:
    run = copied(finished[0], tmp_path)
    file = run.folder / name
    file.write_text(file.read_text().replace("1", "2", 1))
    with pytest.raises(ExperimentError, match=f"{name}: is damaged"):
        _ = run.summary, run.environment


def test_a_done_json_of_somebody_else_is_no_run(finished: tuple[Run, Path], tmp_path: Path) -> None:
    own = tmp_path / "runs" / "tiny" / "done.json"
    own.parent.mkdir(parents=True)
    own.write_text('{"tasks": 3}')
    with pytest.raises(ExperimentError, match=r"done\.json: was not written by a training"):
        train(TOML, finished[1], tmp_path / "runs")
    assert own.read_text() == '{"tasks": 3}'


def test_damaged_digests_of_training_images_are_one_line(
    finished: tuple[Run, Path], tmp_path: Path
) -> None:
    run = copied(finished[0], tmp_path)
    for damage in (b"", b"\x93NUMPY", b"no array", (run.folder / IMAGES).read_bytes()[:-5]):
        (run.folder / IMAGES).write_bytes(damage)
        with pytest.raises(ExperimentError, match=r"train_images\.npy: is damaged .*remove"):
            images_trained_on(run, finished[1], Split.VALID)
    (run.folder / IMAGES).write_bytes((finished[0].folder / IMAGES).read_bytes())
    flip_a_bit(run.folder / IMAGES)  # another number in it
    with pytest.raises(ExperimentError, match=r"train_images\.npy: is damaged .*remove it"):
        images_trained_on(run, finished[1], Split.VALID)
    bad = [found for found in verify_path(run.folder) if not found.ok]
    assert [(found.path.name, IMAGES in found.detail) for found in bad] == [("done.json", True)]
    (run.folder / IMAGES).unlink()
    assert images_trained_on(run, finished[1], Split.VALID) is None
    run.check_files()


def test_an_unfinished_run_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(ExperimentError, match="only finished runs"):
        pack(Run(tmp_path / "run"), tmp_path / "packed")
