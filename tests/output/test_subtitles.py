"""WebVTT and ELAN files hold the same stretches of time."""

from xml.etree import ElementTree as ET

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


def test_no_events_are_empty_files(tmp_path):
    write_vtt(tmp_path / "a.vtt", [])
    write_eaf(tmp_path / "a.eaf", [], media=tmp_path / "clip.mp4")
    assert (tmp_path / "a.vtt").read_text() == "WEBVTT\n"
    assert not list(ET.parse(tmp_path / "a.eaf").getroot().iter("TIER"))
