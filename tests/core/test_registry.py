"""Components by name: imported when used, added by other packages, never replaced."""

from importlib.metadata import EntryPoint

import pytest

from pyojeong.core import registry as module
from pyojeong.core.errors import ModelError
from pyojeong.core.registry import Registry


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
    with pytest.raises(ModelError, match="must be renamed in its package"):
        list(make())


def test_a_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("broken", "no_such_package:X", "made.things")
    monkeypatch.setattr(module, "entry_points", added(point))
    with pytest.raises(ModelError, match=r"'broken' \(no_such_package:X\) could not be imported"):
        make()["broken"]
