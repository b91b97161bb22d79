"""Packed runs: small, and the same net."""

import json
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import pytest
import torch

from pyojeong.core.errors import ExperimentError, OutputBusy, OutputError
from pyojeong.core.json_record import write_record
from pyojeong.core.line_files import append_lines
from pyojeong.core.one_writer import one_writer
from pyojeong.core.run_files import WEIGHTS
from pyojeong.datasets.samples import Split
from pyojeong.datasets.split_uses import RUN_FILE
from pyojeong.distillation.teacher import teach
from pyojeong.training import packing
from pyojeong.training.loop import TrainingCallbacks, train
from pyojeong.training.packing import pack
from pyojeong.training.run import Run, load_last, load_picked
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


OTHER = TOML.replace("epochs = 6", "epochs = 1")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, finished: tuple[Run, Path]) -> Run:
    """A run of the same name and other settings."""
    return train(OTHER, finished[1], tmp_path_factory.mktemp("other") / "runs")


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
    without_digests(run)
    flip_a_bit(run.best, at=0.9)
    load_picked(run, num_classes=7)
    assert Run(pack(run, tmp_path / "packed")).done


def without_digests(run: Run) -> None:
    """Write ``done.json`` as earlier versions did."""
    done = dict(run.summary)
    del done["weights_sha256"]
    write_record(run.folder / "done.json", done)


def test_weights_of_an_earlier_epoch_are_not_those_of_a_finished_run(
    finished: tuple[Run, Path], tmp_path: Path
) -> None:
    kept: list[bytes] = []

    def keep(line: dict[str, Any]) -> None:
        last = tmp_path / "runs" / "tiny" / "checkpoints" / "last.ckpt"
        kept.extend([last.read_bytes()] if last.exists() else [])

    text = TOML.replace("epochs = 6", 'epochs = 3\npick = "last"')
    run = train(text, finished[1], tmp_path / "runs", watch=TrainingCallbacks(epoch=keep))
    for digests in run.folder.rglob("*.sha256.json"):
        assert len(json.loads(digests.read_text())["sha256"]) == 1
    whole = run.last.read_bytes()
    assert kept[-1] != whole
    run.last.write_bytes(kept[-1])
    note_digest(run.last, whole)
    note_digest(run.last, kept[-1])  # the small file alone would accept it
    for use in (load_last, load_picked):
        with pytest.raises(ExperimentError, match=r"last\.ckpt: is damaged or was changed"):
            use(run, num_classes=7)
    with pytest.raises(ExperimentError, match="is damaged or was changed"):
        pack(run, tmp_path / "packed")
    bad = [found for found in verify_path(run.folder) if not found.ok]
    assert [(f.path.name, "last.ckpt" in f.detail) for f in bad] == [("done.json", True)]
    run.last.write_bytes(whole)
    load_picked(run, num_classes=7)


def test_weights_that_are_gone_or_new_are_noticed(
    finished: tuple[Run, Path], tmp_path: Path
) -> None:
    run = copied(finished[0], tmp_path)
    packed = Run(pack(run, tmp_path / "packed"))
    assert all(found.ok for found in verify_path(tmp_path))
    for file in (run.best.with_name("best.ckpt.sha256.json"), run.best):
        file.unlink()
    bad = [found for found in verify_path(run.folder) if not found.ok]
    assert [(f.path.name, "best.ckpt" in f.detail) for f in bad] == [("done.json", True)]
    shutil.copy(packed.packed, run.packed)
    with pytest.raises(ExperimentError, match="is damaged or was changed"):
        load_picked(run, num_classes=7)
    shutil.rmtree(run.folder / "checkpoints")
    assert not all(found.ok for found in verify_path(run.folder))
    packed.packed.unlink()
    (packed.folder / "weights.safetensors.sha256.json").unlink()
    assert not all(found.ok for found in verify_path(packed.folder))


def test_a_pack_holds_the_digest_of_its_own_weights(
    finished: tuple[Run, Path], other: Run, tmp_path: Path
) -> None:
    packed = Run(pack(finished[0], tmp_path / "packed"))
    others = Run(pack(other, tmp_path / "others"))
    for name in (WEIGHTS, f"{WEIGHTS}.sha256.json"):
        shutil.copy(others.folder / name, packed.folder)
    with pytest.raises(ExperimentError, match="is damaged or was changed"):
        load_picked(packed, num_classes=7)


def test_a_process_that_is_killed_between_digest_and_weights_loses_nothing(
    finished: tuple[Run, Path], tmp_path: Path
) -> None:
    run = copied(finished[0], tmp_path)
    (run.folder / "done.json").unlink()
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


