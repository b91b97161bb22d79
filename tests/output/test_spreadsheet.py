"""CSV for spreadsheets: UTF-8 is recognised, nothing is a formula, and the text comes back."""

import io
import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.face import Box, Face, FrameResult
from pyojeong.output.columns import MEASURES
from pyojeong.output.elan import write_eaf
from pyojeong.output.page import Page
from pyojeong.output.spreadsheet import plain_cell, safe_cell
from pyojeong.output.subtitles import Annotation, write_vtt
from pyojeong.output.table_rewriting import remove_tracks
from pyojeong.output.tables import CsvSink, JsonSink, read_csv

NAMES = (
    "=1+1.jpg",
    "+a",
    "-b",
    "@c",
    "\td",
    "\re",
    "'=q",
    "''=q",
    "'plain",
    "표정.jpg",
    "a;=1",
    "x,y",
)


def write(path: Path, *, excel: bool) -> None:
    face = Face(Box(0, 0, 1, 1), 0.9, track_id=1)
    with CsvSink(path, timeline=True, measures=MEASURES, excel=excel) as sink:
        for index, name in enumerate(NAMES):
            sink.write(FrameResult(name, index, 0.0, (4, 3), (face,)))
        sink.write(FrameResult("e", 99, 0.0, (0, 0), error="=HYPERLINK(1)"))


@pytest.mark.parametrize("redacted", [False, True])
def test_a_table_for_excel_comes_back(tmp_path: Path, redacted: bool) -> None:
    path = tmp_path / "t.csv"
    write(path, excel=True)
    if redacted:
        remove_tracks("csv", path, [1])
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbfsource,")
    assert data.count(b"\xef\xbb\xbf") == 1
    text = data.decode("utf-8-sig")
    lines = text.replace('"', "").splitlines()
    assert not any(line.startswith(("=", "+", "-", "@", "\t")) for line in lines)
    assert ",'=HYPERLINK(1)," in text or text.rstrip().endswith(",'=HYPERLINK(1)")
    assert '"a;=1"' in text
    rows = list(read_csv(path))
    assert [r.source for r in rows] == [*NAMES, "e"]
    assert rows[-1].error == "=HYPERLINK(1)"
    assert [len(r.faces) for r in rows[:-1]] == [not redacted] * len(NAMES)


def test_plain_csv_is_data(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", excel=False)
    assert (tmp_path / "t.csv").read_bytes().startswith(b"source,")
    assert (tmp_path / "t.csv").read_text().splitlines()[1].startswith("=1+1.jpg,")
    assert [r.source for r in read_csv(tmp_path / "t.csv")] == [*NAMES, "e"]


@given(st.text(alphabet="'=+-@\t\r\na"))
def test_cells_come_back(text: str) -> None:
    assert plain_cell(safe_cell(text)) == text
    assert safe_cell(text)[:1] not in set("=+-@\t\r\n") - {""}


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "cp1252", "utf-8"])
def test_json_on_a_stream_is_valid_in_every_encoding(encoding: str) -> None:
    name = "표정😀é" + os.fsdecode(b"\xb0")
    raw = io.BytesIO()
    with JsonSink(io.TextIOWrapper(raw, encoding, errors="backslashreplace")) as sink:
        sink.write(FrameResult("표정😀é", 0, 0.0, (4, 3)))
        sink.write(FrameResult(name, 0, 0.0, (4, 3)))
    first, second = raw.getvalue().splitlines()
    assert FrameResult.from_dict(json.loads(first)).source == "표정😀é"
    assert FrameResult.from_dict(json.loads(second)).source == name
    assert (b"\\ud45c" in first) is (encoding != "utf-8")


HOSTILE = "<i>\x1b[31m\u202egpj\n--> &.mp4" + os.fsdecode(b"\xb0")
SHOWN = r"\x1b[31m\u202egpj\n"


def test_pages_show_names_and_interpret_nothing(tmp_path: Path) -> None:
    page = Page(HOSTILE, HOSTILE)
    page.section(HOSTILE)
    page.text(HOSTILE)
    page.table((HOSTILE,), [(HOSTILE,)], sortable=(HOSTILE,), caption=HOSTILE)
    page.code("two\nlines")
    text = page.write(tmp_path / "p.html").read_text(encoding="utf-8")
    assert f"&lt;i&gt;{SHOWN}--&gt; &amp;.mp4\\udcb0" in text
    assert not [c for c in ("\x1b", "\u202e", "<i>") if c in text]
    assert "<pre>two\nlines</pre>" in text


def test_events_show_names_and_interpret_nothing(tmp_path: Path) -> None:
    events = [Annotation(HOSTILE, 0, 1, HOSTILE)]
    write_vtt(tmp_path / "e.vtt", events, note=f"of {HOSTILE}")
    text = (tmp_path / "e.vtt").read_text(encoding="utf-8")
    assert text.count("-->") == 1
    assert f"<v &lt;i&gt;{SHOWN}--&gt; &amp;.mp4\\udcb0>&lt;i&gt;{SHOWN}" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    write_eaf(tmp_path / "e.eaf", events, media=tmp_path / HOSTILE)
    root = ET.parse(tmp_path / "e.eaf").getroot()  # a control character would not be XML
    (value,) = root.iter("ANNOTATION_VALUE")
    assert value.text == rf"<i>{SHOWN}--> &.mp4\udcb0"
