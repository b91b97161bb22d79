"""Many files and whole clips from Python: the rows of the commands, in order, errors included."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyojeong import Analyzer, FrameResult, to_csv
from pyojeong.cli.app import main
from pyojeong.core.errors import BadArray, ImageUnreadable, ImageWarning
from pyojeong.runtime.golden import PICTURES


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = sorted(p for p in PICTURES.iterdir() if p.suffix in {".jpg", ".png"})
    paths = []
    for number in range(6):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(found[number % len(found)].read_bytes())
        paths.append(path)
    paths[2].write_bytes(b"no image")
    Image.new("RGB", (30, 30)).save(paths[4])
    return paths


@pytest.mark.parametrize("jobs", [1, 3])
def test_one_result_per_path_in_order(
    analyzer: Analyzer, files: list[Path], jobs: int, tmp_path: Path
) -> None:
    files.insert(1, tmp_path / "missing.jpg")
    results = list(analyzer.analyze_files(iter(files), jobs=jobs))
    assert [r.source for r in results] == list(map(str, files))
    assert [bool(r.error) for r in results] == [False, True, False, True, False, False, False]
    assert results[1].error.endswith("missing.jpg: no such file")
    assert results[3].faces == ()
    assert results[0] == analyzer.analyze(files[0])
    again = list(analyzer.analyze_files(map(str, files), jobs=jobs))
    assert again == results


def test_the_rows_are_those_of_the_command(
    analyzer: Analyzer, files: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        main(["analyze", *map(str, files), "-o", str(tmp_path / "out"), "-f", "csv",
              "--threads", "1"])  # fmt: skip
    own = to_csv(analyzer.analyze_files(files), tmp_path / "own.csv")
    assert own.read_text() == (tmp_path / "out" / "results.csv").read_text()


def test_raise_stops_at_the_first_error(analyzer: Analyzer, files: list[Path]) -> None:
    results = analyzer.analyze_files(files, on_error="raise")
    assert [next(results).source, next(results).source] == list(map(str, files[:2]))
    with pytest.raises(ImageUnreadable, match=r"2\.jpg"):
        next(results)
    with pytest.raises(ImageUnreadable, match=r"2\.jpg"):
        analyzer.analyze_batch(files)


def test_a_batch_keeps_errors_on_request(analyzer: Analyzer, files: list[Path]) -> None:
    data = files[0].read_bytes()
    batch = [files[2], data, b"", None, files[0], "A" * 5000]
    results = analyzer.analyze_batch(batch, on_error="keep")
    assert [r.source for r in results[:5]] == [
        str(files[2]), "<bytes>", "<bytes>", "<NoneType>", str(files[0]),
    ]  # fmt: skip
    assert [bool(r.error) for r in results] == [True, False, True, True, False, True]
    assert max(len(r.source) for r in results) < 250
    assert results[1].faces == results[4].faces != ()
    assert analyzer.analyze_batch([]) == []


def test_remarks_are_warnings(analyzer: Analyzer, tmp_path: Path) -> None:
    torn = tmp_path / "torn.jpg"
    data = (PICTURES / "astronaut.jpg").read_bytes()
    torn.write_bytes(data[:-400])
    with pytest.warns(ImageWarning, match=r"torn\.jpg"):
        (result,) = analyzer.analyze_files([torn])
    assert result.error == ""


def test_mistakes(analyzer: Analyzer) -> None:
    with pytest.raises(BadArray, match="Wrap it in a list"):
        analyzer.analyze_files("a.jpg")
    with pytest.raises(BadArray, match="'raise' or 'keep'"):
        analyzer.analyze_files([], on_error="skip")  # type: ignore[arg-type]
    with pytest.raises(BadArray, match="'raise' or 'keep'"):
        analyzer.analyze_batch([], on_error="ignore")  # type: ignore[arg-type]
    with pytest.raises(BadArray, match="at least 1"):
        analyzer.analyze_files([], jobs=0)
    assert list(analyzer.analyze_files([])) == []
    folder = list(analyzer.analyze_files([PICTURES]))
    assert isinstance(folder[0], FrameResult)
    assert "is a folder" in folder[0].error


def test_csv_of_errors_says_why(analyzer: Analyzer, files: list[Path], tmp_path: Path) -> None:
    with to_csv(analyzer.analyze_files(files), tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["face"] for row in rows if row["error"]] == [""]


def test_a_column_with_gaps_and_a_whole_table(analyzer: Analyzer, files: list[Path]) -> None:
    import pandas as pd

    column = pd.Series([str(files[0]), None, float("nan"), str(files[1])])
    results = list(analyzer.analyze_files(column))
    assert [bool(r.error) for r in results] == [False, True, True, False]
    assert "expected a path, got" in results[2].error
    with pytest.raises(BadArray, match="Pass its column of paths"):
        analyzer.analyze_files(pd.DataFrame({"file": column}))


def test_one_image_is_not_a_batch(analyzer: Analyzer, files: list[Path]) -> None:
    import torch

    rgb = np.zeros((40, 50, 3), np.uint8)
    for one in (rgb, rgb[..., 0], torch.zeros(3, 40, 50), str(files[0]), files[0],
                files[0].read_bytes(), Image.fromarray(rgb)):  # fmt: skip
        with pytest.raises(BadArray, match="Wrap it in a list"):
            analyzer.analyze_batch(one)  # type: ignore[arg-type]
    assert len(analyzer.analyze_batch(rgb[None])) == 1
    assert len(analyzer.analyze_batch(np.zeros((4, 40, 50), np.uint8))) == 4


def test_crops_are_whatever_an_image_may_be(analyzer: Analyzer, files: list[Path]) -> None:
    import torch

    pixels = np.asarray(Image.open(files[0]).convert("RGB"))[100:200, 150:250]
    (wanted,) = analyzer.classify([pixels])
    tensor = torch.from_numpy(pixels.copy())
    for crops in (Image.fromarray(pixels), [Image.fromarray(pixels)], tensor, [tensor]):
        assert analyzer.classify(crops) == [wanted]


def test_an_analyzer_says_what_it_is(analyzer: Analyzer) -> None:
    assert repr(analyzer) == f"Analyzer({analyzer.model_ids[0]}, {analyzer.model_ids[1]}; between)"
    with pytest.raises(ImageUnreadable, match="an empty path"):
        analyzer.analyze("")
    with pytest.raises(BadArray, match=r"image\[\.\.\., :3\]"):
        analyzer.analyze(np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(BadArray, match="if its values are"):
        analyzer.analyze(np.zeros((8, 8, 3), np.int64))
