"""Files of BORIS and ELAN and CSV tables become epochs; what is wrong is one line with a cure."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pyojeong.core.errors import InputError
from pyojeong.video.coded_events.epoch import Epoch, EventList, cut_to
from pyojeong.video.coded_events.reading import EventSource, read_event_file

FILES = Path(__file__).parent / "coded"


def events(path, clip="walk.mp4", **options):
    return EventSource.from_file(Path(path), **options).of(clip)


def of_text(tmp_path, text, name="events.csv", encoding="utf-8", **options):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return events(path, **options)


def says(error):
    words = str(error.value)
    assert "\n" not in words
    return words


def project(**changes):
    """The project with an observation of other contents."""
    data = json.loads((FILES / "study.boris").read_text(encoding="utf-8"))
    data["observations"]["dyad 1"] |= changes
    return data


def test_a_project_of_boris():
    found = events(FILES / "study.boris")
    assert found.file == "study.boris"
    assert found.epochs == (
        Epoch("smile", 0.08, 0.32, "mother"),
        Epoch("smile", 0.2, 0.36, "child", "big|open"),
        Epoch("말하기", 0.4, 0.56, "child"),
    )
    (note,) = found.notes
    assert note.startswith("1 event without a length left out (beep at 0.24 s)")


def test_a_window_makes_epochs_of_points():
    found = events(FILES / "study.boris", window_s=0.1)
    assert Epoch("beep", 0.24, 0.34) in found.epochs
    assert found.notes == ()
    left_out = events(FILES / "study.boris").notes
    assert any("--event-window S (from Python: event_window_s=S)" in note for note in left_out)


def test_tabular_events_of_boris():
    found = events(FILES / "tabular.tsv")
    assert found.epochs == (
        Epoch("smile", 0.08, 0.32, "mother"),
        Epoch("smile", 0.2, 0.36, "child", "big"),
    )
    assert events(FILES / "tabular_v4.tsv").epochs == (Epoch("smile", 0.08, 0.32, "mother"),)
    assert events(FILES / "aggregated.csv").epochs == (Epoch("smile", 0.08, 0.32, "mother"),)
    other = events(FILES / "aggregated.csv", "OTHER.MP4")  # Windows does not tell them apart
    assert other.epochs == (Epoch("smile", 1, 2, "mother"),)


def test_an_elan_file():
    found = events(FILES / "study.eaf")
    assert found.epochs == (
        Epoch("미소 & 웃음", 0.08, 0.32, "표정"),
        Epoch("hello", 0.2, 0.36, "speech"),
    )
    assert found.notes == (
        "2 annotations without times of their own left out",
        "1 annotation without words left out",
    )


def test_tables():
    found = events(FILES / "trials.csv", "whatever.avi")
    assert found.epochs == (Epoch("baseline", 0, 0.2), Epoch("film", 0.2, 0.52))
    korean = events(FILES / "trials_cp949.csv")
    assert korean.epochs == (Epoch("기준선", 0, 0.2), Epoch("영화", 0.2, 0.52))
    assert korean.notes == ("columns that are not used: 메모",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_encodings(tmp_path, encoding, separator):
    rows = [
        ["Label", "START_S", "end"],
        ["행복, 함" if separator != "," else "행복", "1", "1:02.5"],
    ]
    text = "\r\n".join(separator.join(row) for row in rows)
    found = of_text(tmp_path, text, encoding=encoding)
    assert found.epochs == (Epoch(rows[1][0], 1, 62.5),)


def test_excel_names_the_separator(tmp_path):
    assert of_text(tmp_path, "sep=;\nlabel;start;end\na;1,5;2,25\n").epochs == (
        Epoch("a", 1.5, 2.25),
    )


def test_rows_in_any_order_and_overlaps_are_taken_and_said(tmp_path):
    found = of_text(tmp_path, "label,start,end\nb,3,4\na,1,3\na,2,5\nb,3.5,3.9\n")
    assert [e.start_s for e in found.epochs] == [1, 2, 3, 3.5]
    assert found.notes[0] == "its rows are not in order of time: sorted"
    assert "2 epochs begin before an earlier one of their label has ended" in found.notes[1]
    assert "a at 2-5 s, b at 3.5-3.9 s" in found.notes[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("label,start,end\n", "holds no event"),
        ("a,1,2\n", "first row is label,start,end"),
        ("label,start\na,1\n", "no column 'end'"),
        ("label,start,end,END\na,1,2,2\n", "several columns 'end'"),
        ("label,start,end\na,1\n", "row 2 has 2 cells, the header 3"),
        ("label,start,end\n,1,2\n", "row 2 has no label"),
        ("label,start,end\na,x,2\n", r"row 2: time 'x': expected seconds"),
        ("label,start,end\na,nan,2\n", "row 2: time 'nan'"),
        ("label,start,end\na,1e3,2\n", "row 2: time '1e3'"),
        ("label,start,end\na,-1,2\n", "before the clip's beginning"),
        ("label,start,end\na,5,2\n", "a at 5-2 s ends before it begins"),
        ("label,start,end\na,5,5\n", r"points in time \(a at 5 s\): say with --event-window S"),
        ("label;start;end\na;1,234;2\n", "'1,234' may be a decimal comma or thousands"),
        ("label;start;end\na;1,5;2.5\n", "'1,5' beside '2.5'"),
        ('label,start,end\n"a,1,2\n', "is no table"),
        ("caf\xe9,1,2".encode("latin-1"), r"nor Korean \(cp949\): save it as UTF-8"),
        ("라벨,1,2".encode("utf-16-le"), "UTF-16 without its mark|nor Korean"),
        (b"\x1f\x8b\x08 gz", r"is compressed \(gzip\): unpack it first"),
        (b"PK\x03\x04 xlsx", "is a spreadsheet or an archive: save its table as CSV"),
        ("{}", "is no project of BORIS"),
        ("<html/>", "is no ELAN file: its root is 'html'"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><ANNOTATION_DOCUMENT/>", "declares a document type"),
        ("<ANNOTATION_DOCUMENT>", "is no ELAN file, or is damaged"),
    ],
)
def test_bad_files_are_one_line(tmp_path, text, words):
    with pytest.raises(InputError) as error:
        of_text(tmp_path, text)
    assert re.search(words, says(error))
    assert "events.csv" in says(error)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        events(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        events(tmp_path)


def test_large_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pyojeong.video.coded_events.text.MOST_BYTES", 100)
    with pytest.raises(InputError, match="is larger than"):
        of_text(tmp_path, "label,start,end\n" + "a,1,2\n" * 50)


def test_entities_are_never_expanded(tmp_path):
    """Also where an encoding hides the declaration from who reads bytes."""
    text = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(InputError, match="declares a document type"):
            of_text(tmp_path, text, "a.eaf", encoding)


def test_an_encoding_that_is_stated(tmp_path):
    text = (FILES / "study.eaf").read_text(encoding="utf-8")
    latin = re.sub("[가-힣]+", "é", text).replace('"UTF-8"', '"ISO-8859-1"')
    assert of_text(tmp_path, latin, "a.eaf", "latin-1").epochs[0].tier == "é"
    with pytest.raises(InputError, match="states the encoding 'utf-77'"):
        of_text(tmp_path, text.replace('"UTF-8"', '"utf-77"'), "a.eaf")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"events": [[1.0, "", "smile", "", ""]]},
            "'smile' starts at 1 s and never stops: pair it",
        ),
        ({"events": [[1.0, "", "frown", "", ""]]}, "'frown' is not in its ethogram"),
        ({"events": [[-1.0, "", "beep", "", ""]]}, "before the clip's beginning"),
        ({"events": [["x", "", "beep", "", ""]]}, "is damaged"),
        ({"events": [[1.0, ""]]}, "is damaged"),
        ({"events": []}, "holds no event"),
        ({"time offset": 3.0}, "has a time offset"),
        ({"file": {"1": ["walk.mp4", "b.mp4"]}}, "several clips one after another"),
    ],
)
def test_bad_observations_are_one_line(tmp_path, changes, words):
    path = tmp_path / "a.boris"
    path.write_text(json.dumps(project(**changes)), encoding="utf-8")
    with pytest.raises(InputError) as error:
        events(path)
    assert words in says(error)
    assert "a.boris, observation 'dyad 1'" in says(error)


def test_a_bad_observation_of_another_clip_does_no_harm():
    """``dyad 2`` starts a smile that never stops."""
    assert events(FILES / "study.boris").epochs
    with pytest.raises(InputError, match="never stops"):
        events(FILES / "study.boris", "other.mp4")


@pytest.mark.parametrize("text", ['{"a": NaN}', "[" * 100_000, '{"observations": []}', "[]"])
def test_other_json_is_refused(tmp_path, text):
    with pytest.raises(InputError, match=r"is no project of BORIS|nested too deeply"):
        of_text(tmp_path, text, "a.boris")


@pytest.mark.parametrize("name", ["study.boris", "tabular.tsv", "aggregated.csv", "study.eaf"])
def test_events_of_another_clip_are_refused(name):
    with pytest.raises(InputError) as error:
        events(FILES / name, "third.mp4")
    assert "walk.mp4" in says(error)
    assert "not third.mp4: name the clip as there, or save the events as CSV" in says(error)


def test_several_observations_of_a_clip_are_listed(tmp_path):
    data = project()
    data["observations"]["second coder"] = data["observations"]["dyad 1"]
    path = tmp_path / "a.boris"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InputError) as error:
        events(path)
    assert "('dyad 1', 'second coder'): choose one with --observation NAME" in says(error)
    assert len(events(path, observation="second coder").epochs) == 3
    with pytest.raises(InputError, match=r"no observation 'third'; it holds 'dyad 1'"):
        events(path, observation="third")


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["STOP", "START"], "stops without a start at 0.08 s"),
        (["START", "START"], "starts twice at 0.32 s"),
        (["START", "HALT"], "expected START, STOP or POINT"),
    ],
)
def test_states_that_do_not_pair(tmp_path, kinds, words):
    text = (FILES / "tabular_v4.tsv").read_text(encoding="utf-8")
    text = text.replace("STOP", "?").replace("START", kinds[0]).replace("?", kinds[1])
    with pytest.raises(InputError) as error:
        of_text(tmp_path, text, "a.tsv")
    assert words in says(error)


def test_several_clips_in_a_table_of_boris(tmp_path):
    text = (FILES / "tabular_v4.tsv").read_text(encoding="utf-8")
    text = text.replace("0.320\twalk.mp4", "0.320\tnext.mp4")
    with pytest.raises(InputError, match="several clips one after another"):
        of_text(tmp_path, text, "a.tsv")
    offset = (FILES / "tabular.tsv").read_text(encoding="utf-8").replace("\t0.0\t", "\t2.0\t")
    with pytest.raises(InputError, match="has a time offset"):
        of_text(tmp_path, offset, "a.tsv")


def test_an_offset_of_elan_is_refused(tmp_path):
    text = (FILES / "study.eaf").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="a media file has a time offset"):
        of_text(tmp_path, text.replace("MIME_TYPE=", 'TIME_ORIGIN="40" MIME_TYPE='), "a.eaf")
    with pytest.raises(InputError, match="its times are in NTSC-frames"):
        of_text(tmp_path, text.replace('UNITS="milliseconds"', 'UNITS="NTSC-frames"'), "a.eaf")


def test_files_are_known_by_their_contents(tmp_path):
    for name, copy in (("study.boris", "a.txt"), ("study.eaf", "b.xml"), ("tabular.tsv", "c.csv")):
        shutil.copy(FILES / name, tmp_path / copy)
        found = read_event_file(tmp_path / copy)
        assert found[0] == read_event_file(FILES / name)[0]
        assert found[0].epochs


@pytest.mark.parametrize("label", ["Ärger", "SENSAÇÃO", "Äh", "Är, Äs"])
def test_latin_letters_are_never_read_as_korean(tmp_path, label):
    assert all("가" <= c <= "힣" or c.isascii() for c in label.encode("latin-1").decode("cp949"))
    with pytest.raises(InputError, match=r"is not UTF-8, .* nor Korean \(cp949\)"):
        of_text(tmp_path, f'label,start,end\n"{label}",0,1\n', encoding="latin-1")


@pytest.mark.parametrize("label", ["눈", "A 형", "TV시청", "시청 뷁", "똠방각하", "ㅋㅋ"])
def test_korean_of_excel_is_read(tmp_path, label):
    found = of_text(tmp_path, f"label,start,end\n{label},0,1\n", encoding="cp949")
    assert found.epochs[0].label == label


def test_a_project_with_images_without_times_is_read(tmp_path):
    data = project()
    events_of_images = [[float("nan"), "", "smile", "", "", 1, "a.jpg"]]
    data["observations"]["images"] = {"file": {}, "type": "IMAGES", "events": events_of_images}
    path = tmp_path / "a.boris"
    path.write_text(json.dumps(data))
    assert len(events(path).epochs) == 3
    with pytest.raises(InputError, match="holds events without a time"):
        events(path, observation="images")


def test_an_observation_that_names_no_clip_is_taken_only_when_it_is_named(tmp_path):
    data = project(file={}, type="LIVE")
    path = tmp_path / "a.boris"
    path.write_text(json.dumps(data))
    with pytest.raises(
        InputError, match=r"about other\.mp4, not walk.* 'dyad 1', which names none"
    ):
        events(path)
    assert len(events(path, observation="dyad 1").epochs) == 3
    del data["observations"]["dyad 2"]
    path.write_text(json.dumps(data))
    assert len(events(path).epochs) == 3


def test_codes_with_spaces_are_those_of_the_ethogram(tmp_path):
    data = project()
    data["behaviors_conf"]["0"]["code"] = "smile "
    path = tmp_path / "a.boris"
    path.write_text(json.dumps(data))
    assert events(path).epochs[0].label == "smile"


def test_times_that_differ_by_less_than_a_microsecond_are_a_point(tmp_path):
    given = [(0.3, 0.1 + 0.2, "point"), (-0.0, 1, "a")]
    found = EventSource.from_list(given).of("walk.mp4")
    assert [str(each) for each in found.epochs] == ["a at 0-1 s"]
    assert str(found.epochs[0].start_s) == "0.0"
    assert "1 event without a length left out (point at 0.3 s)" in found.notes[0]
    (window,) = EventSource.from_list(given[:1], window_s=0.5).of("walk.mp4").epochs
    assert window.end_s == 0.8
    with pytest.raises(InputError, match="seconds above 0"):
        EventSource.from_list(given, window_s=1e-9)


def test_labels_that_look_the_same_are_said(tmp_path):
    text = "label,start,end\nsmile,0,1\nsmi\u200ble,1,2\n말,2,3\n\u1106\u1161\u11af,3,4\n"
    found = of_text(tmp_path, text + "smile,4,5\n")
    (note,) = found.notes
    assert note.startswith("labels that look the same and are not: 'smile', 'smi\\u200ble', '\\u")
    assert of_text(tmp_path, "label,start,end\nsmile,0,1\nSmile,1,2\n").notes == ()


def test_lists_from_python():
    source = EventSource.from_list([(2, 3.5, "b"), (0, 1, "a")])
    assert source.of("x.mp4").epochs == (Epoch("a", 0, 1), Epoch("b", 2, 3.5))
    bad_lists = (
        [(1, 2)], [("x", 2, "a")], [(0, float("inf"), "a")], [3], 5,
        [(0, 1, None)], [(0, 1, float("nan"))],
    )  # fmt: skip
    for bad in bad_lists:
        with pytest.raises(InputError, match=r"expected \(start, end, label\)"):
            EventSource.from_list(bad)
    with pytest.raises(InputError, match="seconds above 0"):
        EventSource.from_list([], window_s=0)


def test_events_outside_are_counted_and_named():
    given = EventList(
        "f", (Epoch("a", 0, 2), Epoch("b", 1, 4), Epoch("c", 9, 12), Epoch("d", 12, 13))
    )
    found = cut_to(given, 1, 10)
    assert found.epochs == (Epoch("a", 1, 2), Epoch("b", 1, 4), Epoch("c", 9, 10))
    assert found.notes == (
        "1 event outside 1 s to 10.00 s left out (d at 12-13 s)",
        "2 events cut to 1 s to 10.00 s (a at 0-2 s, c at 9-12 s)",
    )
    with pytest.raises(InputError, match="no event lies in what is read of the clip, 20 s to"):
        cut_to(given, 20, 30)
    assert cut_to(given, 0, 13).notes == ()


# --- files that somebody made to break it, or that tools broke ---


def boris_of(code="smile", subject="", at=0.1, **observation):
    """A project with one state event."""
    rows = [[time, subject, code, "", ""] for time in (at, 0.3)]
    given = {"file": {"1": ["walk.mp4"]}, "events": rows} | observation
    behaviors = {"0": {"code": code, "type": "State event"}}
    return json.dumps({"behaviors_conf": behaviors, "observations": {"o": given}})


@pytest.mark.parametrize(
    "text",
    [
        boris_of(at=10**400),
        boris_of(**{"time offset": 10**400}),
        boris_of(file={"1": "walk.mp4"}),
    ],
    ids=["time", "offset", "media"],
)
def test_values_that_no_number_or_list_holds_are_damage(tmp_path, text):
    with pytest.raises(InputError, match="is damaged") as error:
        of_text(tmp_path, text, "p.boris")
    says(error)


def test_a_list_with_a_huge_number_is_refused():
    with pytest.raises(InputError, match="expected") as error:
        EventSource.from_list([(0, 10**400, "x")])
    assert len(says(error)) < 300


@pytest.mark.parametrize("word", ["a\0b", "\ud800x", "\x1b[31m"])
@pytest.mark.parametrize("place", ["code", "subject"])
def test_words_that_no_table_can_hold_are_refused(tmp_path, word, place):
    with pytest.raises(InputError, match="control characters or halves") as error:
        of_text(tmp_path, boris_of(**{place: word}), "p.boris")
    says(error).encode()


def test_words_stand_in_one_line(tmp_path):
    (each,) = of_text(tmp_path, boris_of("a\r b\u2028c", "d\ne"), "p.boris").epochs
    assert (each.label, each.tier) == ("a b c", "d e")


@pytest.mark.parametrize("what", ["label", "tier"])
def test_words_without_an_end_are_refused(tmp_path, what):
    words = {"label": "x", "tier": "y"} | {what: "L" * 5000}
    text = f"label,tier,start,end\n{words['label']},{words['tier']},0,1\n"
    with pytest.raises(InputError, match="5,000 characters") as error:
        of_text(tmp_path, text)
    assert len(says(error)) < 300


def test_messages_show_the_beginning_of_long_words(tmp_path):
    data = json.loads(boris_of("L" * 5000))
    data["observations"]["o"]["events"].pop()
    with pytest.raises(InputError, match="never stops") as error:
        of_text(tmp_path, json.dumps(data), "p.boris")
    assert len(says(error)) < 400
    with pytest.raises(InputError, match="expected seconds") as error:
        of_text(tmp_path, f"label,start,end\nx,{'9' * 5000},1\n")
    assert len(says(error)) < 400


def test_a_label_that_nobody_sees_is_none(tmp_path):
    with pytest.raises(InputError, match="has no label"):
        of_text(tmp_path, "label,start,end\n\u200b,0,1\n")


@pytest.mark.parametrize("column", ["tier", "modifier"])
def test_a_doubled_column_is_refused(tmp_path, column):
    with pytest.raises(InputError, match=f"several columns '{column}'"):
        of_text(tmp_path, f"label,start,end,{column},{column}\nx,0,1,a,b\n")


@pytest.mark.parametrize("encoding", ["punycode", "undefined", "idna", "unicode_escape"])
def test_encodings_that_no_file_is_in_are_refused(tmp_path, encoding):
    shutil.copy(FILES / "study.eaf", tmp_path / "s.eaf")
    text = (tmp_path / "s.eaf").read_text(encoding="utf-8").replace("UTF-8", encoding, 1)
    with pytest.raises(InputError, match="is not known") as error:
        of_text(tmp_path, text, "s.eaf")
    says(error)
