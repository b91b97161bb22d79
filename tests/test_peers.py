"""The benchmark beside other tools: labels, counts, pairs and pages; no tool is run here."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import nets
from benchmarks.peers.answers import (
    mapped,
    mend_raw,
    read_parquet,
    read_raw,
    rows_of,
    write_parquet,
)
from benchmarks.peers.asking import failure_of
from benchmarks.peers.entrants import ADAPTERS, ENVIRONMENTS, PEERS, PINS, our_entrants
from benchmarks.peers.environments import RECORD
from benchmarks.peers.page import summed_up, to_markdown
from benchmarks.peers.pictures import Picture, PictureSet, first, read_set
from benchmarks.peers.scores import difference, figures
from pyojeong.core.errors import LabelUnknown
from pyojeong.core.labels import FER7
from pyojeong.runtime.classifier_names import find_classifier

OWN_NAMES = {
    "fer": ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"],
    "face-api": ["neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"],
    "facex": ["Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"],
}


def row(picture: str, truth: str, label: str | None) -> dict[str, Any]:
    scores = [1.0 if name == label else 0.0 for name in FER7.names]
    return {
        "picture": picture,
        "truth": truth,
        "found": label is not None,
        "label": label,
        **{f"p_{n}": s if label else None for n, s in zip(FER7.names, scores, strict=True)},
        "error": None,
    }


@pytest.mark.parametrize("names", OWN_NAMES.values(), ids=OWN_NAMES)
def test_every_tools_names_are_ours(names: list[str]) -> None:
    best = set()
    for name in names:
        label, scores = mapped({n: 0.9 if n == name else 0.1 / 6 for n in names})
        assert scores[FER7.index(label)] == 0.9
        best.add(label)
    assert best == set(FER7.names)


def test_a_tie_goes_to_the_tools_first_name() -> None:
    assert mapped({"sad": 0.5, "angry": 0.5})[0] == "sad"


def test_names_that_mean_the_same_or_nothing_are_refused() -> None:
    with pytest.raises(LabelUnknown, match="both mean 'happy'"):
        mapped({"happy": 0.5, "happiness": 0.5})
    with pytest.raises(LabelUnknown):
        mapped({"bored": 1.0})


def test_a_missed_face_is_wrong() -> None:
    rows = [row("a", "happy", "happy"), row("b", "happy", None), row("c", "sad", "sad")]
    found = figures(rows, rounds=20)
    assert found["accuracy"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["balanced_accuracy"]["value"] == pytest.approx(0.75)
    assert found["no_face"]["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["accuracy_of_found"]["value"] == 1
    assert found["macro_f1"]["value"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-4)


def test_differences_are_of_pairs() -> None:
    one = [row("a", "happy", "happy"), row("b", "sad", "sad"), row("x", "sad", "sad")]
    other = [row("b", "sad", None), row("a", "happy", "happy")]
    apart = difference(one, other, rounds=50)
    assert apart is not None
    assert apart["n"] == 2
    assert apart["accuracy"]["value"] == 0.5
    assert difference(one, [row("z", "sad", "sad")], rounds=5) is None


def test_a_line_that_was_cut_off_is_asked_again(tmp_path: Path) -> None:
    file = tmp_path / "raw.jsonl"
    lines = [
        {"ready": True, "version": "1.0"},
        {"id": "a", "faces": 1, "scores": {"happy": 1.0}, "ms": 3.5},
    ]
    file.write_text("".join(json.dumps(v) + "\n" for v in lines) + '{"id": "b", "fa')
    mend_raw(file)
    raw = read_raw(file)
    assert (raw.version, raw.starts, set(raw.answers)) == ("1.0", 1, {"a"})
    pictures = [
        Picture("a", "a.jpg", "happy"),
        Picture("b", "b.jpg", "sad"),
        Picture("c", "", "sad"),
    ]
    rows = rows_of("tool", "plain", "wild", pictures, raw)
    assert [r["picture"] for r in rows] == ["a", "c"]  # b was not answered, c has no face to cut
    assert [r["found"] for r in rows] == [True, False]
    write_parquet(tmp_path / "tool.parquet", rows)
    again = read_parquet(tmp_path / "tool.parquet")
    assert again[0]["p_happy"] == 1
    assert again[1]["label"] is None


def test_a_trial_takes_pictures_of_all_labels() -> None:
    pictures = tuple(Picture(str(i), "", FER7.names[i // 10]) for i in range(70))
    few = first(PictureSet("wild", "photographs", pictures), 7)
    assert {p.truth for p in few.pictures} == set(FER7.names)


def test_every_entrant_has_its_files() -> None:
    for entrant in (*our_entrants([]), *PEERS):
        environment = ENVIRONMENTS[entrant.environment]
        assert (ADAPTERS / entrant.adapter).is_file()
        assert environment.kind == "own" or (PINS / environment.pins).is_file()
        assert entrant.ran
        assert entrant.crops or entrant.no_crops


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work folder in which two tools have answered about three images."""
    truths = {"a": "happy", "b": "sad", "c": "neutral"}
    pictures = tuple(Picture(k, f"{k}.jpg", t) for k, t in truths.items())
    PictureSet("wild", "photographs", pictures).write(tmp_path)
    ours = {"happy": 1.0}
    for name, answered in {
        "pyojeong": ["happy", "sad", "neutral"],
        "fer": ["happy", None, "sad"],
    }.items():
        lines: list[dict[str, Any]] = [{"ready": True, "version": "1"}]
        for picture, label in zip(pictures, answered, strict=True):
            scores = {**dict.fromkeys(ours, 0.0), label: 1.0} if label else None
            lines.append({"id": picture.id, "faces": int(bool(label)), "scores": scores, "ms": 2.0})
        raw = tmp_path / f"{name}.jsonl"
        raw.write_text("".join(json.dumps(v) + "\n" for v in lines))
        rows = rows_of(name, "x", "wild", pictures, read_raw(raw))
        write_parquet(tmp_path / "answers" / f"{name}.parquet", rows)
        folder = tmp_path / "environments" / name
        folder.mkdir(parents=True)
        built = {"reason": "", "mb": 12.0, "runtime": "Python 3.11", "date": "2026-11-24"}
        (folder / RECORD).write_text(json.dumps(built))
    return tmp_path


