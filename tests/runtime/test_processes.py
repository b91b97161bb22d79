"""Analyzers in other processes: pickled, spawned, forked."""

import multiprocessing
import pickle
from pathlib import Path

import pytest

from pyojeong import Analyzer, FrameResult
from pyojeong.runtime.golden import PICTURES

FILES = sorted(str(p) for p in PICTURES.iterdir() if p.suffix in {".jpg", ".png"})


def same_options(one: Analyzer, other: Analyzer) -> bool:
    return one.options == other.options and one.settings == other.settings


def test_a_copy_answers_the_same() -> None:
    one = Analyzer(threads=1, eyes=True, prior={"happy": 0.4, "sad": 0.1, "angry": 0.1, "fear": 0.1,
                   "disgust": 0.1, "neutral": 0.1, "surprise": 0.1}, threshold=0.4, views=2,
                   min_face=30, allow=iter(["*"]))  # fmt: skip
    other = pickle.loads(pickle.dumps(one))
    assert same_options(one, other)
    assert [other.analyze(f) for f in FILES] == [one.analyze(f) for f in FILES]


def test_default_stays_the_model_that_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(Analyzer(threads=1))
    monkeypatch.setenv("PYOJEONG_MODEL", "default-fer2013")
    assert pickle.loads(data).model_ids != Analyzer(threads=1).model_ids


def test_a_model_named_by_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Analyzer(threads=1).classifier.card
    from pyojeong.zoo import find

    entry = find(card.id)
    for file in (entry.weights, entry.folder / f"{card.id}.card.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(Analyzer(card.file, threads=1))
    monkeypatch.chdir("/")
    assert pickle.loads(data).model_ids[1] == card.id


def read_with(analyzer: Analyzer, path: str) -> FrameResult:
    return analyzer.analyze(path)


_SHARED: list[Analyzer] = []


def read_with_shared(path: str) -> FrameResult:
    return _SHARED[0].analyze(path)


@pytest.mark.slow
def test_a_spawned_pool_answers_the_same() -> None:
    analyzer = Analyzer(threads=1)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        got = pool.starmap(read_with, [(analyzer, path) for path in FILES])
    assert got == [analyzer.analyze(path) for path in FILES]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python 3.12 warns of threads
# Windows starts processes by spawn only, which the test above covers.
@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork"
)
def test_a_forked_pool_opens_its_networks_again() -> None:
    """The threads of the parent's networks are not in a forked process: it would wait for ever."""
    analyzer = Analyzer(threads=2)
    wanted = [analyzer.analyze(path) for path in FILES]
    _SHARED[:] = [analyzer]
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert pool.map_async(read_with_shared, FILES).get(timeout=120) == wanted
    assert [analyzer.analyze(path) for path in FILES] == wanted
