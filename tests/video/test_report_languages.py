"""The report in Korean says what the English one says; the results are the same in both."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright
from typer.testing import CliRunner

from pyojeong import Analyzer, read_table, write_report
from pyojeong.cli.app import app
from pyojeong.core.action_units import ActionUnits
from pyojeong.core.errors import InputError
from pyojeong.core.face import FrameResult
from pyojeong.core.labels import FER7
from pyojeong.stream.segments import Selection
from pyojeong.stream.source import ClipFacts
from pyojeong.video.coded_events.epoch import Epoch, EventList, checked, cut_to
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.options import VideoOptions
from pyojeong.video.render import card_in_words, settings_in_words
from pyojeong.video.report import ReportFacts
from pyojeong.video.report import write_report as write_page
from pyojeong.video.summary import Summary
from tests.latin import english_in, texts_of
from tests.video.made import face, make_clip

PEOPLE, LONG_S = 15, 40
NAMES = ["a.mp4", "Anna", "film", "talk", "late", "trials.csv", "h264"]
"""What the made-up clip brings along."""
SETTINGS = (
    VideoOptions(selection=Selection()),
    VideoOptions(selection=Selection(fps=5, start_s=1), smooth_s=0.3, baseline_s=(0, 1.5)),
    VideoOptions(selection=Selection(stride=3, start_s=1, end_s=2.5), baseline=(0.1,) * 7),
)
ERRORS = (
    "breaks off after frame 3 (1 s)",
    "is damaged: its last 1.25 s could not be decoded",
    "is damaged: frames are missing or damaged",
)


@pytest.fixture(scope="module")
def made() -> tuple[Summary, MeasuredEpochs]:
    """Fifteen people who change their faces, blink, and are measured in too many events."""
    rng = np.random.default_rng(0)
    given = [Epoch("film", 1, 4), Epoch("talk", 2, 6), Epoch("film", 3, 6), Epoch("late", 90, 91)]
    given += [Epoch("film", 3.2, 6), Epoch("talk", 3.3, 5), Epoch("talk", 5, 5)]
    given += [Epoch(f"라벨 {i}", 7 + i, 8 + i) for i in range(30)] + [Epoch("late", 39, 50)]
    notes = ("its rows are not in order of time: sorted", "columns that are not used: film")
    events = cut_to(checked("trials.csv", given, notes=notes), 0, LONG_S)
    events = EventList("trials.csv", events.epochs, events.notes)
    assert len(events.notes) == 6
    epochs, summary = MeasuredEpochs(FER7, events), Summary(FER7, hold_s=0.1, names={1: "Anna"})
    for i in range(LONG_S * 5):
        values = [None if k == 3 else float(v) for k, v in enumerate(rng.random(18))]
        units = ActionUnits(tuple(values), (None,) * 11, (None,) * 11, activation=0.2)
        score = 0.3 if i % 35 > 30 else 0.8
        opened = {3: 0.1, 9: None}.get(i % 20, 0.9)
        shown = [
            face(FER7.names[i // 5 % 7], track, score, openness=opened, action_units=units)
            for track in range(1, PEOPLE + 1)
            if i < 190 - track
        ]
        frame = FrameResult("a.mp4", i, i / 5, (640, 360), tuple(shown), ("a", "b"))
        summary.add(frame)
        epochs.add(frame)
    summary.finish()
    epochs.finish()
    return summary, epochs


def facts_of(epochs: MeasuredEpochs, model: str, options: VideoOptions, error: str) -> ReportFacts:
    classifier = Analyzer(model, threads=1).classifier
    clip = ClipFacts(
        codec="h264",
        frames=200,
        duration_s=40.0,
        rate=5.0,
        audio=False,
        high_range=options.selection.fps is not None,
        start_s=3.25 if options.selection.start_s else 0.0,
    )
    settings = settings_in_words(options, clip) | {"coded events": epochs.notes}
    return ReportFacts(
        clip="a.mp4",
        settings=settings,
        card=card_in_words(classifier.card, classifier.head.to_dict()),
        decoded=200,
        error=error,
        epochs=epochs,
    )


@pytest.mark.parametrize("case", range(3))
@pytest.mark.parametrize("model", ["default", "default-fer2013"])
def test_no_english_is_left_in_a_korean_report(
    made: tuple[Summary, MeasuredEpochs], tmp_path: Path, case: int, model: str
) -> None:
    summary, epochs = made
    facts = facts_of(epochs, model, SETTINGS[case], ERRORS[case])
    english = write_page(tmp_path / "en.html", summary, facts).read_text(encoding="utf-8")
    korean = write_page(tmp_path / "ko.html", summary, replace(facts, lang="ko"))
    lang, texts = texts_of(korean.read_text(encoding="utf-8"))
    assert lang == "ko"
    ids = [str(facts.card["id"]), str(facts.card["licence"])]
    assert english_in(texts, [*NAMES, *ids]) == []
    first, said = texts_of(english)
    assert first == "en"
    assert len(said) == len(texts)  # nothing is left out
    assert [n for n in said if re.search("[가-힣]", n.replace("라벨", ""))] == []
    numbers = re.compile(r"\d[\d.,:]*\d|\d")
    for one, other in zip(said, texts, strict=True):
        if "표정" not in other and "투표" not in other:  # a model's text spells numbers out
            assert sorted(numbers.findall(one)) == sorted(numbers.findall(other)), (one, other)


def test_words_of_the_korean_report(made: tuple[Summary, MeasuredEpochs], tmp_path: Path) -> None:
    summary, epochs = made
    facts = replace(facts_of(epochs, "default", SETTINGS[1], ""), lang="ko")
    page = write_page(tmp_path / "ko.html", summary, facts).read_text(encoding="utf-8")
    assert "<h1>a.mp4의 표정</h1>" in page
    for words in ("시간 비율", "타임라인", "정서가", "액션 유닛", "활성도", "AU14(미흡)",
                  "AU12 입꼬리 당기기 (좋음)",
                  ">Anna(사람 1)<", ">사람 2<", ">분노<", ">놀람<", ">불분명<",
                  "프레임 5개마다, 그리고 장면이 바뀔 때", "between(중간): 분노 ",
                  "표정의 겉모습을 읽으며"):  # fmt: skip
        assert words in page, words
    assert 'data-series="happy"' in page  # what scripts go by keeps its name
    assert ":lang(ko)" in page


def test_a_language_that_is_not_there(tmp_path: Path) -> None:
    frames = [FrameResult("a.mp4", i, i / 5, (64, 36), (face(),), ("a", "b")) for i in range(4)]
    with pytest.raises(InputError, match="choose one of en, ko"):
        write_report(frames, tmp_path / "r.html", lang="kr")
    with pytest.raises(InputError, match="choose one of en, ko"):
        VideoOptions(selection=Selection(), lang="kr")
    assert not list(tmp_path.iterdir())
    page = write_report(frames, tmp_path / "r.html", lang="ko", pictures=False).read_text("utf-8")
    assert english_in(texts_of(page)[1], ["a.mp4"]) == []


# --- the command ---

GIVEN = ("walk.mp4", "film", "events.csv", "results.csv", "results.jsonl", "h264")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One clip, read for both languages with everything that has a line in the report."""
    place = tmp_path_factory.mktemp("languages")
    clip = make_clip(place / "walk.mp4", frames=24)
    (place / "events.csv").write_text('label,start,end\nfilm,0.3,0.6\n"x; y, {n}",90,91\n')
    given = [
        "video",
        str(clip),
        "--annotate",
        "--start",
        "0.1",
        "-f",
        "csv",
        "-f",
        "json",
        "--hold",
    ]
    given += ["0.1", "--events", str(place / "events.csv"), "--action-units"]
    given += ["--layout", "openface", "--layout", "facereader"]
    for lang in ("en", "ko"):
        ended = CliRunner().invoke(app, [*given, "--out", str(place / lang), "--lang", lang])
        assert ended.exit_code == 0, ended.output
    return {lang: place / lang / "walk" for lang in ("en", "ko")}