def test_the_page_counts_what_was_answered(work: Path) -> None:
    result = summed_up([*our_entrants([]), *PEERS], work, "a-model")
    wild = result["sets"]["wild"]
    assert wild["n"] == 3
    assert set(wild["entrants"]) == {"pyojeong", "fer"}
    assert wild["entrants"]["pyojeong"]["accuracy"]["value"] == 1
    apart = wild["entrants"]["fer"]["ours_minus_this"]["balanced_accuracy"]
    assert apart["value"] == pytest.approx(2 / 3, abs=1e-3)
    text = to_markdown(json.loads(json.dumps(result)))
    assert "| **pyojeong** | 0.0 | 100.0 [" in text
    assert "| fer | 33.3 | 33.3 [" in text
    assert "DeepFace" in text
    assert "could not be installed here" in text
    failure_of(work, PEERS[2]).write_text("does not start\n")
    text = to_markdown(summed_up([*our_entrants([]), *PEERS], work, "a-model"))
    assert f"| {PEERS[2].name} | | | was installed, but does not start |" in text


def test_half_an_answer_is_no_comparison(work: Path) -> None:
    found = read_set(work, "wild")
    assert found is not None
    more = (*found.pictures, Picture("d", "d.jpg", "fear"))
    PictureSet("wild", "photographs", more).write(work)
    with pytest.raises(SystemExit, match="run `ask` again"):
        summed_up([*our_entrants([]), *PEERS], work, "a-model")


def test_nets_are_timed_in_turns(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nets, "fer_net", lambda _: find_classifier("default").weights)
    monkeypatch.setattr(nets, "ROUNDS", 2)
    monkeypatch.setattr(nets, "SETTINGS", {"ms_per_face": (1, 1, 2), "faces_per_s": (2, 4, 2)})
    nets.time_nets(["default"], work, say=lambda _: None)
    found = nets.read_nets(work)
    assert found is not None
    fer, ours = found["nets"]["fer"], found["nets"][find_classifier("default").card.id]
    assert fer["mb"] == ours["mb"] > 0.1
    assert len(fer["ms_per_face_rounds"]) == 2
    assert 0.01 < ours["ms_per_face"] < 1e3
    assert 1 < ours["faces_per_s"] < 1e6
    text = to_markdown(summed_up([*our_entrants([]), *PEERS], work, "a-model"))
    assert f"| fer | {fer['mb']:.2f} | {fer['ms_per_face']:.2f} [" in text
