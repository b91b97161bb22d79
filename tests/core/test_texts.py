"""English and Korean stay in step: the same keys, the same places, and no message without use."""

import json
import re
from pathlib import Path

import pytest

import pyojeong
from pyojeong.core.action_units import ACTION_UNITS
from pyojeong.core.errors import InputError
from pyojeong.core.labels import FERPLUS8
from pyojeong.core.texts import LANGUAGES, PAGES, Texts, places_of
from pyojeong.datasets.samples import Split
from tests.latin import english_in

SOURCE = Path(pyojeong.__file__).parent
FOLDER = SOURCE / "core" / "texts"
CATALOGUES = sorted({name for names in PAGES.values() for name in names})
HANGUL = re.compile("[가-힣]")
POLITE = re.compile(r"(니다|세요|나요\?|까\?)\)?[.?]?$")


def catalogue(name: str, language: str) -> dict[str, str]:
    def unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    text = (FOLDER / f"{name}.{language}.json").read_text(encoding="utf-8")
    return json.loads(text, object_pairs_hook=unique)


def test_every_file_is_a_catalogue_of_a_page() -> None:
    wanted = {f"{name}.{language}.json" for name in CATALOGUES for language in LANGUAGES}
    assert {p.name for p in FOLDER.glob("*.json")} == wanted


@pytest.mark.parametrize("name", CATALOGUES)
def test_both_languages_have_the_same_keys_and_places(name: str) -> None:
    english, korean = (catalogue(name, language) for language in LANGUAGES)
    assert list(english) == list(korean)
    assert all(english.values())
    for key, text in english.items():
        assert places_of(text) == places_of(korean[key]), key


@pytest.mark.parametrize("page", PAGES)
def test_catalogues_of_a_page_do_not_replace_messages_of_each_other(page: str) -> None:
    keys = [key for name in PAGES[page] for key in catalogue(name, "en")]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", CATALOGUES)
def test_korean_is_korean(name: str) -> None:
    english, korean = (catalogue(name, language) for language in LANGUAGES)
    plain = {key: re.sub(r"\{\w+\}", "", text) for key, text in korean.items()}
    # What is the same in both has nothing to translate: places, signs, a command.
    for key, text in korean.items():
        if re.search("[A-Za-z]{2}", re.sub(r"\{\w+\}", "", english[key])) and text:
            same = key.startswith("key.") or key == "player.command" or text != english[key]
            assert same, key
    assert english_in(plain.values()) == []
    assert not [key for key, text in english.items() if HANGUL.search(text)]


@pytest.mark.parametrize("name", CATALOGUES)
def test_korean_sentences_have_one_style_and_no_particle_hangs_on_a_place(name: str) -> None:
    for key, text in catalogue(name, "ko").items():
        sentences = re.split(r"(?<=[.?])\s+", text)
        for sentence in sentences if text.endswith(".") and not key.startswith("said.name") else ():
            if not re.search(r"[\d}\])~]\.$|:|목록\.$|\.\.$", sentence):
                assert POLITE.search(sentence), (key, sentence)
        # These have another form behind a vowel: 은/는, 이/가, 을/를, 과/와, (으)로.
        assert not re.search(r"\}(은|는|이|가|을|를|과|와|으로|로)(?![가-힣])", text), key
        assert not re.search(r"[\d}] %", text), key  # Korean joins the sign to the number


def test_every_message_is_used_and_every_used_one_is_there() -> None:
    """Keys stand in the source as they are, or as the beginning of an f-string."""
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for ending in ("py", "js", "html")
        for path in SOURCE.rglob(f"*.{ending}")
        if "page/ort" not in path.as_posix() and len(path.read_bytes()) < 200_000
    )
    known = {key for name in CATALOGUES for key in catalogue(name, "en")}
    made = {"label": FERPLUS8.names, "split": [s.value for s in Split], "unit": ACTION_UNITS}
    for group, names in made.items():
        assert {f"{group}.{name}" for name in names} <= known
    computed = ("said.", "label.", "split.", "unit.", "grade.", "check.", "action.", "key.")
    for key in sorted(known):
        stem = re.sub(r"\.(one|many|why|text|does|share)$", "", key)
        stem = stem.removeprefix("player.").removeprefix("quality.").removeprefix("head.")
        stem = stem.removeprefix("state.").removeprefix("coded.").removeprefix("done.")
        spelled = {f'"{stem}"', f"{{{{{stem}}}}}", f"'{stem}'", f'"{key}"', f'"{stem}.'}
        spelled |= {f'"{key.rpartition(".")[0]}"', stem.replace("_", " ").join('""')}
        assert key.startswith(computed) or any(word in source for word in spelled), key


def test_a_sentence_of_the_results_is_said_in_the_language_of_the_page() -> None:
    korean = Texts("report", "ko")
    assert (
        korean.said("every 5 frames and on scene cuts", "value")
        == "프레임 5개마다, 그리고 장면이 바뀔 때"
    )
    assert korean.said("between: angry 5%, happy 95%", "value") == (
        "between(중간): 분노 5%, 기쁨 95%"
    )
    assert korean.said("something of a later version", "value") == "something of a later version"
    assert Texts("report").said("all", "value") == "all"
    for group, written in (("note", "{names} and {n} more of it"), ("value", "{label} {n}% of it")):
        assert korean.said(written, group) == written  # a name that holds braces
    reasons = Texts("review", "ko")
    said = "nearly a, b in c.jpg in train, labelled sad there, mirrored (0.93)"
    assert reasons.said(said, "reason") == (
        "거의 같은 이미지: a, b in c.jpg(학습), 그 라벨은 슬픔, 좌우 반전(0.93)"
    )
    assert reasons.said("sad, read as happy (0.81)", "reason") == "라벨은 슬픔, 예측은 기쁨(0.81)"


def test_counts_and_labels() -> None:
    english, korean = Texts("report"), Texts("report", "ko")
    assert [english.count("people", n) for n in (0, 1, 2000)] == [
        "0 people", "1 person", "2,000 people"]  # fmt: skip
    assert korean.count("people", 1) == "1명"
    assert korean.label("unclear") == "불분명"
    assert korean.label("of the user") == "of the user"


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="language 'kr': choose one of en, ko"):
        Texts("report", "kr")


@pytest.mark.parametrize(
    ("page", "places"),
    [
        ("report", ["video/report.py", "video/report_charts.py", "video/player", "output"]),
        ("curation", ["curate/report.py"]),
        ("review", ["curate/review"]),
        ("live", ["serve/web", "serve/live_session.py"]),
    ],
)
def test_every_key_in_the_source_is_in_the_catalogue(page: str, places: list[str]) -> None:
    known = set(Texts(page).messages)
    used: set[str] = set()
    for place in places:
        path = SOURCE / place
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.suffix in {".py", ".js", ".html"}:
                text = file.read_text(encoding="utf-8")
                prefix = "player." if file.suffix != ".py" and "player" in file.parts else ""
                keys = re.findall(r"""\bsay\(["']([\w.]+)["']""", text)
                keys += re.findall(r"\{\{([\w.]+)\}\}", text) if file.suffix == ".html" else []
                used |= {prefix + key for key in keys if key not in {"lang", "texts"}}
                counts = re.findall(r'\b(?:say\.count|counted)\("([\w.]+)"', text)
                used |= {f"{key}.{form}" for key in counts for form in ("one", "many")}
    assert used <= known, sorted(used - known)
    assert page == "live" or len(used) > 15