@pytest.mark.parametrize(
    "name", ["checkpoints/last.ckpt", "checkpoints/best.ckpt", "curves.jsonl", "before.json",
             "train_images.npy", "weights.safetensors"],
)  # fmt: skip
def test_a_training_does_not_go_on_from_files_of_another_run(
    finished: tuple[Run, Path], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "runs" / "tiny"
    file = folder / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"of another run")
    with pytest.raises(ExperimentError, match=rf"{name}: is of a training whose experiment.toml"):
        train(OTHER, finished[1], tmp_path / "runs")
    assert contents(folder) == {name: b"of another run"}
    file.unlink()
    shutil.copy(finished[0].folder / "environment.json", folder)  # as a kill may leave it
    assert train(OTHER, finished[1], tmp_path / "runs").done


def test_an_unfinished_run_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(ExperimentError, match="only finished runs"):
        pack(Run(tmp_path / "run"), tmp_path / "packed")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_pack_of_another_run_of_that_name_is_not_written_over(
    finished: tuple[Run, Path], other: Run, tmp_path: Path
) -> None:
    run = copied(finished[0], tmp_path)
    write_record(run.folder / "result.json", {"name": "tiny", "seed": 3, "status": "failed"})
    packed = pack(run, tmp_path / "packed")
    before = contents(tmp_path / "packed")
    with pytest.raises(
        ExperimentError, match=r"another run of that name \(experiment\.toml, .*--out"
    ):
        pack(other, tmp_path / "packed")
    (packed / "notes.txt").write_text("mine")
    with pytest.raises(ExperimentError, match=r"holds notes\.txt, which is of no pack"):
        pack(run, tmp_path / "packed")
    assert contents(tmp_path / "packed") == {**before, "tiny/notes.txt": b"mine"}
    with pytest.raises(ExperimentError, match="which is of no pack"):
        pack(run, run.folder.parent)
    with pytest.raises(ExperimentError, match="is packed already: copy the folder"):
        pack(Run(packed), tmp_path / "again")


def test_a_pack_is_replaced_with_all_its_files(
    finished: tuple[Run, Path], other: Run, tmp_path: Path
) -> None:
    run = copied(finished[0], tmp_path)
    write_record(run.folder / "result.json", {"name": "tiny", "seed": 3, "status": "failed"})
    whole = contents(pack(run, tmp_path / "packed"))
    packed = Run(tmp_path / "packed" / "tiny")
    assert "result.json" in whole
    (run.folder / "result.json").unlink()  # it is measured again
    # Words of this run beside weights of another one, as earlier versions left them when killed.
    for name in (WEIGHTS, f"{WEIGHTS}.sha256.json"):
        shutil.copy(pack(other, tmp_path / "others") / name, packed.folder)
    with one_writer(packed.folder), pytest.raises(OutputBusy):
        pack(run, tmp_path / "packed")
    pack(run, tmp_path / "packed")
    assert contents(packed.folder) == {k: v for k, v in whole.items() if k != "result.json"}
    assert [file.name for file in (tmp_path / "packed").iterdir()] == ["tiny"]


@pytest.mark.parametrize("name", [WEIGHTS, "done.json", "curves.jsonl", "packed"])
def test_a_pack_on_a_full_disk_leaves_the_earlier_one(
    finished: tuple[Run, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run = copied(finished[0], tmp_path)
    pack(run, tmp_path / "packed")
    before = contents(tmp_path / "packed")
    real, rename = packing.atomic_write, Path.rename

    def full(path: Path, *mode: str) -> AbstractContextManager[IO[Any]]:
        if path.name == name:
            raise OutputError(f"cannot write {path}: No space left on device")
        return real(path, *mode)

    def stuck(path: Path, target: Path) -> Path:
        if path.name == name:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    def full_record(path: Path, data: dict[str, Any]) -> None:
        full(path)
        write_record(path, data)

    monkeypatch.setattr(packing, "atomic_write", full)
    monkeypatch.setattr(packing, "write_record", full_record)
    monkeypatch.setattr(Path, "rename", stuck)
    for out in ("packed", "new"):
        with pytest.raises(OutputError, match="No space left"):
            pack(run, tmp_path / out)
    assert contents(tmp_path / "packed") == before
    assert not (tmp_path / "new").exists()


def test_no_use_of_a_test_split_vanishes_from_a_pack(
    finished: tuple[Run, Path], tmp_path: Path
) -> None:
    run = copied(finished[0], tmp_path)
    packed = pack(run, tmp_path / "packed")
    append_lines(packed / RUN_FILE, [{"model": "tiny", "time": "2026-01-02"}], count_tail=True)
    with pytest.raises(ExperimentError, match="has had a use of the test split"):
        pack(run, tmp_path / "packed")