def content(folder: Path) -> dict[str, bytes]:
    """The files of results whose bytes are the same whenever they are made."""
    names = [p.name for p in folder.iterdir() if p.suffix in {".csv", ".jsonl", ".vtt", ".tsv"}]
    return {name: (folder / name).read_bytes() for name in [*names, "summary.json"]}


def models_of(folder: Path) -> list[str]:
    """Ids of the networks that read the clip, which the page names."""
    done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    return list(done["about"]["reading"]["models"])


def test_the_command_writes_the_page_in_korean_and_nothing_else(results: dict[str, Path]) -> None:
    assert content(results["ko"]) == content(results["en"])
    lang, texts = texts_of((results["ko"] / "report.html").read_text(encoding="utf-8"))
    assert lang == "ko"
    files = [p.name for p in results["ko"].iterdir()]
    card = [*models_of(results["ko"]), "Apache-2.0", "data:research-only", "pretraining:"]
    assert english_in(texts, [*GIVEN, *files, *card, "research-only"]) == []
    frames = read_table(results["ko"] / "results.csv")
    assert next(iter(frames)).faces[0].expression.label == "happy"


def test_redaction_keeps_the_language(results: dict[str, Path], tmp_path: Path) -> None:
    from pyojeong.video.redact import redact

    shutil.copytree(results["ko"], tmp_path / "walk")
    redact(tmp_path / "walk", [1])
    page = (tmp_path / "walk" / "report.html").read_text(encoding="utf-8")
    assert texts_of(page)[0] == "ko"
    assert "시간 비율" in page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("the report's player is tested in Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def shown(page: Any) -> list[str]:
    """Everything that the page says now, to the eye and to screen readers."""
    return list(
        page.evaluate(
            """() => {
              const said = [...document.querySelectorAll("*")].flatMap((e) =>
                ["aria-label", "title", "placeholder", "alt"].map((n) => e.getAttribute(n) ?? ""));
              return [...document.body.innerText.split("\\n"), ...said].filter((t) => t.trim());
            }"""
        )
    )


def test_the_player_in_korean(results: dict[str, Path], browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto((results["ko"] / "report.html").as_uri())
    page.wait_for_function("() => !document.querySelector('#player video').hidden")
    page.click("#player summary")
    chart = page.locator("svg.wide").first
    room = chart.bounding_box()
    assert room is not None
    chart.hover(position={"x": room["width"] / 2, "y": 60})
    assert "기쁨" in page.inner_text(".player-hint")
    page.click('[data-part="from"]')
    assert page.inner_text('[data-part="from"]').endswith("부터 제외 …")
    chart.click(position={"x": room["width"] - 12, "y": 60})
    page.click('[data-part="to"]')
    page.fill('input[aria-label="사람 1의 이름"]', "안나")
    page.keyboard.press("Tab")
    assert page.inner_text('[data-part="sum"]') == "편집 2개"
    with page.expect_download() as download:
        page.click('[data-part="save"]')
    assert '"kind": "pyojeong-edits"' in Path(download.value.path()).read_text(encoding="utf-8")
    files = [p.name for p in results["ko"].iterdir()]
    card = [*models_of(results["ko"]), "Apache-2.0", "data:research-only", "pretraining:"]
    assert english_in(shown(page), [*GIVEN, *files, *card, "research-only"]) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200
    page.set_viewport_size({"width": 380, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    assert errors == []
    page.close()
