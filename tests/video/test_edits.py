"""Edits of people: from the report's player into tables, summary and report."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from typer.testing import CliRunner

from pyojeong import Analyzer
from pyojeong.cli.app import app
from pyojeong.core.errors import DataError, OutputError
from pyojeong.core.track_edits import KIND, TrackEdits
from pyojeong.output.tables import read_csv
from pyojeong.video.options import VideoOptions
from pyojeong.video.process import read_clip
from pyojeong.video.redact import edit_people
from pyojeong.video.render import beside
from tests.video.made import make_clip

OPTIONS = VideoOptions(formats=("csv",))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    make_clip(folder / "walk.mp4")
    read_clip(folder / "walk.mp4", folder / "out", Analyzer(threads=1), OPTIONS)
    return folder


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "made")
    return tmp_path / "made" / "out"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("the report's player is tested in Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def test_names_and_excluded_times_reach_everything(results: Path, tmp_path: Path) -> None:
    file = tmp_path / "edits.json"
    file.write_text(json.dumps({"kind": KIND, "names": {"1": "Anna <b>"}, "exclude": [[0, 0.4]]}))
    ended = CliRunner().invoke(app, ["video", "redact", str(results), "--edits", str(file)])
    assert ended.exit_code == 0, ended.output
    frames = list(read_csv(results / "results.csv"))
    assert len(frames) == 30
    assert all(bool(f.faces) == (f.time_s >= 0.4) for f in frames)
    summary = json.loads((results / "summary.json").read_text())
    assert [p["name"] for p in summary["people"]] == ["Anna <b>"]
    assert summary["people"][0]["first_s"] == 0.4
    page = (results / "report.html").read_text()
    assert "Anna &lt;b&gt; (person 1)" in page
    assert "<b> (person" not in page
    done = json.loads((results / "done.json").read_text())
    assert done["about"]["excluded_s"] == [[0.0, 0.4]]
    assert "forgetting" not in done


def test_reading_again_with_other_settings_does_not_undo_edits(
    finished: Path, results: Path
) -> None:
    edit_people(results, TrackEdits(names={1: "Anna"}))
    clip = finished / "walk.mp4"
    assert read_clip(clip, results, Analyzer(threads=1), OPTIONS).again
    other = VideoOptions(formats=("csv",), hold_s=0.2)
    with pytest.raises(OutputError, match="were edited"):
        read_clip(clip, results, Analyzer(threads=1, prior="balanced"), other)


def test_an_interrupted_edit_goes_on(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pyojeong.video.redact.rewrite_tracks", killed)
        with pytest.raises(KeyboardInterrupt):
            edit_people(results, TrackEdits(names={1: "Anna"}, excluded=((0.0, 0.4),)))
    edit_people(results, TrackEdits())
    summary = json.loads((results / "summary.json").read_text())
    assert summary["people"][0]["name"] == "Anna"
    assert summary["people"][0]["first_s"] == 0.4


def test_bad_edits_change_nothing(results: Path) -> None:
    before = {p.name: p.read_bytes() for p in results.iterdir()}
    with pytest.raises(DataError, match="no person 7"):
        edit_people(results, TrackEdits(merged={7: 1}))
    ended = CliRunner().invoke(app, ["video", "redact", str(results)])
    assert ended.exit_code == 2
    assert {p.name: p.read_bytes() for p in results.iterdir()} == before


def test_the_player_saves_what_the_command_applies(
    results: Path, browser: Browser, tmp_path: Path
) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto((results / "report.html").as_uri())
    page.wait_for_function("() => !document.querySelector('#player video').hidden")
    chart = page.locator("svg.wide").first
    room = chart.bounding_box()
    assert room is not None
    chart.hover(position={"x": room["width"] / 2, "y": 60})
    assert "happy" in page.inner_text(".player-hint")
    chart.click(position={"x": room["width"] / 2, "y": 60})
    middle = page.evaluate("document.querySelector('#player video').currentTime")
    assert 0.4 < middle < 0.8
    page.click("#player summary")
    page.click('[data-part="from"]')
    chart.click(position={"x": room["width"] - 12, "y": 60})
    page.click('[data-part="to"]')
    page.fill('input[aria-label="Name of person 1"]', "안나")
    page.keyboard.press("Tab")
    page.uncheck('[data-part="series"] input >> nth=3')
    hidden = page.locator('svg [data-series="happy"]').first
    assert hidden.evaluate("(e) => e.style.visibility") == "hidden"
    with page.expect_download() as download:
        page.click('[data-part="save"]')
    download.value.save_as(tmp_path / "edits.json")
    edits = TrackEdits.read(tmp_path / "edits.json")
    assert edits.names == {1: "안나"}
    ((start, end),) = edits.excluded
    assert abs(start - middle) < 0.1
    assert end > 1.0
    edit_people(results, edits)
    for frame in read_csv(results / "results.csv"):
        assert bool(frame.faces) == (not start <= frame.time_s < end)
    assert errors == []
    page.close()


def test_a_report_names_its_clip_only_where_it_is_near(tmp_path: Path) -> None:
    clip = tmp_path / "clips" / "a b.mp4"
    clip.parent.mkdir()
    clip.write_bytes(b"x")
    assert beside(clip, tmp_path / "results" / "a b") == "../../clips/a b.mp4"
    assert beside(clip, tmp_path / "some" / "where" / "else") == ""
    assert beside(tmp_path / "gone.mp4", tmp_path) == ""
