"""The exception tree is the one its docstring draws, and errors survive leaving a process."""

import copy
import inspect
import pickle
import re

import pytest

from pyojeong.core import errors
from pyojeong.core.errors import (
    BadArray,
    ManifestInvalid,
    MissingExtra,
    ModelUnknown,
    PyojeongError,
)

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, PyojeongError)
]
SPECIAL = {
    BadArray: lambda: BadArray("image", expected="uint8", got="float64", cure="Convert."),
    MissingExtra: lambda: MissingExtra("video", "video"),
    ModelUnknown: lambda: ModelUnknown("a", ["b", "a2"]),
    ManifestInvalid: lambda: ManifestInvalid("no label", row=3),
}


def test_the_drawing_in_the_docstring_is_true():
    parents, drawn = {0: "PyojeongError"}, {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"    ([│├└─ ]*)(\w+)(?: \((\w+)\))?$", line)
        if found:
            depth = len(found[1]) // 4
            parents[depth] = found[2]
            drawn[found[2]] = (parents[depth - 1] if depth else "Exception", found[3])
    real = {}
    for kind in KINDS:
        first, *more = kind.__bases__
        real[kind.__name__] = (first.__name__, more[0].__name__ if more else None)
    assert drawn == real


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_pickling_and_copying(kind):
    error = SPECIAL.get(kind, lambda: kind("what happened"))()
    error.add_note("seen in a worker")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_bad_array():
    error = SPECIAL[BadArray]()
    assert str(error) == "image: expected uint8, got float64. Convert."
    assert (error.expected, error.got) == ("uint8", "float64")
    assert str(BadArray("x", expected="a", got="b")) == "x: expected a, got b."


def test_unknown_models_get_a_suggestion():
    error = ModelUnknown("centreface", ["mtcnn", "centerface", "blazeface"], kind="detector")
    assert str(error) == (
        "unknown detector 'centreface': did you mean 'centerface' or 'blazeface'? "
        "Known: blazeface, centerface, mtcnn."
    )
    assert "did you mean" not in str(ModelUnknown("xyz", ["mtcnn"]))
    assert str(ModelUnknown("a", [])).endswith("Known: none.")


def test_rows_and_extras():
    assert str(ManifestInvalid("no label", row=3)) == "row 3: no label"
    assert ManifestInvalid("header").row is None
    error = MissingExtra("reading a video", "video")
    assert "pip install 'pyojeong[video]'" in str(error)
    assert error.extra == "video"
