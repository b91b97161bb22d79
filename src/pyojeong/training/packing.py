"""Packed runs: a finished run with its result's weights alone, small enough to keep or send."""

import hashlib
from pathlib import Path

from safetensors.torch import save

from pyojeong.core.atomic_write import atomic_write, is_stale, output_errors, work_folder
from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import read_record, write_record
from pyojeong.core.one_writer import LOCK, one_writer
from pyojeong.core.output_files import describe_files
from pyojeong.core.run_files import WEIGHTS, WEIGHTS_KEY, other_run_in_result
from pyojeong.datasets.split_uses import EARLIER_RUN_FILE, RUN_FILE
from pyojeong.training.run import Run, load_picked, read_checkpoint
from pyojeong.training.weight_digests import digest_file, note_digest

_MADE = ("experiment.toml", "environment.json", "curves.jsonl")
"""What differs between any two trainings: settings, data, and seconds of every epoch."""
_COPIED = (*_MADE, "result.json", EARLIER_RUN_FILE, RUN_FILE)
_PACKED = {*_COPIED, "done.json", WEIGHTS, digest_file(Path(WEIGHTS)).name}


def pack(run: Run, out: Path) -> Path:
    """Copy a finished run to a folder of its name in ``out``, with its result's weights alone.

    Weights are kept as float16 (norms and their statistics as float32), a twelfth of a checkpoint.
    The folder is made beside its place and takes its name when it is whole; an earlier pack of the
    same run is replaced with all its files.

    Raises:
        ExperimentError: When the run is not finished, or the folder holds something else.
        OutputBusy: When another process writes the folder.
        OutputError: When it could not be written; what was there stays.
    """
    if not run.done:
        raise ExperimentError(f"{run.folder} is not finished: only finished runs can be packed")
    run.check_files()
    if not run.picked.exists() and run.packed.exists():
        raise ExperimentError(f"{run.folder} is packed already: copy the folder")
    _require_own_result(run)
    folder = out / run.experiment.name
    with one_writer(folder):
        _require_same_run(run, folder)
        weights = _small_weights(run)
        place = folder.resolve()  # a link stays what it is
        with work_folder(place) as work:
            made = work / "packed"
            _write(run, made, weights)
            with output_errors(folder):
                _exchange(made, place, work / "earlier")
    return folder


def _exchange(made: Path, place: Path, earlier: Path) -> None:
    """Give a whole folder its name; the one of before is moved away, or stays."""
    if place.exists():
        place.rename(earlier)
    try:
        made.rename(place)
    except OSError:
        if earlier.exists():
            earlier.rename(place)
        raise


def _require_same_run(run: Run, folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier pack of the run.

    Raises:
        ExperimentError: When it does; with what it holds.
    """
    if not folder.exists():
        return
    cure = "choose another --out folder, or remove this one"
    files = folder.iterdir() if folder.is_dir() else [folder]
    names = sorted(file.name for file in files if file.name != LOCK and not is_stale(file))
    others = [name for name in names if name not in _PACKED]
    if others:
        more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
        raise ExperimentError(f"{folder} holds {others[0]}{more}, which is of no pack: {cure}")
    there, own = (describe_files(place, _MADE) for place in (folder, run.folder))
    if names and there != own:
        changed = [name for name in _MADE if there.get(name) != own.get(name)]
        raise ExperimentError(
            f"{folder} holds another run of that name ({', '.join(changed)} differ): {cure}"
        )
    if any(use not in run.test_split_uses for use in Run(folder).test_split_uses):
        raise ExperimentError(
            f"{folder} has had a use of the test split that {run.folder} does not list: {cure}"
        )


def _require_own_result(run: Run) -> None:
    """Refuse to pack a result of another run, which would be taken for this one's."""
    file = run.folder / "result.json"
    if file.exists():
        cure = "restore it from a copy, or remove it"
        found = other_run_in_result(run.folder, read_record(file, cure=cure))
        if found:
            raise ExperimentError(f"{file}: is of another run ({', '.join(found)}); {cure}")


def _small_weights(run: Run) -> bytes:
    """Return the weights of a run's result, smaller."""
    state = read_checkpoint(run.picked)["state_dict"]
    named = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
    classes = int(named["net.classifier.weight"].shape[0])
    task = load_picked(run, num_classes=classes)
    small = {
        name: value.half() if value.is_floating_point() and value.dim() > 1 else value
        for name, value in task.scored.state_dict().items()
    }
    return bytes(save({k: v.contiguous() for k, v in small.items()}))


def _write(run: Run, folder: Path, weights: bytes) -> None:
    """Write the files of a pack into a new folder; ``done.json`` last."""
    with atomic_write(folder / WEIGHTS) as file:
        file.write(weights)
        note_digest(folder / WEIGHTS, weights)
    for name in _COPIED:
        if (run.folder / name).exists():
            with output_errors(folder / name):
                data = (run.folder / name).read_bytes()
            with atomic_write(folder / name) as file:
                file.write(data)
    known = {WEIGHTS_KEY: {WEIGHTS: hashlib.sha256(weights).hexdigest()}}
    done = read_record(run.folder / "done.json", cure=f"remove {run.folder} and train again")
    write_record(folder / "done.json", {**done, **known})
