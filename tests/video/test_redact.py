"""People who are redacted is nowhere any more, and nobody else is touched."""

import csv
import json
import sys

import pytest

from pyojeong import Analyzer
from pyojeong.core.errors import DataError, OutputError
from pyojeong.core.labels import FER7
from pyojeong.output.table_rewriting import remove_tracks
from pyojeong.output.tables import read_csv
from pyojeong.video.merge import drop_joined, join
from pyojeong.video.options import VideoOptions
from pyojeong.video.process import read_clip
from pyojeong.video.redact import redact
from tests.video.made import make_clip

OPTIONS = VideoOptions(formats=("csv", "json"), annotate=True)


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(threads=1)


def test_rows_pictures_and_numbers_of_a_person_go_and_frames_stay(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4")
    out = tmp_path / "out"
    read_clip(clip, out, analyzer, OPTIONS)
    assert "data:image" in (out / "report.html").read_text()
    changed = redact(out, [1])
    assert "results.csv" in changed
    assert "annotated.mp4" in changed
    assert not (out / "annotated.mp4").exists()
    rows = list(read_csv(out / "results.csv"))
    assert len(rows) == 30
    assert not any(r.faces for r in rows)
    page = (out / "report.html").read_text()
    assert "data:image" not in page
    assert "person 1" not in page
    assert json.loads((out / "summary.json").read_text())["people"] == []
    assert "person 1" not in (out / "events.vtt").read_text()
    # Reading the clip again with the same command does not bring them back.
    assert read_clip(clip, out, analyzer, OPTIONS).again
    assert not any(r.faces for r in read_csv(out / "results.csv"))


def test_results_of_before_votes_keep_their_answers(analyzer, tmp_path):
    """Folders made by versions that answered with FER2013's labels do not say so themselves."""
    clip = make_clip(tmp_path / "walk.mp4")
    out = tmp_path / "out"
    read_clip(clip, out, analyzer, VideoOptions(formats=("csv",)))
    done = json.loads((out / "done.json").read_text())
    del done["about"]["reading"]["answers"]
    done.pop("checksum")
    (out / "done.json").write_text(json.dumps(done))
    redact(out, [1])
    page = (out / "report.html").read_text()
    assert f"{analyzer.classifier.head.threshold:.2f}" in page  # the table's own
    assert json.loads((out / "summary.json").read_text())["answers"]["prior"] == ""
    assert "A score is the share" not in page


def test_other_base_rates_are_read_anew(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4")
    out = tmp_path / "out"
    options = VideoOptions(formats=("csv",))
    read_clip(clip, out, analyzer, options)
    assert read_clip(clip, out, analyzer, options).again
    outcome = read_clip(clip, out, Analyzer(threads=1, prior="balanced"), options)
    assert not outcome.again
    found = {f.expression.prior for r in read_csv(out / "results.csv") for f in r.faces}
    assert found <= {"balanced"}
    assert "balanced: angry 14%" in (out / "report.html").read_text()


def test_a_run_with_other_settings_leaves_nothing_of_the_one_before(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4")
    out = tmp_path / "out"
    read_clip(clip, out, analyzer, VideoOptions(formats=("parquet", "csv"), annotate=True))
    other = Analyzer(threads=1, prior="balanced", labels="ferplus8")
    result = read_clip(clip, out, other, VideoOptions(formats=("json",), report=False))
    assert set(result.removed) == {"results.parquet", "results.csv", "report.html", "annotated.mp4"}
    names = {p.name for p in out.iterdir()}
    events = {"events.vtt", "events.eaf", "events.tsv"}
    assert names == {"results.jsonl", "summary.json", "done.json", *events}


def test_files_that_no_run_wrote_stay(analyzer, tmp_path):
    """Tables of runs with other settings went when the results were made again."""
    clip = make_clip(tmp_path / "walk.mp4")
    out = tmp_path / "out"
    read_clip(clip, out, analyzer, VideoOptions(formats=("csv",)))
    (out / "results.parquet").write_bytes(b"of the user")
    assert "results.parquet" not in redact(out, [1])
    assert (out / "results.parquet").read_bytes() == b"of the user"
    assert not any(r.faces for r in read_csv(out / "results.csv"))


def test_columns_of_users_and_of_earlier_versions_survive(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4")
    out = tmp_path / "out"
    read_clip(clip, out, analyzer, VideoOptions(formats=("csv",)))
    table = out / "results.csv"
    header, *lines = table.read_text().splitlines()
    old = header.replace(",luma,", ",light,").replace("baseline_delta_", "change_") + ",my note"
    table.write_text("\n".join([old, *(f'{line},"a, ""b"""' for line in lines)]) + "\n")
    before = table.read_text()
    remove_tracks("csv", table, [99])
    assert table.read_text() == before
    remove_tracks("csv", table, [1])
    with table.open(newline="") as file:
        again = list(csv.DictReader(file))
    assert len(again) == 30
    assert {row["my note"] for row in again} == {""}
    assert list(again[0]) == old.split(",")


def test_a_model_that_is_gone_is_not_needed(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4")
    out = tmp_path / "out"
    read_clip(clip, out, analyzer, VideoOptions(formats=("csv",)))
    done = json.loads((out / "done.json").read_text())
    done["about"]["reading"]["models"][1] = "nobody-has-this-model"
    done.pop("checksum")
    (out / "done.json").write_text(json.dumps(done))
    redact(out, [1])
    assert "people who would give" in (out / "report.html").read_text()


def test_tables_of_several_clips_go_too(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4", frames=6)
    folders = [tmp_path / "out" / name for name in ("a", "b")]
    for folder in folders:
        read_clip(clip, folder, analyzer, VideoOptions(formats=("csv",), report=False))
    join(folders, tmp_path / "out", ["csv"], FER7)
    assert redact(folders[0], [1])[-2:] == ["../people.csv", "../results.csv"]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a", "b"}


def test_results_without_rows_lose_the_numbers(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4")
    read_clip(clip, tmp_path / "out", analyzer, VideoOptions(formats=(), aggregate=True))
    redact(tmp_path / "out", [1])
    told = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert told["people"] == told["events"] == []
    assert not (tmp_path / "out" / "report.html").exists()


def test_nobody_of_that_number_and_no_results_are_one_line(analyzer, tmp_path):
    with pytest.raises(DataError, match="no finished results"):
        redact(tmp_path, [1])
    clip = make_clip(tmp_path / "walk.mp4")
    read_clip(clip, tmp_path / "out", analyzer, VideoOptions(formats=("csv",), report=False))
    with pytest.raises(DataError, match="no person 7 here; there are: 1"):
        redact(tmp_path / "out", [7])


def test_a_damaged_table_stops_it_before_anything_is_changed(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4")
    out = tmp_path / "out"
    read_clip(clip, out, analyzer, VideoOptions(formats=("json", "csv")))
    table = out / "results.csv"
    table.write_text(table.read_text().replace("false", "perhaps", 1))
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    with pytest.raises(OutputError, match=r"results\.csv: was changed after it was written"):
        redact(out, [1])
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_what_went_wrong_in_earlier_versions_stays_in_the_report(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4")
    out = tmp_path / "out"
    options = VideoOptions(formats=("csv",))
    read_clip(clip, out, analyzer, options)
    done = json.loads((out / "done.json").read_text())
    del done["outcome"]["error"]
    done["outcome"]["complaint"] = "ends early: made up"
    done.pop("checksum")
    (out / "done.json").write_text(json.dumps(done))
    assert read_clip(clip, out, analyzer, options).again
    redact(out, [1])
    assert "ends early: made up" in (out / "report.html").read_text()


# Windows and macOS refuse file names that are not Unicode, so that there is nothing to test.
@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="names are Unicode there")
def test_a_clip_whose_name_is_not_unicode(analyzer, tmp_path):
    clip = make_clip(tmp_path / "walk.mp4").rename(tmp_path / "a\udcff.mp4")
    out = tmp_path / "a\udcff"
    read_clip(clip, out, analyzer, VideoOptions(formats=("csv", "json", "parquet")))
    redact(out, [1])
    assert not any(r.faces for r in read_csv(out / "results.csv"))
    assert "walk" not in (out / "report.html").read_text()


def test_files_of_the_user_beside_the_results_stay(tmp_path):
    for text in ("clip,age\nwalk,33\n", "", "\0"):
        (tmp_path / "people.csv").write_text(text)
        (tmp_path / "results.csv").write_text("mine")
        assert drop_joined(tmp_path) == []
        assert {p.name for p in tmp_path.iterdir()} == {"people.csv", "results.csv"}
