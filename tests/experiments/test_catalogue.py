"""Experiments by name: one parent, the students' rows, and what could not be."""

import csv
from pathlib import Path

import pytest

from pyojeong.core.errors import ExperimentError
from pyojeong.experiments.catalogue import Catalogue, merged, read_toml
from pyojeong.training.experiment import Experiment

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "experiments"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(FOLDER)


def test_every_experiment_parses_and_is_complete(catalogue: Catalogue) -> None:
    assert len(catalogue.names) > 90
    names = set()
    for name in catalogue.names:
        for planned in catalogue.plan(name):
            experiment = Experiment.from_toml(planned.text)
            assert experiment.name == planned.name
            assert experiment.seed == planned.seed
            names.add(planned.name)
    assert len(names) >= len(catalogue.names)


def test_all_53_rows_are_there_as_the_slides_have_them(catalogue: Catalogue) -> None:
    text = (FOLDER / "seed2021.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["row"] for row in rows] == [f"{i:02d}" for i in range(1, 54)]
    assert sum(1 for row in rows if not row["their_accuracy"]) == 2
    best = max(rows, key=lambda row: float(row["their_accuracy"] or 0))
    assert (best["row"], best["net"], best["their_accuracy"]) == (
        "27",
        "mobilenet_v3_large",
        "0.6162",
    )
    assert catalogue.matching(["seed2021"]) == [f"seed2021/{row['row']}" for row in rows]


def test_a_row_says_what_was_reduced(catalogue: Catalogue) -> None:
    table = catalogue.table("seed2021/45")
    assert table["recipe"]["frozen_lr"] == 1e-4
    assert table["recipe"]["lr"] == 1e-5
    assert table["net"] == {
        "name": "inception_resnet_v2",
        "head": "dnn",
        "dropout": 0.5,
        "first_dropout": 0.25,
    }
    assert "150 to 75 px" in table["about"]["reduced"]
    assert "random trunk" in table["about"]["reduced"]
    assert table["about"]["their_accuracy"] == 0.5357
    hinge = catalogue.table("seed2021/14")
    assert hinge["recipe"]["loss"] == "softmax-hinge"
    assert hinge["net"]["pool"] == "max"
    assert "subset" in hinge


def test_a_child_changes_its_parent(tmp_path: Path) -> None:
    (tmp_path / "_parent.toml").write_text(
        'seeds = [1]\n[net]\nname = "a"\ndepth = 3\n[recipe]\nepochs = 2\nlr = 0.1\n'
        "[preprocess]\nfeature = { name = 'lbp', method = 'ror' }\n[augment]\nflip = 0.5\n"
    )
    (tmp_path / "child.toml").write_text(
        "extends = '_parent.toml'\nremove = ['augment.flip', 'recipe.lr']\n[net]\ndepth = 4\n"
        "[preprocess]\nfeature = { name = 'hog' }\n"
    )
    (tmp_path / "other.toml").write_text("extends = 'child.toml'\n[net]\nname = 'b'\n")
    child = read_toml(tmp_path / "child.toml")
    assert child["net"] == {"name": "a", "depth": 4}
    assert child["recipe"] == {"epochs": 2}
    assert child["augment"] == {}
    assert child["preprocess"]["feature"] == {"name": "hog"}
    assert read_toml(tmp_path / "other.toml")["net"] == {"name": "b"}
    plan = Catalogue(tmp_path).plan("child", seeds=[4, 5])
    assert [p.name for p in plan] == ["child.s4", "child.s5"]
    assert Catalogue(tmp_path).names == ["child", "other"]


def test_merging_leaves_its_arguments_alone() -> None:
    parent, child = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert merged(parent, child) == {"a": {"b": 1, "c": 2}}
    assert parent == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends = 'a.toml'", "circle"),
        ("extends = 'gone.toml'", "gone.toml: no such file; experiment files"),
        ("a = ", "not valid TOML"),
        ("remove = ['recipe.lr']", "not there"),
    ],
)
def test_faults_of_a_file_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ExperimentError, match=message):
        Catalogue(tmp_path).table("a")


def test_unknown_names_suggest(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="did you mean 'arms/hinge'"):
        catalogue.plan("arms/hing")
    with pytest.raises(ExperimentError, match="not a folder of experiments"):
        Catalogue(tmp_path / "gone")
