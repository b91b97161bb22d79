"""Names as they are shown: one line, in which nothing is interpreted."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.printable import encodable, is_utf8, markdown_cell, printable

SHOWN = {
    "photo 1.jpg": "photo 1.jpg",
    "표정 😀 שלום": "표정 😀 שלום",
    "👩\u200d🔬.jpg": "👩\u200d🔬.jpg",
    "e\x1b[31m\x07\x7f\x9b.jpg": r"e\x1b[31m\x07\x7f\x9b.jpg",
    "n\nl\rt\t.jpg": r"n\nl\rt\t.jpg",
    "a\u202egpj.exe": r"a\u202egpj.exe",
    "\u2066x\u2069\u200f\u061c\ufeff\u2028": r"\u2066x\u2069\u200f\u061c\ufeff\u2028",
    os.fsdecode(b"\xb0\xa1.jpg"): r"\udcb0\udca1.jpg",
}


@pytest.mark.parametrize(("name", "shown"), SHOWN.items(), ids=range(len(SHOWN)))
def test_names_are_shown_in_one_line(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text())
def test_any_text_is_one_line_of_utf8(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown


def test_characters_that_an_encoding_lacks_become_escapes() -> None:
    assert encodable("표정 é 😀", "ascii") == r"\ud45c\uc815 \xe9 \U0001f600"
    assert encodable("표정", "cp949") == "표정"
    assert [is_utf8(e) for e in ("UTF8", "utf-8", "cp949", "ascii")] == [True, True, False, False]


def test_a_markdown_cell_is_one_cell_of_plain_text() -> None:
    assert markdown_cell("a|b*[x](y)<b>`\n _i_ a_b") == r"a\|b\*\[x\](y)\<b\>\`\\n \_i\_ a_b"


def test_a_file_may_have_the_longest_name(tmp_path) -> None:
    path = tmp_path / ("n" * 255)
    with atomic_write(path, "w") as file:
        file.write("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]
