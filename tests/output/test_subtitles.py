"""WebVTT and ELAN files hold the same stretches of time."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from pyojeong.output.boris import write_boris
from pyojeong.output.elan import write_eaf
from pyojeong.output.subtitles import Annotation, write_vtt

NOTES = [
    Annotation("person 1: expression", 3661.5, 3662.0004, "happy"),
    Annotation("person 1: eyes", 0.04, 0.2, "blink <&>"),
    Annotation("person 2: expression", 1.0, 2.0, "sad"),
]


def test_webvtt(tmp_path):
    write_vtt(tmp_path / "a.vtt", NOTES)
    assert (tmp_path / "a.vtt").read_text() == (
        "WEBVTT\n"
        "\n1\n00:00:00.040 --> 00:00:00.200\n<v person 1: eyes>blink &lt;&amp;&gt;\n"
        "\n2\n00:00:01.000 --> 00:00:02.000\n<v person 2: expression>sad\n"
        "\n3\n01:01:01.500 --> 01:01:02.000\n<v person 1: expression>happy\n"
    )


def test_elan_gives_every_stretch_back(tmp_path):
    write_eaf(tmp_path / "a.eaf", NOTES, media=tmp_path / "clip.mp4")
    root = ET.parse(tmp_path / "a.eaf").getroot()
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")}
    found = [
        (
            tier.get("TIER_ID"),
            slots[a.get("TIME_SLOT_REF1")],
            slots[a.get("TIME_SLOT_REF2")],
            a[0].text,
        )
        for tier in root.iter("TIER")
        for a in tier.iter("ALIGNABLE_ANNOTATION")
    ]
    assert sorted(found) == [
        ("person 1: expression", 3661500, 3662000, "happy"),
        ("person 1: eyes", 40, 200, "blink <&>"),
        ("person 2: expression", 1000, 2000, "sad"),
    ]
    types = {t.get("LINGUISTIC_TYPE_ID") for t in root.iter("LINGUISTIC_TYPE")}
    assert {t.get("LINGUISTIC_TYPE_REF") for t in root.iter("TIER")} <= types
    (media,) = root.iter("MEDIA_DESCRIPTOR")
    assert media.get("MEDIA_URL").startswith("file:///")


@pytest.mark.parametrize("notes", [NOTES, []])
def test_elan_files_say_which_schema_they_follow(tmp_path, notes):
    """Readers such as pympi take the attribute off the root and fail without it."""
    write_eaf(tmp_path / "a.eaf", notes, media=tmp_path / "clip.mp4")
    root = ET.parse(tmp_path / "a.eaf").getroot()
    xsi = "{http://www.w3.org/2001/XMLSchema-instance}"
    assert root.get(f"{xsi}noNamespaceSchemaLocation").endswith("EAFv3.0.xsd")
    assert {"AUTHOR", "DATE", "FORMAT", "VERSION"} <= set(root.attrib)
    assert [each.tag for each in root][:2] == ["HEADER", "TIME_ORDER"]
    assert root[-1].tag == "LINGUISTIC_TYPE"


@pytest.mark.parametrize("notes", [NOTES, []])
def test_elan_files_open_in_pympi(tmp_path, notes):
    elan = pytest.importorskip("pympi.Elan", reason="pympi-ling is not installed")
    write_eaf(tmp_path / "a.eaf", notes, media=tmp_path / "clip.mp4")
    read = elan.Eaf(str(tmp_path / "a.eaf"))
    found = {name: read.get_annotation_data_for_tier(name) for name in read.get_tier_names()}
    assert len(found) == len({note.tier for note in notes})
    if notes:
        assert found["person 2: expression"] == [(1000, 2000, "sad")]
        assert found["person 1: eyes"] == [(40, 200, "blink <&>")]
    read.to_file(str(tmp_path / "b.eaf"))
    assert ET.parse(tmp_path / "b.eaf").getroot().tag == "ANNOTATION_DOCUMENT"


def test_boris_gets_a_start_and_a_stop_of_every_event(tmp_path):
    notes = [
        *NOTES,
        Annotation("person 2: expression", 2.0, 3.5, "sad"),
        Annotation("person 2: expression", 3.5, 4.0, "a\tb\n표정"),
    ]
    write_boris(tmp_path / "a.tsv", notes)
    rows = [
        line.split("\t")
        for line in (tmp_path / "a.tsv").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    ]
    assert {len(row) for row in rows} == {6}  # BORIS refuses other tables
    times = [float(row[0]) for row in rows]
    assert times == sorted(times)
    assert rows[0] == ["0.040", "person 1: eyes", "blink <&>", "", "START", "NA"]
    # An event stops before the next one of the same code starts: BORIS pairs them in order.
    sad = [(row[0], row[4]) for row in rows if row[2] == "sad"]
    assert sad == [("1.000", "START"), ("2.000", "STOP"), ("2.000", "START"), ("3.500", "STOP")]
    assert sum(row[4] == "STOP" for row in rows) == len(notes) == len(rows) / 2


def test_stretches_are_sorted_apart_and_not_empty(tmp_path):
    """Within a tier ELAN takes neither overlaps nor stretches without a length."""
    notes = [
        Annotation("a", 1.0, 1.0, "one frame"),
        Annotation("a", 1.0, 2.0, "the next"),
        Annotation("b", 0.5, 3.0, "another tier"),
        Annotation("a", -0.02, 0.1, "before zero"),
    ]
    write_eaf(tmp_path / "a.eaf", notes, media=tmp_path / "clip.ts")
    root = ET.parse(tmp_path / "a.eaf").getroot()
    assert [e.tag for e in root] == ["HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"]
    values = [int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")]
    assert values == sorted(values)
    assert values[0] == 0
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")}
    assert len(slots) == len(values) == 8
    ids = [a.get("ANNOTATION_ID") for a in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(set(ids)) == len(ids) == 4
    for tier in root.iter("TIER"):
        spans = [
            (slots[a.get("TIME_SLOT_REF1")], slots[a.get("TIME_SLOT_REF2")])
            for a in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert all(start < end for start, end in spans)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
    (media,) = root.iter("MEDIA_DESCRIPTOR")
    assert media.get("MIME_TYPE") == "unknown"
    write_vtt(tmp_path / "a.vtt", notes, note="of\n표정 --> x")
    text = (tmp_path / "a.vtt").read_text()
    assert text.startswith("WEBVTT\n\nNOTE of 표정 -> x\n\n1\n00:00:00.000 --> ")
    assert "00:00:01.000 --> 00:00:01.001" in text


def test_pympi_reads_the_same(tmp_path):
    elan = pytest.importorskip("pympi.Elan")
    write_eaf(tmp_path / "a.eaf", NOTES, media=tmp_path / "clip.mp4")
    read = elan.Eaf(str(tmp_path / "a.eaf"))
    found = {
        (tier, *stretch[:3])
        for tier in read.get_tier_names()
        for stretch in read.get_annotation_data_for_tier(tier)
    }
    assert found == {
        ("person 1: expression", 3661500, 3662000, "happy"),
        ("person 1: eyes", 40, 200, "blink <&>"),
        ("person 2: expression", 1000, 2000, "sad"),
    }
    assert read.get_linked_files()[0]["MEDIA_URL"].endswith("clip.mp4")


def test_no_events_are_empty_files(tmp_path):
    write_vtt(tmp_path / "a.vtt", [])
    write_eaf(tmp_path / "a.eaf", [], media=tmp_path / "clip.mp4")
    assert (tmp_path / "a.vtt").read_text() == "WEBVTT\n"
    assert not list(ET.parse(tmp_path / "a.eaf").getroot().iter("TIER"))
