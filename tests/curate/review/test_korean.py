"""The review page and the report of a curation in Korean: no English stays in them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

from pyojeong.core.errors import InputError
from pyojeong.core.labels import FER7
from pyojeong.core.texts import Texts
from pyojeong.curate.checks import CHECKS, NOT_BY_DEFAULT, parse_checks
from pyojeong.curate.curation import Plan, curate
from pyojeong.curate.decisions import Decision, DecisionLog
from pyojeong.curate.findings import Store
from pyojeong.curate.report import write_report
from pyojeong.datasets.samples import Split
from tests.curate.made import ASTRONAUT, COFFEE, face, noise, sample, write
from tests.latin import english_in, texts_of

OPTIONS = sorted((*CHECKS, "set.parquet", "made:", "anna", "ben", "kim"), key=len, reverse=True)
"""What is written as it is: names of checks, of which options are made, files, reviewers."""


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Rows with every fault; thresholds so low that nearly every row gets a reason."""
    two = np.concatenate([face(96), face(96)], axis=1)
    rows = [
        sample(face(96), "happy", votes=(0, 0, 0, 9, 1, 0, 0, 0, 0, 0)),
        sample(face(96), "sad", Split.TEST, votes=(8, 2, 0, 0, 0, 0, 0, 0, 0, 0)),
        sample(face(48), "happy", Split.VALID),
        sample(np.ascontiguousarray(face(96)[:, ::-1]), "fear", votes=(0,) * 8 + (9, 1)),
        sample(noise(1), "angry"),
        sample(b"broken", "fear"),
        sample(COFFEE, "neutral"),
        sample(two, "neutral"),
        sample(np.zeros((48, 48), np.uint8), "disgust"),
        sample(np.full((48, 48), 255, np.uint8), "disgust"),
        sample(np.rot90(ASTRONAUT), "surprise"),
        *(sample(noise(i), "sad") for i in range(2, 6)),
    ]
    store = Store.beside(write(tmp_path_factory.mktemp("korean") / "set.parquet", rows))
    names = [f"{name}=0.01" for name in CHECKS if name not in NOT_BY_DEFAULT]
    curate(store, Plan(parse_checks(names), {}, jobs=1))
    return store


@pytest.fixture
def store(curated: Store, tmp_path: Path) -> Store:
    """A copy with decisions of two people who disagree about a row."""
    shutil.copytree(curated.manifest.parent, tmp_path / "data")
    copied = Store.beside(tmp_path / "data" / "set.parquet")
    DecisionLog(copied, "ben").add(
        [Decision(row=4, action="drop", reviewer="ben"),
         Decision(row=6, action="relabel", label="happy", reviewer="ben")]
    )  # fmt: skip
    DecisionLog(copied, "kim").add([Decision(row=4, action="keep", reviewer="kim")])
    return copied


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_has_a_name_and_a_meaning_in_korean(name: str) -> None:
    for page in ("review", "curation"):
        say = Texts(page, "ko")
        assert english_in([say(f"check.{name}")]) == []
        assert english_in([say.said(CHECKS[name].states, "state")]) == []


@pytest.mark.parametrize(
    "reason",
    [
        "nearly made:3 (0.91)", "nearly row 12 in test, labelled sad there, mirrored (0.91)",
        "same image as made:7, labelled fear there", "tilted by 80 degrees", "turned away",
        "sad, read as happy (0.81)", "sad got 0% of the votes; 80% happy",
        "sad got 10% of the votes; 50% happy, 40% unknown or no face", "an eye is covered",
        "the mouth is covered", "writing, not legible", "reads “한글 made:”", "2 faces",
        "below 0.7, the threshold when the check ran: no reason was kept; remove findings/blurred "
        "and run it again",
    ],
)  # fmt: skip
def test_reasons_that_the_made_up_rows_lack(reason: str) -> None:
    assert english_in([Texts("review", "ko").said(reason, "reason")], OPTIONS) == []


