"""What a model's card says of where its weights come from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyojeong.core.errors import ModelUnknown
from pyojeong.core.face import Face
from pyojeong.export.exporter import ExportOptions, export_run
from pyojeong.export.provenance import stages_of
from pyojeong.training.run import Run
from pyojeong.zoo import find
from tests.training.tiny import TOML

BUNDLED = "seresnet-s-fer2013-fer7.v4"


class NoDetector:
    id = "none"

    def detect(self, image: np.ndarray, /) -> tuple[Face, ...]:
        raise AssertionError("nothing may be read before the origin is known")


def made(folder: Path, name: str, more: str = "") -> Run:
    """A run's folder with its experiment alone."""
    run = Run(folder / name)
    run.folder.mkdir(parents=True)
    text = TOML.replace('name = "tiny"', f'name = "{name}"\n{more}')
    (run.folder / "experiment.toml").write_text(text)
    return run


def names(run: Run) -> list[str]:
    return [stage["name"] for stage in stages_of(run)]


def test_starts_and_members_come_first_and_once(tmp_path: Path) -> None:
    made(tmp_path, "model/first.s1")
    made(tmp_path, "model/left.s1", 'start = "model/first.s1"')
    made(tmp_path, "model/right.s1", 'start = "model/first.s1"')
    made(tmp_path, "model/soup.s1", 'members = ["model/left.s1", "model/right.s1"]')
    after = made(tmp_path, "model/after.s1", 'start = "model/soup.s1"')
    want = ["model/first.s1", "model/left.s1", "model/right.s1", "model/soup.s1"]
    assert names(after) == want
    assert [stage["start"] for stage in stages_of(after)] == [None, want[0], want[0], None]
    assert names(Run(tmp_path / "model/first.s1")) == []


def test_a_bundled_model_brings_its_own_stages(tmp_path: Path) -> None:
    run = made(tmp_path, "later", f'start = "{BUNDLED}"')
    stages = stages_of(run)
    assert [s["name"] for s in stages[:2]] == ["se-resnet-fer2013", "se-resnet-fer2013-settle"]
    assert stages[-1]["name"] == "model/soup-sharp.s1"
    assert (stages[-1]["model"], "model" in stages[0]) == (BUNDLED, False)


def test_runs_that_only_a_card_tells_of_are_taken_from_it(tmp_path: Path) -> None:
    made(tmp_path, "model/soup-sharp.s1", 'members = ["model/soup.s1", "model/sharp.s1"]')
    run = made(tmp_path, "pair", 'members = ["model/soup-sharp.s1#1"]')
    found = names(run)
    assert found[:2] == ["se-resnet-fer2013", "se-resnet-fer2013-settle"]
    assert found[-1] == "model/soup-sharp.s1"
    assert found[-3:] == ["model/soup.s1", "model/sharp.s1", "model/soup-sharp.s1"]
    assert len(found) == len(set(found))


def test_older_cards_nest_the_stage_that_each_started_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = find(BUNDLED)
    training = {
        "experiment": {"name": "third"},
        "started_from": {"name": "second", "started_from": {"name": "first", "started_from": None}},
    }
    older = replace(entry, card=replace(entry.card, training=training))
    monkeypatch.setattr("pyojeong.export.provenance.find", lambda _: older)
    stages = stages_of(made(tmp_path, "later", f'start = "{BUNDLED}"'))
    assert [stage["name"] for stage in stages] == ["first", "second", "third"]
    assert all("started_from" not in stage for stage in stages)


def test_a_start_that_is_nowhere_is_named_before_the_test_split_is_looked_at(
    tmp_path: Path,
) -> None:
    run = made(tmp_path, "lost", 'start = "nobody-s-fer2013-fer7.v9"')
    (run.folder / "done.json").write_text('{"epoch": 0}')
    (run.folder / "result.json").write_text("{}")
    options = ExportOptions(id="lost-s-none-fer7.v1")
    with pytest.raises(ModelUnknown, match=r"nobody-s-fer2013-fer7\.v9"):
        export_run(run, tmp_path / "none.parquet", tmp_path, options, detector=NoDetector())
    assert not (run.folder / "test_split_uses.jsonl").exists()
