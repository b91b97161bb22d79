"""Many runs: none is lost, none counts twice, failures are rows, one use of the test split."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch import loggers

from pyojeong.core.checksums import checked
from pyojeong.core.errors import DataError, ExperimentError, OutputError
from pyojeong.core.json_record import write_record
from pyojeong.core.labels import FER7
from pyojeong.core.line_files import append_lines
from pyojeong.core.one_writer import one_writer
from pyojeong.datasets.samples import Split, read_manifest, write_manifest
from pyojeong.datasets.split_uses import RUN_FILE
from pyojeong.evaluation.test_split_guard import uses_of_data
from pyojeong.experiments import score_test as score_test_module
from pyojeong.experiments.catalogue import Planned
from pyojeong.experiments.result_files import read_results
from pyojeong.experiments.runner import RunOptions, run_all, run_planned, unfinished
from pyojeong.experiments.score_test import score_test
from pyojeong.export.exporter import ExportOptions, export_run
from pyojeong.training import fitting as training
from pyojeong.training.data.portion import stratified
from pyojeong.training.loop import train
from pyojeong.training.packing import pack
from pyojeong.training.run import Run
from pyojeong.verification import verify_path
from tests.training.tiny import TOML, manifest, samples

SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from pyojeong.experiments.catalogue import Planned
from pyojeong.experiments.runner import RunOptions, run_all
text = Path(sys.argv[1]).read_text()
plans = [
    Planned(name=f"tiny.s{i}", experiment="tiny", seed=i,
            text=text.replace('"tiny"', f'"tiny.s{i}"').replace("seed = 3", f"seed = {i}"))
    for i in (1, 2, 3)
]
run_all(plans, Path(sys.argv[2]), Path(sys.argv[3]), options=RunOptions(keep=Path(sys.argv[4])))
"""


def planned(name: str = "tiny", text: str = TOML) -> Planned:
    text = text.replace('name = "tiny"', f'name = "{name}"')
    return Planned(name=name, experiment=name, seed=3, text=text)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict]:
    folder = tmp_path_factory.mktemp("finished")
    data = manifest(folder)
    result = run_planned(planned(), data, folder / "runs", options=RunOptions(keep=folder / "kept"))
    assert result is not None
    return folder, data, result


def test_a_result_holds_what_the_table_needs(finished: tuple[Path, Path, dict]) -> None:
    folder, _, result = finished
    assert result["status"] == "finished"
    assert result["valid"]["n"] == len(result["valid"]["answers"]) == 42
    hits = sum(map(sum, [[row[i] for i, row in enumerate(result["valid"]["confusion"])]]))
    assert result["valid"]["accuracy"]["value"] == pytest.approx(hits / 42, abs=1e-4)
    assert result["params"] > 0
    assert result["torch_ms"] > 0
    assert result["valid_views"] is None
    assert result["macs"] > 0
    assert len(result["curves"]) == 6
    assert result["test"] is None
    kept = json.loads((folder / "kept" / "tiny.json").read_text())
    assert "checksum" in kept
    assert checked(kept) == result
    assert checked(json.loads((folder / "runs" / "tiny" / "result.json").read_text())) == result