def test_no_english_is_left_in_the_report(store: Store, tmp_path: Path) -> None:
    files = {}
    for lang in ("en", "ko"):
        file = write_report(store, tmp_path / lang, command="pyojeong data curate", lang=lang)
        files[lang] = texts_of(file.read_text(encoding="utf-8"))
    assert [files[lang][0] for lang in ("en", "ko")] == ["en", "ko"]
    assert english_in(files["ko"][1], [*OPTIONS, store.manifest_id]) == []
    assert len(files["ko"][1]) == len(files["en"][1])
    bare = write_report(store, tmp_path / "bare.html", pictures=0, lang="ko").read_text("utf-8")
    assert "<h2" in bare
    assert "얼굴 없음 (no-face)" in bare  # as the option is written
    with pytest.raises(InputError, match="choose one of en, ko"):
        write_report(store, tmp_path / "no.html", lang="de")
    assert not (tmp_path / "no.html").exists()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("the review page is tested in Chromium: apt-get install chromium")
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
              const options = [...document.querySelectorAll("option")].map((o) => o.text);
              return [document.title, ...document.body.innerText.split("\\n"), ...said, ...options]
                .filter((t) => t.trim());
            }"""
        )
    )


def test_the_page_in_korean(store: Store, serve: Callable[..., Any], browser: Browser) -> None:
    served = serve(store, lang="ko")
    page = browser.new_page(viewport={"width": 1360, "height": 850})
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.on("console", lambda m: errors.append(m.text))
    page.goto(served.url)
    page.wait_for_selector("body[data-ready=true]")
    assert page.get_attribute("html", "lang") == "ko"
    # One letter of a key is no language.
    names = [*OPTIONS, "PNG"]

    def clean() -> None:
        assert english_in(shown(page), names) == []

    clean()
    assert page.title() == "set.parquet 검토 · pyojeong"
    legend = " ".join(page.inner_text("#legend").split())
    assert legend == "1 분노 2 혐오 3 공포 4 기쁨 5 중립 6 슬픔 7 놀람"
    assert page.get_attribute("#legend button >> nth=3", "aria-label") == "라벨 변경: 기쁨"
    page.keyboard.press("?")
    clean()
    page.keyboard.press("Escape")
    for key in ("k", "d", "4", "r", "u", "Control+a", "d", "u", "g"):  # as in English
        page.keyboard.press(key)
        page.wait_for_timeout(60)
        clean()
    page.locator("#saving:empty").wait_for(state="attached")
    said = [(line["action"], line["label"]) for line in served.lines()]
    assert ("keep", "") in said
    assert "undo" in {action for action, _ in said}
    assert {label for _, label in said} <= {
        "",
        *FER7.names,
    }
    for state in ("conflicts", "decided", "all", "mine"):
        page.goto(f"{served.root}/#state={state}")
        page.wait_for_timeout(60)
        clean()
    page.locator(".tile").first.click()
    for _ in range(15):
        page.keyboard.press("Space")
        page.wait_for_selector(".facts .source")
        page.wait_for_timeout(80)
        clean()
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
    page.fill("#search", "zzz")
    page.wait_for_selector("#empty h2")
    clean()
    assert page.inner_text("#empty h2") == "맞는 이미지 없음"
    assert errors == []
    page.close()


def test_the_page_without_findings(
    curated: Store, serve: Callable[..., Any], browser: Browser, tmp_path: Path
) -> None:
    shutil.copy(curated.manifest, tmp_path / "set.parquet")
    served = serve(Store.beside(tmp_path / "set.parquet"), lang="ko")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(served.url)
    page.wait_for_selector("body[data-ready=true]")
    assert english_in(shown(page), OPTIONS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    served.stop()
    page.keyboard.press("k")
    page.wait_for_selector("#banner:not([hidden])")
    assert english_in(shown(page), OPTIONS) == []
    assert "서버가 응답하지 않습니다" in page.inner_text("#banner-text")
    page.close()
