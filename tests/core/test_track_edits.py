"""Edits of a clip's people: what is accepted, and what contradicts itself."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.errors import DataError
from pyojeong.core.track_edits import KIND, TrackEdits

NAME = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9)


@given(
    st.sets(st.integers(0, 5)),
    st.dictionaries(st.integers(10, 14), st.integers(20, 25)),
    st.lists(st.tuples(st.floats(0, 10), st.floats(11, 20)), max_size=3),
    st.dictionaries(st.integers(0, 30), NAME),
)
def test_from_dict_is_the_inverse_of_to_dict(removed, merged, excluded, names) -> None:
    edits = TrackEdits(
        removed=frozenset(removed), merged=merged, excluded=tuple(sorted(excluded)), names=names
    )
    assert TrackEdits.from_dict(json.loads(json.dumps(edits.to_dict()))) == edits


def test_chains_end_at_one_person() -> None:
    assert TrackEdits.from_dict({"kind": KIND, "merge": [[3, 2], [2, 1]]}).merged == {3: 1, 2: 1}


def test_times_are_half_open() -> None:
    edits = TrackEdits(excluded=((1.0, 2.0),), removed=frozenset({7}))
    assert [edits.keeps(1, t) for t in (0.9, 1.0, 1.99, 2.0)] == [True, False, False, True]
    assert not edits.keeps(7, 5.0)
    assert edits.keeps(None, 5.0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "no edits"),
        ({"merge": []}, "no edits"),
        ({"kind": KIND, "merge": [[1, 2], [2, 1]]}, "merged into itself"),
        ({"kind": KIND, "merge": [[1, 1]]}, "merged into itself"),
        ({"kind": KIND, "remove": [1], "merge": [[1, 2]]}, "removed and merged"),
        ({"kind": KIND, "exclude": [[5, 2]]}, "the end must come after"),
        ({"kind": KIND, "exclude": [[0, 1e999]]}, "the end must come after"),
        ({"kind": KIND, "exclude": [3]}, "damaged"),
        ({"kind": KIND, "remove": ["a"]}, "damaged"),
        ({"kind": KIND, "remove": [1.5]}, "number of a person"),
        ({"kind": KIND, "names": {"1": "a\nb"}}, "printable"),
        ({"kind": KIND, "names": {"1": "a" * 300}}, "200"),
        ({"kind": KIND, "names": []}, None),
    ],
)
def test_bad_edits_get_one_line(data, words: str | None, tmp_path: Path) -> None:
    path = tmp_path / "edits.json"
    path.write_text(json.dumps(data))
    if words is None:
        assert not TrackEdits.read(path)
        return
    with pytest.raises(DataError, match=words) as caught:
        TrackEdits.read(path)
    assert "\n" not in str(caught.value)
    assert "edits.json" in str(caught.value)


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "edits.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a file of edits"):
        TrackEdits.read(path)
