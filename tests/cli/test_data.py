"""The bodies of ``pyojeong data import | info | split | merge | export``."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pyojeong.cli.app import main
from pyojeong.cli.data import ImportRequest, run_export, run_import, run_merge, run_split, show_info
from pyojeong.core.errors import DataError, LabelUnknown
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.datasets.splitting import SplitOptions
from tests.curate.made import ASTRONAUT, COFFEE, face
from tests.datasets import trees


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100, highlight=False)


def said(console: Console) -> str:
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    console.file.seek(0)
    console.file.truncate()
    return text


def bring(source: Path, out: Path, console: Console, **options: object) -> str:
    known: dict[str, object] = {"layout": "auto", "votes": None, "labels": "fer7", "embed": False}
    request = ImportRequest(source=source, out=out, **(known | {"jobs": 1} | options))  # type: ignore[arg-type]
    run_import(request, console)
    return said(console)


def test_import_says_what_it_took_and_what_not(tmp_path: Path, console: Console) -> None:
    text = bring(trees.ferplus(tmp_path), tmp_path / "a.parquet", console)
    assert "layout ferplus" in text
    assert "skipped 3: contempt (not in fer7)" in text
    assert "skipped 3: no majority of votes" in text
    assert "21 rows in" in text
    assert "warning" not in text
    text = bring(tmp_path, tmp_path / "b.parquet", console, labels="ferplus8")
    assert "contempt" in text
    assert "24 rows in" in text


def test_import_warns_of_what_is_missing(tmp_path: Path, console: Console) -> None:
    root = trees.jaffe(tmp_path)
    (root / "KA.HA1.4.tiff").write_bytes(b"damaged")
    text = bring(root, tmp_path / "a.parquet", console)
    assert "1 image could not be decoded" in text
    assert "warning: jaffe: 70 samples, the official set has 213" in text


def test_missing_files_are_not_called_broken(tmp_path: Path, console: Console) -> None:
    root = trees.voted(tmp_path)
    (root / "images" / "Nobody_0001.jpg").unlink()
    text = bring(root, tmp_path / "a.parquet", console)
    assert "1 file is missing" in text
    assert "decoded" not in text


@pytest.mark.parametrize(
    ("options", "error"),
    [({"layout": "nothing"}, "unknown layout 'nothing'"), ({"labels": "x"}, "unknown label set")],
)
def test_import_with_wrong_options(
    options: dict[str, str], error: str, tmp_path: Path, console: Console
) -> None:
    root = trees.class_folders(tmp_path)
    with pytest.raises((DataError, LabelUnknown), match=error):
        bring(root, tmp_path / "a.parquet", console, **options)
    with pytest.raises(DataError, match=r"ends in \.parquet"):
        bring(root, tmp_path / "a.csv", console)


def test_info_as_text_json_and_picture(
    tmp_path: Path, console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.parquet"
    bring(trees.ck48(tmp_path), path, console)
    show_info(path, sheet=tmp_path / "sheet.png", as_json=False, console=console)
    text = " ".join(said(console).split())
    assert "angry 54 6 0 60" in text
    assert "20, of which 0 are in more than one split" in text
    assert "0 in the table, 360 by path" in text
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[2] == 3
    assert (sheet[:20] == 255).all()
    assert (sheet[-20:] == 255).all()
    show_info(path, sheet=None, as_json=True, console=console)
    figures = json.loads(capsys.readouterr().out)
    assert figures["counts"]["train"]["angry"] == 54
    assert (figures["rows"], figures["groups"], figures["copies"]) == (360, 20, 0)
    with pytest.raises(DataError, match="data import"):
        show_info(tmp_path / "x.csv", sheet=None, as_json=True, console=console)


def test_split_merge_and_export(tmp_path: Path, console: Console) -> None:
    a, b, c = (tmp_path / f"{n}.parquet" for n in "abc")
    bring(trees.ck48(tmp_path), a, console)
    run_split(a, b, SplitOptions(valid=0.2, test=0.2), console)
    text = " ".join(said(console).split())
    assert "20 units" in text
    assert "all 216 72 72 360" in text
    run_merge([a, b], c, labels=None, console=console)
    text = said(console)
    assert "360 from a" in text
    assert "images are in more than one split" in text
    assert "720 rows in" in text
    run_export(b, tmp_path / "out", kind="folders", console=console)
    assert "360 images in" in said(console)
    assert len(list((tmp_path / "out").rglob("*.png"))) == 360
    with pytest.raises(DataError, match="unknown format 'zip'"):
        run_export(b, tmp_path / "out2", kind="zip", console=console)


def own_folder(root: Path, pictures: list[np.ndarray]) -> Path:
    (root / "happy").mkdir(parents=True)
    for i, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(root / "happy" / f"{i:02d}.png")
    return root


def test_import_offers_to_cut_faces_out_of_photographs(tmp_path: Path, console: Console) -> None:
    root = own_folder(tmp_path / "own", [ASTRONAUT, ASTRONAUT[:400], COFFEE, face(200)])
    text = bring(root, tmp_path / "my set.parquet", console)
    assert "warning: in 2 of 3 pictures looked at the face fills less than half" in text
    assert f"pyojeong data faces '{tmp_path}/my set.parquet' --like default --out" in text


def test_import_says_nothing_of_crops(
    tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = bring(
        own_folder(tmp_path / "a", [face(200), face(120)]), tmp_path / "a.parquet", console
    )
    assert "less than half" not in text

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("no detector is needed for images of 48 pixels")

    monkeypatch.setattr("pyojeong.runtime.detection.registry.build_detector", refuse)
    bring(trees.class_folders(tmp_path), tmp_path / "b.parquet", console)


def test_examples_are_evenly_spread(tmp_path: Path) -> None:
    for count in (1, 29, 30, 31, 59, 60, 61, 200):
        root = tmp_path / str(count)
        for i in range(count):
            trees.save(i, root / "happy" / f"{i:03d}.png")
        done = import_dataset(root, tmp_path / "t.parquet", ImportOptions(jobs=1))
        places = [int(Path(s.source).stem) for s in done.examples]
        assert len(places) == min(count, 30) or count > 30
        assert places == sorted(set(places))
        assert len(places) >= 15 or count < 15
        assert max(np.diff([*places, count]), default=1) <= -(-count // 15)


def test_own_names_and_tables_as_people_call_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for i in range(3):
        trees.save(i, tmp_path / "set" / "my folder" / f"p{i}_1.png")
        trees.save(10 + i, tmp_path / "set" / "Bored" / f"p{i}_2.png")
    out = tmp_path / "t.parquet"
    command = ["data", "import", str(tmp_path / "set"), "--out", str(out)]
    words = ["--map", "my folder=sad", "--map", "bored=skip", "--groups", r"^(.*?)_\d+"]
    with pytest.raises(SystemExit) as stopped:
        main([*command, *words])
    assert stopped.value.code == 0
    said = capfd.readouterr().err
    assert "skipped 3: Bored/ (--map)" in said
    assert {r.group for r in read_manifest(out, splits=list(Split))} == {"p0", "p1", "p2"}
    (tmp_path / "t.csv").write_text("photo,mood\nmy folder/p0_1.png,joy\n")
    columns = ["--image-column", "photo", "--label-column", "mood"]
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--table", str(tmp_path / "t.csv"), *columns])
    assert stopped.value.code == 0
    assert "no row of t.csv names 5 images" in capfd.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--map", "my folder=joyless"])
    assert stopped.value.code == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "expected angry, disgust" in said
