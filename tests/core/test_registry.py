"""Components by name: imported when used, added by other packages, never replaced."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from pyojeong.core import registry as module
from pyojeong.core.errors import ModelError
from pyojeong.core.registry import Registry, build


def added(*points: EntryPoint):
    return lambda group: [p for p in points if p.group == group]


def make() -> Registry[object]:
    return Registry("thing", "made.things", {"ours": "pyojeong.core.labels:FER7", "plain": 3})


def test_own_components_are_imported_when_used() -> None:
    things = make()
    assert things.own == ("ours", "plain")
    assert things["ours"].id == "fer7"
    assert things["plain"] == 3
    assert list(things) == ["ours", "plain"]
    assert "nobody" not in things
    with pytest.raises(KeyError):
        things["nobody"]


def test_other_packages_add_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("theirs", "pyojeong.core.labels:FERPLUS8", "made.things")
    monkeypatch.setattr(module, "entry_points", added(point))
    things = make()
    assert list(things) == ["ours", "plain", "theirs"]
    assert len(things) == 3
    assert things["theirs"].id == "ferplus8"


def test_a_name_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("ours", "some.package:X", "made.things")
    monkeypatch.setattr(module, "entry_points", added(point))
    things = make()
    with pytest.warns(UserWarning, match="must be renamed in its package"):
        assert list(things) == ["ours", "plain"]
    assert things["ours"].id == "fer7"


def test_two_packages_with_one_name_disable_that_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint(name, value, "made.things")
        for name, value in (("x", "one:X"), ("x", "two:X"), ("y", "pyojeong.core.labels:FER7"))
    ]
    monkeypatch.setattr(module, "entry_points", added(*points))
    things = make()
    assert things["y"].id == "fer7"
    with pytest.raises(ModelError, match="registered by one:X and by two:X: uninstall one"):
        things["x"]


@pytest.mark.parametrize("ending", ["raise SystemExit(3)", "raise ValueError('no')"])
def test_a_package_that_ends_the_program_is_named(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ending_package.py").write_text(ending)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ending_package", raising=False)
    point = EntryPoint("ends", "ending_package:X", "made.things")
    monkeypatch.setattr(module, "entry_points", added(point))
    with pytest.raises(ModelError, match="could not be imported"):
        make()["ends"]


def test_what_another_package_does_not_take_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("theirs", "pyojeong.core.labels:FER7", "made.things")
    monkeypatch.setattr(module, "entry_points", added(point))
    with pytest.raises(ModelError, match="'theirs' of another package"):
        build(make(), "theirs", {"threads": 1})
    with pytest.raises(TypeError):
        build(make(), "plain", {})


def test_a_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("broken", "no_such_package:X", "made.things")
    monkeypatch.setattr(module, "entry_points", added(point))
    with pytest.raises(ModelError, match=r"'broken' \(no_such_package:X\) could not be imported"):
        make()["broken"]