def test_a_finished_run_is_not_run_again(finished: tuple[Path, Path, dict]) -> None:
    folder, data, result = finished
    before = (folder / "runs" / "tiny" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert run_planned(planned(), data, folder / "runs", options=RunOptions(again=True)) == result
    assert (folder / "runs" / "tiny" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    assert unfinished(folder / "runs") == []


def test_no_result_of_other_settings_or_data_is_returned_and_nothing_else_is_run(
    finished: tuple[Path, Path, dict], tmp_path: Path
) -> None:
    folder, data, _ = finished
    edited = planned(text=TOML.replace("lr = 3e-3", "lr = 4e-3"))
    first = planned("first")
    with pytest.raises(ExperimentError, match=r"tiny: .*recipe\.lr was 0\.003, is 0\.004"):
        run_all([first, edited], data, folder / "runs")
    assert not (folder / "runs" / "first").exists()
    with pytest.raises(ExperimentError, match="limit was None, is 20"):
        run_all([planned()], data, folder / "runs", options=RunOptions(limit=20))
    other = tmp_path / data.name
    write_manifest(other, samples(175), FER7)
    with pytest.raises(ExperimentError, match=r"labels or splits of tiny\.parquet were others"):
        run_all([planned()], other, folder / "runs")


def test_an_edited_copy_of_a_result_is_noticed(
    finished: tuple[Path, Path, dict], tmp_path: Path
) -> None:
    file = tmp_path / "tiny.json"
    text = (finished[0] / "kept" / "tiny.json").read_text()
    file.write_text(text)
    assert read_results(tmp_path)[0]["name"] == "tiny"
    value = f'"value": {finished[2]["valid"]["accuracy"]["value"]}'
    assert value in text
    file.write_text(text.replace(value, '"value": 0.99', 1))
    with pytest.raises(ExperimentError, match=r"tiny\.json is no result: .*checksum differs"):
        read_results(tmp_path)


@pytest.mark.parametrize("name", ["experiment.toml", "environment.json", "curves.jsonl"])
def test_files_that_a_run_rests_on_are_compared(
    finished: tuple[Path, Path, dict], tmp_path: Path, name: str
) -> None:
    folder, data, _ = finished
    runs = tmp_path / "runs"
    shutil.copytree(folder / "runs", runs)
    file = runs / "tiny" / name
    file.write_text(file.read_text() + "\n")
    said = rf"{name}: is damaged or was changed after the run ended; restore it .* train again"
    options = ExportOptions(id="tiny.v1")
    for use in (
        lambda: run_planned(planned(), data, runs),
        lambda: train(TOML, data, runs),
        lambda: read_results(runs),
        lambda: score_test(runs / "tiny", data),
        lambda: export_run(Run(runs / "tiny"), data, tmp_path / "out", options, detector=None),
        lambda: pack(Run(runs / "tiny"), tmp_path / "packed"),
    ):
        with pytest.raises(ExperimentError, match=said):
            use()
    bad = [found for found in verify_path(runs) if not found.ok]
    assert [(found.path.name, name in found.detail) for found in bad] == [("done.json", True)]


def test_runs_of_earlier_versions_rest_on_files_as_they_are(
    finished: tuple[Path, Path, dict], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(finished[0] / "runs", runs)
    done = checked(json.loads((runs / "tiny" / "done.json").read_text()))
    assert len(done.pop("rests_on")) == 4
    (runs / "tiny" / "done.json").write_text(json.dumps(done))
    curves = runs / "tiny" / "curves.jsonl"
    curves.write_text(curves.read_text() + "\n")
    assert read_results(runs)[0]["name"] == "tiny"
    assert run_planned(planned(), finished[1], runs) == finished[2]


@pytest.mark.parametrize("name", ["experiment.toml", "environment.json", "result.json"])
def test_doctor_names_emptied_files_of_a_run(
    finished: tuple[Path, Path, dict], tmp_path: Path, name: str
) -> None:
    shutil.copytree(finished[0] / "runs", tmp_path / "runs")
    assert all(found.ok and found.checksum for found in verify_path(tmp_path))
    (tmp_path / "runs" / "tiny" / name).write_text("")
    assert name in {found.path.name for found in verify_path(tmp_path) if not found.ok}


def test_a_run_that_another_process_has_is_left_to_it(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    (tmp_path / "runs").mkdir()
    said: list[str] = []
    with one_writer(tmp_path / "runs" / "tiny"):
        assert run_all([planned()], data, tmp_path / "runs", say=said.append) == []
    assert said == ["tiny: another process is at it"]
    assert not (tmp_path / "runs" / "tiny").exists()


def test_failures_are_rows_and_can_be_tried_again(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    wild = TOML.replace(
        "lr = 3e-3", 'lr = 1e3\noptimizer = "sgd"\nclip = 0.0\nschedule = "constant"'
    )
    result = run_planned(planned("wild", wild), data, tmp_path / "runs")
    assert result is not None
    assert result["status"] == "failed"
    assert "the loss became" in result["reason"]
    assert "lower lr" in result["reason"]
    small = TOML.replace(
        'name = "se_resnet"\nstem = 4\nwidths = [8, 12, 16, 16]', 'name = "yu_zhang"'
    )
    small = small.replace("depths = [1, 1, 1, 1]\n", "").replace("[24, 24]", "[4, 4]")
    tiny = run_planned(planned("small", small), data, tmp_path / "runs")
    assert tiny is not None
    assert tiny["status"] == "failed"
    assert "size_hw" in tiny["reason"]
    assert unfinished(tmp_path / "runs") == []
    assert run_planned(planned("wild", wild), data, tmp_path / "runs") == result


def test_a_wrong_file_is_named_before_anything_runs(tmp_path: Path) -> None:
    wrong = planned("wrong", TOML.replace("epochs = 6", "epoch = 6"))
    with pytest.raises(ExperimentError, match=r"wrong: .*did you mean 'epochs'"):
        run_all([planned(), wrong], manifest(tmp_path), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_killed_at_any_time_nothing_is_lost_or_counted_twice(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    (tmp_path / "tiny.toml").write_text(TOML)
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, tmp_path / "tiny.toml", data]
    command += [tmp_path / "runs", tmp_path / "kept"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def curves() -> int:
        files = (tmp_path / "runs").glob("*/curves.jsonl")
        return sum(len(f.read_text().splitlines()) for f in files)

    for more in (2, 5, 4):
        process = subprocess.Popen(list(map(str, command)), env=environment)
        goal, started = curves() + more, time.monotonic()
        while process.poll() is None and curves() < goal and time.monotonic() - started < 120:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert unfinished(tmp_path / "runs")
    # Two at once finish what is left, without treading on each other.
    both = [subprocess.Popen(list(map(str, command)), env=environment) for _ in range(2)]
    assert [process.wait(timeout=240) for process in both] == [0, 0]
    results = [json.loads(f.read_text()) for f in sorted((tmp_path / "kept").glob("*.json"))]
    assert [r["name"] for r in results] == ["tiny.s1", "tiny.s2", "tiny.s3"]
    for result in results:
        assert result["status"] == "finished"
        assert [line["epoch"] for line in result["curves"]] == list(range(6))
    alone = tmp_path / "alone"
    text = TOML.replace('"tiny"', '"tiny.s2"').replace("seed = 3", "seed = 2")
    plan = Planned(name="tiny.s2", experiment="tiny", seed=2, text=text)
    again = run_planned(plan, data, alone)
    assert again is not None
    assert again["valid"]["answers"] == results[1]["valid"]["answers"]


def test_one_look_at_the_test_split(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    assert run_planned(planned(), data, tmp_path / "runs") is not None
    result = score_test(tmp_path / "runs" / "tiny", data)
    assert result["test"]["split"] == "test"
    assert result["test"]["n"] == 42
    assert len(result["test_split_uses"]) == 1
    assert result["test"]["temperature"] == result["valid"]["temperature"]
    with pytest.raises(ExperimentError, match="Each run is scored once"):
        score_test(tmp_path / "runs" / "tiny", data)
    with pytest.raises(ExperimentError, match="no result yet"):
        score_test(tmp_path / "runs" / "gone", data)


def test_other_data_of_the_same_name_are_not_scored(
    finished: tuple[Path, Path, dict], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished[0] / "runs" / "tiny", tmp_path / "runs" / "tiny"))
    other = tmp_path / finished[1].name
    write_manifest(other, samples(175), FER7)
    with pytest.raises(
        ExperimentError, match=r"trained on other data than .*splits .* were others"
    ):
        score_test(run, other)
    other.unlink()
    other = tmp_path / "renamed.parquet"
    shutil.copy(finished[1], other)
    with pytest.raises(ExperimentError, match=r"the data were tiny\.parquet, are renamed\.parquet"):
        score_test(run, other)
    votes = [replace(sample, votes=(10,) + (0,) * 9) for sample in samples()]
    write_manifest(tmp_path / finished[1].name, votes, FER7)
    with pytest.raises(ExperimentError, match=r"the votes, groups or decisions .* were others"):
        score_test(run, tmp_path / finished[1].name)
    assert Run(run).test_split_uses == []
    assert json.loads((run / "result.json").read_text())["test"] is None


def copied(finished: tuple[Path, Path, dict], folder: Path) -> Path:
    shutil.copytree(finished[0] / "runs", folder / "runs")
    return folder / "runs"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "other"}, "name"),
        ({"seed": 4}, "seed"),
        ({"environment": {"manifest": "other.parquet"}}, "environment"),
        ({"curves": []}, "curves"),
    ],
)
def test_a_result_of_another_run_is_noticed(
    finished: tuple[Path, Path, dict], tmp_path: Path, changed: dict, said: str
) -> None:
    runs = copied(finished, tmp_path)
    result = checked(json.loads((runs / "tiny" / "result.json").read_text()))
    write_record(runs / "tiny" / "result.json", {**result, **changed})
    for use in (
        lambda: run_planned(planned(), finished[1], runs),
        lambda: read_results(runs),
        lambda: score_test(runs / "tiny", finished[1]),
        lambda: pack(Run(runs / "tiny"), tmp_path / "packed"),
    ):
        with pytest.raises(ExperimentError, match=rf"is of another run \({said}\); .*remove it"):
            use()
    bad = [found for found in verify_path(runs) if not found.ok]
    assert [(found.path.name, said in found.detail) for found in bad] == [("result.json", True)]


def test_a_result_of_a_run_that_is_not_finished_is_not_returned(
    finished: tuple[Path, Path, dict], tmp_path: Path
) -> None:
    runs = copied(finished, tmp_path)
    (runs / "tiny" / "done.json").unlink()
    with pytest.raises(ExperimentError, match=r"result\.json: the run .* not finished here; remov"):
        run_planned(planned(), finished[1], runs)
    (runs / "tiny" / "experiment.toml").unlink()
    with pytest.raises(ExperimentError, match=r"is of a training whose experiment\.toml is gone"):
        run_planned(planned(), finished[1], runs)


def test_a_kept_copy_replaces_no_file_of_others(
    finished: tuple[Path, Path, dict], tmp_path: Path
) -> None:
    runs, kept = copied(finished, tmp_path), tmp_path / "kept"
    kept.mkdir()
    for mine in ('{"status": "mine"}', json.dumps({**finished[2], "name": "other"}), "[" * 10**5):
        (kept / "tiny.json").write_text(mine)
        for use in (
            lambda: score_test(runs / "tiny", finished[1], keep=kept),
            lambda: run_planned(planned(), finished[1], runs, options=RunOptions(keep=kept)),
            lambda: run_all(
                [planned("a"), planned()], finished[1], runs, options=RunOptions(keep=kept)
            ),
        ):
            with pytest.raises(OutputError, match=r"tiny\.json is there already and is no result"):
                use()
        assert (kept / "tiny.json").read_text() == mine
    assert Run(runs / "tiny").test_split_uses == []
    assert not (runs / "a").exists()
    (kept / "tiny.json").write_text(json.dumps(finished[2]))
    result = score_test(runs / "tiny", finished[1], keep=kept)
    copy = json.loads((kept / "tiny.json").read_text())
    assert "checksum" in copy
    assert checked(copy) == result


def test_a_use_that_was_recorded_before_a_full_disk_is_finished(
    finished: tuple[Path, Path, dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = copied(finished, tmp_path)

    def full(path: Path, *_: object, **__: object) -> None:
        raise OutputError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(score_test_module, "write_record", full)
    with pytest.raises(OutputError, match="No space left"):
        score_test(runs / "tiny", finished[1])
    monkeypatch.undo()
    (use,) = Run(runs / "tiny").test_split_uses
    uses = len(uses_of_data(finished[1]))
    assert json.loads((runs / "tiny" / "result.json").read_text())["test"] is None
    result = score_test(runs / "tiny", finished[1])
    assert result["test"]["accuracy"]["value"] == use["accuracy"]
    assert len(result["test"]["answers"]) == 42
    assert result["test_split_uses"] == [use]
    assert "scored" not in use
    assert len(uses_of_data(finished[1])) == uses
    with pytest.raises(
        ExperimentError, match=r"figures are in .*test_split_uses\.jsonl\. Each run"
    ):
        score_test(runs / "tiny", finished[1])


def test_figures_of_other_weights_finish_no_use(
    finished: tuple[Path, Path, dict], tmp_path: Path
) -> None:
    runs = copied(finished, tmp_path)
    more = {"weights_sha256": "0" * 64, "scored": {"n": 1}}
    append_lines(runs / "tiny" / RUN_FILE, [{"model": "tiny", **more}], count_tail=True)
    with pytest.raises(ExperimentError, match="Each run is scored once"):
        score_test(runs / "tiny", finished[1])


def test_labels_of_the_test_split_cannot_reach_a_result(tmp_path: Path) -> None:
    clean, poisoned = tmp_path / "clean", tmp_path / "poisoned"
    clean.mkdir()
    poisoned.mkdir()
    results = [
        run_planned(planned(), manifest(clean), clean / "runs"),
        run_planned(planned(), manifest(poisoned, poison=Split.TEST), poisoned / "runs"),
    ]
    assert results[0] is not None
    assert results[1] is not None
    assert results[0]["valid"] == results[1]["valid"]


def test_a_full_disk_is_one_line_and_keeps_the_last_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = manifest(tmp_path)
    real = training.write_text

    def write(path: Path, text: str) -> None:
        if path.name == "curves.jsonl" and text.count("\n") == 3:
            raise OSError(28, "No space left on device")
        real(path, text)

    monkeypatch.setattr(training, "write_text", write)
    with pytest.raises(OutputError, match="No space left on device; the last whole epoch is kept"):
        run_planned(planned(), data, tmp_path / "runs")
    monkeypatch.undo()
    assert [p.name for p in unfinished(tmp_path / "runs")] == ["tiny"]
    result = run_planned(planned(), data, tmp_path / "runs")
    assert result is not None
    assert [line["epoch"] for line in result["curves"]] == list(range(6))


def test_a_checkpoint_is_whole_or_not_there(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))  # less than a checkpoint
    try:
        with pytest.raises(OutputError, match="the last whole epoch is kept"):
            run_planned(planned(), data, tmp_path / "runs")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "runs" / "tiny" / "checkpoints").iterdir()) == []
    result = run_planned(planned(), data, tmp_path / "runs")
    assert result is not None
    assert result["status"] == "finished"


def test_a_logger_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("no tensorboard")

    monkeypatch.setattr(loggers, "TensorBoardLogger", missing)
    result = run_planned(
        planned(), manifest(tmp_path), tmp_path / "runs", options=RunOptions(logger="tensorboard")
    )
    assert result is not None
    assert "pip install tensorboard" in result["reason"]


def test_members_and_teachers_must_be_finished_runs(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    short = TOML.replace("epochs = 6", "epochs = 1")
    stacked = run_planned(planned("stacked", 'members = ["a"]\n' + short), data, tmp_path / "runs")
    assert stacked is not None
    assert "is not a finished run" in stacked["reason"]
    taught = short.replace("[recipe]", '[recipe]\nteacher = "teacher"')
    alone = run_planned(planned("alone", taught), data, tmp_path / "runs")
    assert alone is not None
    assert "must be a finished run" in alone["reason"]
    assert run_planned(planned("teacher", short), data, tmp_path / "runs") is not None
    pupil = run_planned(planned("pupil", "views = 2\n" + taught), data, tmp_path / "runs")
    assert pupil is not None
    assert pupil["status"] == "finished"
    assert pupil["settings"]["teacher"] == "teacher"
    assert pupil["valid_views"]["views"] == 2
    assert len(pupil["valid_views"]["answers"]) == pupil["valid"]["n"]
    other = taught.replace("std = [0.25]", "std = [0.5]")
    odd = run_planned(planned("odd", other), data, tmp_path / "runs")
    assert odd is not None
    assert "same [preprocess]" in odd["reason"]


def test_a_subset_keeps_the_proportions(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    samples = list(read_manifest(data, splits=[Split.TRAIN]))
    part = stratified(samples, 50)
    counts = Counter(s.label for s in part)
    whole = Counter(s.label for s in samples)
    assert len(part) == 50
    assert all(abs(counts[k] - 50 * n / len(samples)) < 1 for k, n in whole.items())
    assert [s.source for s in part] == [s.source for s in stratified(samples, 50)]
    assert {s.source for s in stratified(samples, 21)} <= {s.source for s in part}
    with pytest.raises(DataError, match="126 samples"):
        stratified(samples, 127)
