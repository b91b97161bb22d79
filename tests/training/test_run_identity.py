"""A run folder is taken up again only for the same experiment, data and size."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pyojeong.core.errors import ExperimentError, OutputBusy
from pyojeong.core.labels import FER7
from pyojeong.core.one_writer import one_writer
from pyojeong.datasets.samples import Split, manifest_id, read_manifest, write_manifest
from pyojeong.training.experiment import Experiment
from pyojeong.training.loop import train
from pyojeong.training.run import Run
from pyojeong.training.run_identity import IMAGES, check_same_run, images_trained_on
from pyojeong.training.start_files import start_digests
from pyojeong.zoo import CARD_SUFFIX, FER2013_MODEL, find
from tests.training.tiny import TOML, manifest, samples

SHORT = TOML.replace("epochs = 6", "epochs = 1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("trained")
    data = manifest(folder)
    return train(SHORT, data, folder / "runs", min_steps=7), data


def test_the_same_again_changes_nothing(trained: tuple[Run, Path]) -> None:
    run, data = trained
    check_same_run(run, Experiment.from_toml(SHORT), data, runs=run.folder.parent, min_steps=7)
    check_same_run(
        run, Experiment.from_toml(SHORT), data, runs=run.folder.parent
    )  # min_steps as the run has it
    check_same_run(
        Run(run.folder / "nowhere"), Experiment.from_toml(SHORT), data, runs=run.folder.parent
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("lr = 3e-3", "lr = 4e-3", r"recipe\.lr was 0\.003, is 0\.004"),
        ("widths = [8, 12", "widths = [8, 16", r"net_options\.widths was"),
        ("seed = 3", "seed = 4", "seed was 3, is 4"),
        ("blur_p = 0.2", "blur_p = 0.3", r"augment\.blur_p"),
    ],
)
def test_an_edited_experiment_is_refused_with_the_difference(
    trained: tuple[Run, Path], before: str, after: str, words: str
) -> None:
    run, data = trained
    assert before in SHORT
    with pytest.raises(ExperimentError, match=words):
        train(SHORT.replace(before, after), data, run.folder.parent)


def test_words_about_it_may_change(trained: tuple[Run, Path]) -> None:
    run, data = trained
    text = SHORT + '\n[about]\nfamily = "another"\n'
    assert train(text, data, run.folder.parent).done


def test_other_data_of_the_same_name_are_refused(trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, data = trained
    other = tmp_path / data.name
    write_manifest(other, samples(175), FER7)
    with pytest.raises(ExperimentError, match=f"the images, labels or splits of {data.name}"):
        train(SHORT, other, run.folder.parent)
    renamed = tmp_path / "other.parquet"
    renamed.write_bytes(data.read_bytes())
    with pytest.raises(ExperimentError, match=r"the data were tiny\.parquet, are other\.parquet"):
        train(SHORT, renamed, run.folder.parent)


def test_a_limited_trial_is_not_the_whole_training(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    train(SHORT, data, tmp_path / "runs", limit=20)
    with pytest.raises(ExperimentError, match="limit was 20, is None"):
        train(SHORT, data, tmp_path / "runs")


def as_earlier(run: Run, environment: dict[str, object]) -> None:
    """Write a run as earlier versions did: their records had neither checksums nor digests."""
    done = {k: v for k, v in run.summary.items() if k != "rests_on"}
    (run.folder / "done.json").write_text(json.dumps(done))
    (run.folder / "environment.json").write_text(json.dumps(environment))


def test_runs_of_earlier_versions_are_resumed(trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, data = trained
    old = Run(shutil.copytree(run.folder, tmp_path / "tiny"))
    environment = {k: v for k, v in old.environment.items() if k not in {"limit", "min_steps"}}
    as_earlier(old, environment)
    check_same_run(
        old, Experiment.from_toml(SHORT), data, runs=old.folder.parent, limit=5, min_steps=1000
    )


def test_images_that_were_trained_on_are_counted(trained: tuple[Run, Path], tmp_path: Path) -> None:
    from dataclasses import replace

    run, data = trained
    assert images_trained_on(run, data, Split.VALID) == (0, 42)
    swapped = [
        replace(s, content_hash=f"{i:016x}", split=Split.TRAIN if i % 2 else Split.VALID)
        for i, s in enumerate(samples(20))
    ]
    first = tmp_path / "first.parquet"
    write_manifest(first, swapped, FER7)
    made = train(SHORT, first, tmp_path / "runs")
    turned = [replace(s, split=Split.VALID) for s in swapped]
    second = tmp_path / "second.parquet"
    write_manifest(second, turned, FER7)
    assert images_trained_on(made, second, Split.VALID) == (10, 20)
    (made.folder / IMAGES).unlink()
    assert images_trained_on(made, second, Split.VALID) is None


def test_other_votes_groups_or_decisions_are_other_data(
    trained: tuple[Run, Path], tmp_path: Path
) -> None:
    run, data = trained
    same = list(read_manifest(data, splits=list(Split)))
    other = tmp_path / data.name
    for changed in (
        {"votes": (1, 0, 0, 3, 0, 0, 0)},
        {"group": "somebody else"},
        {"decision": "keep"},
    ):
        write_manifest(other, [replace(same[0], **changed), *same[1:]], FER7)
        assert manifest_id(other) == manifest_id(data)
        with pytest.raises(ExperimentError, match=r"votes, groups or decisions .* were others"):
            train(SHORT, other, run.folder.parent)
    write_manifest(other, same, FER7)
    assert train(SHORT, other, run.folder.parent).done


def test_two_trainings_of_one_folder(tmp_path: Path) -> None:
    data = manifest(tmp_path)
    folder = tmp_path / "runs" / Experiment.from_toml(SHORT).name
    with one_writer(folder, folder=True), pytest.raises(OutputBusy, match="another process"):
        train(SHORT, data, tmp_path / "runs")
    assert not folder.exists()


def trained_again(runs: Path, data: Path, name: str, seed: int) -> Run:
    """A run of the same name with other weights, in the place of an earlier one."""
    shutil.rmtree(runs / name, ignore_errors=True)
    text = SHORT.replace('"tiny"', f'"{name}"').replace("seed = 3", f"seed = {seed}")
    return train(text, data, runs)


def test_another_file_to_start_from_of_the_same_name_is_another_run(tmp_path: Path) -> None:
    data, runs = manifest(tmp_path), tmp_path / "runs"
    trained_again(runs, data, "first", 3)
    text = f'start = "first"\n{SHORT}'
    train(text, data, runs)
    assert train(text, data, runs).done
    trained_again(runs, data, "first", 4)
    with pytest.raises(ExperimentError, match=r"start first was another file \(sha256 "):
        train(text, data, runs)
    shutil.rmtree(runs / "first")  # nothing to compare: the run is the one that is asked for
    assert train(text, data, runs).done


def test_runs_of_earlier_versions_do_not_say_what_they_started_from(tmp_path: Path) -> None:
    data, runs = manifest(tmp_path), tmp_path / "runs"
    trained_again(runs, data, "first", 3)
    text = f'start = "first"\n{SHORT}'
    run = train(text, data, runs)
    environment = {k: v for k, v in run.environment.items() if k != "start_files"}
    as_earlier(run, environment)
    trained_again(runs, data, "first", 4)
    assert train(text, data, runs).done


def test_every_file_that_a_training_starts_from_has_a_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, runs = manifest(tmp_path), tmp_path / "runs"
    trained_again(runs, data, "first", 3)
    trained_again(runs, data, "second", 4)
    soft = tmp_path / "answers.npz"
    soft.write_bytes(b"1")
    base = Experiment.from_toml(SHORT)
    recipe = replace(base.recipe, teacher="second")
    taught = replace(base, members=("first", "second"), recipe=recipe)
    before = start_digests(taught, runs)
    assert set(before) == {"members first", "members second", "[recipe] teacher"}
    trained_again(runs, data, "second", 5)
    after = start_digests(taught, runs)
    assert after["members first"] == before["members first"]
    assert after["members second"] != before["members second"]
    assert after["[recipe] teacher"] != before["[recipe] teacher"]
    distilled = replace(base, recipe=replace(base.recipe, soft_labels=str(soft)))
    ones = start_digests(distilled, runs)
    soft.write_bytes(b"2")
    assert start_digests(distilled, runs)["[recipe] soft_labels"] != ones["[recipe] soft_labels"]
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"w")
    loaded = replace(base, pretrained="vggface2-mobilenet-v1", pretrained_path=str(weights))
    assert set(start_digests(loaded, runs)) == {"pretrained"}
    entry = find(FER2013_MODEL)
    shutil.copyfile(entry.weights, tmp_path / entry.card.file)
    card = entry.weights.with_suffix(CARD_SUFFIX)
    shutil.copyfile(card, tmp_path / card.name)
    own = replace(base, start=str(tmp_path / entry.card.file))
    assert set(start_digests(own, runs)) == {"start"}
