"""Experiment files: every number has a range, every name leads where it may."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
import tomli_w

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import ExperimentError
from pyojeong.core.feature import FEATURES
from pyojeong.experiments.catalogue import Catalogue, read_toml
from pyojeong.training.data.augment import Augment
from pyojeong.training.data.sampling import Sampling
from pyojeong.training.experiment import Experiment
from pyojeong.training.recipe import Recipe
from tests.training.tiny import TOML

TABLES = {
    "": Experiment, "augment": Augment, "sampling": Sampling, "recipe": Recipe,
    "preprocess": Preprocess,
}  # fmt: skip
NOT_NUMBERS = {"net_options", "about"}  # tested below
BAD = [float("nan"), float("inf"), -float("inf"), -1e9, 1e300, 2**70, -5, "x", True, [], {}]


def numeric_fields():
    for table, kind in TABLES.items():
        hints = get_type_hints(kind)
        for each in fields(kind):
            hint = str(hints[each.name]).replace("NoneType", "")
            numeric = "int" in hint.replace("Point", "") or "float" in hint
            if numeric and each.name not in NOT_NUMBERS and "dict[str, Any]" not in hint:
                yield pytest.param(table, each.name, hint, id=f"{table}.{each.name}")
    for name, kind in FEATURES.items():
        for each in fields(kind):
            if each.init and each.type in {"int", "float", int, float}:
                yield pytest.param(f"feature:{name}", each.name, "", id=f"{name}.{each.name}")


def with_value(table, key, value):
    data = tomllib.loads(TOML)
    if table.startswith("feature:"):
        data["preprocess"]["feature"] = {"name": table.partition(":")[2], key: value}
    elif table:
        data.setdefault(table, {})[key] = value
    else:
        data[key] = value
    return data


def read(data):
    try:
        text = tomli_w.dumps(data)
    except (TypeError, OverflowError):
        text = None
    assert text is not None
    return Experiment.from_toml(text)


def test_there_are_fields():
    assert len(list(numeric_fields())) > 60


@pytest.mark.parametrize(("table", "key", "hint"), list(numeric_fields()))
def test_every_number_has_a_type_and_a_range(table, key, hint):
    """A new field without a range fails here."""
    for value in BAD:
        if value == -5 and key in {"mean", "box_shift_y"}:
            continue
        if hint.startswith("dict") or "| dict" in hint:
            wrong = [value] if value not in ([], {}) else []
            wrong += [{"a": value}] if not isinstance(value, list | dict) else []
        elif key in {"mean", "std"}:
            wrong = [value, [value]] if value not in ([], {}) else []
        elif "tuple" in hint:
            wrong = [value] if value != [] else [[]]
            if not isinstance(value, list | dict):
                wrong += [[value], [value, value], [0.1, value]]
        else:
            wrong = [value]
        for each in wrong:
            with pytest.raises(ExperimentError) as caught:
                read(with_value(table, key, each))
            message = str(caught.value)
            assert key in message, (each, message)
            assert "\n" not in message


@pytest.mark.parametrize(
    ("table", "key", "value", "words"),
    [
        ("augment", "flip", 9, r"\[augment\] flip: expected 0 to 1, got 9"),
        ("augment", "rotate_deg", float("nan"), r"rotate_deg: expected 0 to 180, got nan"),
        ("recipe", "epochs", -1, r"epochs: expected 1 to .*, got -1"),
        ("recipe", "lr", float("inf"), r"lr: expected .* got inf"),
        ("recipe", "batch_size", 0, r"batch_size: expected 1 to 65536, got 0"),
        ("preprocess", "size_hw", [0, 99999], r"size_hw must be 1 to 4096 pixels"),
        ("augment", "erase_area", [0.9, 0.1], "smaller number first"),
        ("augment", "filp", 0.5, "did you mean 'flip'"),
        ("recipe", "epochs", 2.5, r"epochs: expected a whole number, got 2.5"),
        ("recipe", "nesterov", 1, "nesterov"), ("recipe", "loss", 3, "loss"),
        ("net", "widths", [0.1, float("nan")], r"\[net\] widths: expected"),
        ("net", "dropout", 9, r"\[net\] dropout: expected 0 to 0.999"),
        ("net", "stem", -4, r"\[net\] stem: expected 1 to"),
        ("net", "stem", 10**6, r"\[net\] stem: expected 1 to"),
        ("about", "x", float("nan"), "about.*finite"),
        ("about", "x", tomllib.loads("x = 2020-01-01")["x"], "about.*quotes"),
        ("", "net", "vgg", "net"), ("", "recipe", 3, "recipe"), ("", "augment", [1], "augment"),
        ("", "members", "a", "members"), ("", "preprocess", 3, "preprocess"),
    ],
)  # fmt: skip
def test_errors_name_key_value_and_range(table, key, value, words):
    with pytest.raises(ExperimentError, match=words):
        read(with_value(table, key, value))


@pytest.mark.parametrize("options", [{"widths": [0, 8, 8, 8]}, {"depths": []}, {"stem": 0}])
def test_options_that_no_net_takes_are_one_line(options):
    data = tomllib.loads(TOML)
    data["net"] |= options
    with pytest.raises(ExperimentError, match=r"\[net\]"):
        read(data).build_net(num_classes=7)


@pytest.mark.parametrize("missing", ["name", "net", "preprocess", "recipe"])
def test_what_is_missing_is_named(missing):
    data = tomllib.loads(TOML)
    del data[missing]
    with pytest.raises(ExperimentError, match=missing):
        read(data)


NAMES = [
    "", ".", "..", "../x", "a/../../x", "/etc/x", "a//b", "a/", "/", "C:\\x", "a\\b",
    "a\nb", "a\0b",
    "a\x1b[2J", "x" * 300, "é" * 100, "/".join("x" * 100 for _ in range(10)), ".hidden", "a/.b",
    " a", "a ", "a.", "a\u202eb", "a:b", "a*b",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=repr)
@pytest.mark.parametrize("key", ["name", "start", "members", "teacher"])
def test_names_stay_in_the_folder_of_runs(key, name):
    data = tomllib.loads(TOML)
    if key == "teacher":
        data["recipe"]["teacher"] = name
    else:
        data[key] = [name] if key == "members" else name
    with pytest.raises(
        ExperimentError, match=rf"{key}: expected the name of a run.*runs"
    ) as caught:
        Experiment.from_toml(tomli_w.dumps(data))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["tiny", "arms/base.s1", "한국/표정", "a-b_c.d (2)", "x" * 160])
def test_plain_names_are_names(name):
    data = tomllib.loads(TOML) | {"name": name, "start": name, "members": [f"{name}#2"]}
    assert Experiment.from_toml(tomli_w.dumps(data)).name == name


@pytest.mark.parametrize("start", ["/models/a.onnx", "../models/a.card.json", "default"])
def test_a_start_may_be_the_path_of_a_model(start):
    assert read(with_value("", "start", start)).start == start


@pytest.mark.parametrize("path", ["", " ", "a\0b", "a\nb", "x" * 5000])
@pytest.mark.parametrize(("table", "key"), [("recipe", "soft_labels"), ("", "pretrained_path")])
def test_paths_are_paths(table, key, path):
    with pytest.raises(ExperimentError, match=f"{key}: expected the path of a file"):
        read(with_value(table, key, path))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("extends = 3", "extends"), ('extends = "/dev/zero"', "extends"),
        ('extends = ""', "extends"),
        ('extends = "a.toml"', "circle"), ('extends = "gone.toml"', "no such file"),
        ('extends = "folder.toml"', "folder, device"), ("remove = 3", "remove"),
        ('remove = ["seed.x"]', "remove"), ('remove = ["x.y.z"]', "remove"),
        ("x = [" * 5000, "TOML"),
    ],
)  # fmt: skip
def test_parents_and_removed_keys(tmp_path: Path, line, words):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "a.toml").write_text(f"seed = 1\n{line}\n", encoding="utf-8")
    with pytest.raises(ExperimentError, match=words):
        read_toml(tmp_path / "a.toml")


@pytest.mark.parametrize("seeds", ["3", "[]", "[-1]", '["x"]', "[1.5]", "[true]", "[1, 1]"])
def test_seeds(tmp_path: Path, seeds):
    (tmp_path / "a.toml").write_text(f"seeds = {seeds}\n{TOML}", encoding="utf-8")
    with pytest.raises(ExperimentError, match="seeds: "):
        Catalogue(tmp_path).plan("a")
