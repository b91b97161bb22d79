"""Experiments by name: TOML files with one parent each, and the students' rows.

``extends = "file.toml"`` (beside the file) takes everything from a parent. Tables are merged key by
key; ``[net]`` of another name and ``preprocess.feature`` replace the parent's as a whole, because
their options belong to them. ``remove = ["table.key"]`` takes a key away. ``seeds`` lists the seeds
that belong to the experiment; each gives a run of its own, ``<name>.s<seed>``.

Files that begin with an underscore are parents only. Nothing here needs torch.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import tomli_w

from pyojeong.core.errors import ExperimentError
from pyojeong.experiments.seed2021 import FOLDER, seed_experiments

Table = dict[str, Any]

_DEEPEST = 8
_LARGEST = 1_000_000  # bytes of a file
_MOST_SEEDS = 1000


ORIGIN = (
    "experiment files are in the folder experiments/ of a clone of pyojeong's repository, not in "
    "the installed package; write your own (docs/experiments.md), or train the bundled model on "
    "without one: `pyojeong train --data DATA`"
)
"""Where experiment files come from, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One run that an experiment asks for.

    Attributes:
        name: Name of the run folder: the experiment's name and the seed.
        experiment: Name of the experiment, for example ``"full/yu-zhang"``.
        seed: The seed.
        text: The complete experiment as TOML.
    """

    name: str
    experiment: str
    seed: int
    text: str


class Catalogue:
    """The experiments of a folder.

    Args:
        folder: Holds ``*.toml`` in any depth, and ``seed2021.csv`` with ``_seed2021.toml``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise ExperimentError(
                f"{folder} is not a folder of experiments: give one with --folder; {ORIGIN}"
            )
        files = (p for p in folder.rglob("*.toml") if not p.name.startswith("_"))
        files = (p for p in files if not p.name.endswith(".about.toml"))
        files = (p for p in files if p.name != "experiment.toml")  # of a run folder
        self._files = {str(p.relative_to(folder).with_suffix("")): p for p in files}
        self._rows: dict[str, Table] = {}
        if (folder / f"{FOLDER}.csv").exists():
            parent = read_toml(folder / f"_{FOLDER}.toml")
            self._rows = {
                f"{FOLDER}/{row}": merged(parent, table)
                for row, table in seed_experiments(folder / f"{FOLDER}.csv", parent).items()
            }
        for table in self._rows.values():
            table.pop("budget", None)

    @property
    def names(self) -> list[str]:
        """All experiments, sorted."""
        return sorted([*self._files, *self._rows])

    def table(self, name: str) -> Table:
        """Return the complete experiment as a dictionary, with ``seeds``.

        Raises:
            ExperimentError: When there is none of that name, with the nearest names.
        """
        if name in self._rows:
            return {**self._rows[name], "name": name}
        if name not in self._files:
            near = get_close_matches(name, self.names, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
            raise ExperimentError(
                f"unknown experiment {name!r}: {hint}`pyojeong experiments list` names all"
            )
        table = read_toml(self._files[name])
        return {**table, "name": table.get("name", name)}

    def plan(
        self,
        name: str,
        *,
        seeds: Iterable[int] | None = None,
        epochs: int | None = None,
        lr: float | None = None,
    ) -> list[Planned]:
        """Return the runs of an experiment: its own seeds, epochs and rate, or the given ones."""
        table = with_recipe(self.table(name), epochs=epochs, lr=lr)
        own = _seeds(table)
        wanted = list(seeds) if seeds is not None else own
        if wanted is None:
            label = str(table["name"])
            return [
                Planned(
                    name=label,
                    experiment=name,
                    seed=_seed(table.get("seed", 0), "seed"),
                    text=tomli_w.dumps(table),
                )
            ]
        planned = []
        for seed in wanted:
            label = f"{table['name']}.s{seed}"
            text = tomli_w.dumps({**table, "name": label, "seed": seed})
            planned.append(Planned(name=label, experiment=name, seed=seed, text=text))
        return planned

    def matching(self, patterns: Iterable[str]) -> list[str]:
        """Return the names that equal a pattern, or lie in a folder of that name (``"seed2021"``).

        Raises:
            ExperimentError: When a pattern matches nothing.
        """
        chosen: list[str] = []
        for pattern in patterns:
            inside = [n for n in self.names if n.startswith(pattern.rstrip("/") + "/")]
            if not inside:
                self.table(pattern)
                inside = [pattern]
            chosen += [n for n in inside if n not in chosen]
        return chosen


def _seeds(table: Table) -> list[int] | None:
    """Take the seeds out of an experiment; None = it has no list of them."""
    seeds = table.pop("seeds", None)
    if seeds is None:
        return None
    if not isinstance(seeds, list) or not seeds or len(seeds) > _MOST_SEEDS:
        raise ExperimentError(f"seeds: expected 1 to {_MOST_SEEDS} whole numbers, got {seeds!r}")
    found = [_seed(seed, "seeds") for seed in seeds]
    if len(set(found)) < len(found):
        raise ExperimentError(f"seeds: one is named twice in {seeds!r}; each is a run of its own")
    return found


def _seed(seed: object, key: str) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ExperimentError(f"{key}: expected whole numbers from 0 to 2^63 - 1, got {seed!r}")
    return seed


def with_recipe(table: Table, *, epochs: int | None, lr: float | None) -> Table:
    """Return an experiment with other epochs or another learning rate; None = its own."""
    given = {k: v for k, v in (("epochs", epochs), ("lr", lr)) if v is not None}
    if not given or not isinstance(table.get("recipe"), dict):
        return table
    return {**table, "recipe": {**table["recipe"], **given}}


def read_toml(path: Path, *, depth: int = 0) -> Table:
    """Return a TOML file with all it inherits.

    Raises:
        ExperimentError: When a file is missing, is no TOML, or parents go round in a circle.
    """
    if depth > _DEEPEST:
        raise ExperimentError(f"{path}: more than {_DEEPEST} parents; do they form a circle?")
    try:
        table = tomllib.loads(_text_of(path))
    except FileNotFoundError as error:
        raise ExperimentError(f"{path}: no such file{_near_files(path)}; {ORIGIN}") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExperimentError(f"{path}: could not be read: {reason}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ExperimentError(f"{path} is not valid TOML: {error}") from error
    removed = table.pop("remove", [])
    if not isinstance(removed, list):
        raise ExperimentError(f"{path}: remove: expected a list of keys, got {removed!r}")
    if "extends" in table:
        parent = read_toml(path.parent / _parent(table.pop("extends"), path), depth=depth + 1)
        table = merged(parent, table)
    for key in removed:
        _remove(table, str(key), path)
    return table


def _parent(name: object, path: Path) -> str:
    if not isinstance(name, str) or not name.isprintable() or not name.endswith(".toml"):
        raise ExperimentError(f"{path}: extends: expected the path of a .toml file, got {name!r}")
    return name


def _remove(table: Table, key: str, path: Path) -> None:
    part, _, last = key.rpartition(".")
    place: Any = table
    for step in part.split(".") if part else []:
        place = place.get(step, {}) if isinstance(place, dict) else {}
    if not isinstance(place, dict) or last not in place:
        raise ExperimentError(f"{path}: remove names {key!r}, which is not there")
    del place[last]


def _text_of(path: Path) -> str:
    """Return the text of an ordinary file of moderate size (devices never end)."""
    if path.exists() and (not path.is_file() or path.stat().st_size > _LARGEST):
        raise ExperimentError(
            f"{path}: is no file of an experiment (a folder, device or too large)"
        )
    return path.read_text(encoding="utf-8")


def _near_files(path: Path) -> str:
    """Return the experiment files beside a missing one whose names are near, in words."""
    try:
        names = [p.stem for p in path.parent.glob("*.toml")]
    except OSError:
        return ""
    near = get_close_matches(path.stem, names, n=3, cutoff=0.6)
    files = " or ".join(str(path.with_name(f"{name}.toml")) for name in near)
    return f" (did you mean {files}?)" if near else ""


def merged(parent: Table, child: Table) -> Table:
    """``child`` over ``parent``; see the module's text."""
    out = dict(parent)
    for key, value in child.items():
        before = out.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            other = "name" in value and value["name"] != before.get("name")
            out[key] = dict(value) if other or key == "feature" else merged(before, value)
        else:
            out[key] = value
    return out
