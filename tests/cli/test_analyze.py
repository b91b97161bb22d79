"""The whole command on real and broken images: a clear line, the rest goes on, nothing lost."""

import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pyojeong.cli.app import main
from pyojeong.cli.face_table import FaceTable
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7
from pyojeong.output.tables import JsonSink, read_csv, read_json, read_parquet
from pyojeong.runtime.golden import GOLDEN_PICTURE, PICTURES


def run(*args: object) -> int:
    """Exit code of the command, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    return int(stop.value.code or 0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(GOLDEN_PICTURE.read_bytes())
    return path


def test_table_on_stdout(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyze", photo) == 0
    out, err = capsys.readouterr()
    assert "happy" in out
    assert "1 image, 1 face" in err
    assert "share of people who would give the label; base rates: between." in err


def test_a_table_that_is_too_long_names_the_place_of_the_rows(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pyojeong.cli.analyze._MOST_ROWS", 0)
    assert run("analyze", photo) == 0
    assert "1 rows: too many to show; add --format csv or json, or --out" in capsys.readouterr().out
    out = photo.parent / "out"
    assert run("analyze", photo, "--format", "csv", "--format", "json", "--out", out) == 0
    said = capsys.readouterr().out
    assert f"too many to show; they are in {out}/results.csv, {out}/results.jsonl" in said
    assert "--format" not in said


def test_json_on_stdout_is_nothing_but_json(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyze", photo, photo.parent / "missing.jpg", "--format", "json") == 1
    out, err = capsys.readouterr()
    line, failed = out.splitlines()
    assert json.loads(line)["faces"][0]["expression"]["top"] == "happy"
    assert "missing.jpg: no such file" in json.loads(failed)["error"]
    assert "missing.jpg: no such file" in err


def test_fast_says_what_it_misses_and_contradicts_other_detectors(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyze", photo, "--fast") == 0
    assert "it misses most faces narrower" in capsys.readouterr().err
    assert run("analyze", photo, "--fast", "--detector", "mtcnn") == 2
    assert "--fast is a detector of its own" in " ".join(capsys.readouterr().err.split())


def test_turned_photographs_are_read_on_request(photo: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.png"
    with Image.open(photo) as picture:
        picture.rotate(90, expand=True).save(turned)
    assert run("analyze", turned, "--any-rotation", "--out", tmp_path / "out", "-f", "csv") == 0
    table = (tmp_path / "out" / "results.csv").read_text(encoding="utf-8")
    assert "any-rotation" in table
    assert "happy" in table


def test_eyes_on_request(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("analyze", photo, "--out", out, "-f", "csv", "-f", "json", "--eyes") == 0
    (row,) = read_csv(out / "results.csv")
    assert row.faces[0].pose is not None
    assert row.faces[0].eyes is not None
    assert list(read_json(out / "results.jsonl")) == [row]


def test_all_outputs(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    formats = ["--format", "json", "--format", "csv", "--format", "parquet"]
    assert run("analyze", photo, PICTURES / "coffee.jpg", "--out", out, *formats, "--annotate") == 0
    rows = list(read_json(out / "results.jsonl"))
    assert [len(r.faces) for r in rows] == [1, 0]
    assert list(read_csv(out / "results.csv")) == rows
    assert list(read_parquet(out / "results.parquet")) == rows
    assert len(list((out / "annotated").iterdir())) == 2


def test_jobs_do_not_change_the_result(tmp_path: Path) -> None:
    for i in range(6):
        picture = Image.open(GOLDEN_PICTURE).rotate(3 * i)
        picture.save(tmp_path / f"{i}.png")
    assert run("analyze", tmp_path, "--out", tmp_path / "one", "--jobs", 1, "--threads", 1) == 0
    assert run("analyze", tmp_path / "*.png", "--out", tmp_path / "four", "--jobs", 4) == 0
    one, four = (list(read_json(tmp_path / n / "results.jsonl")) for n in ("one", "four"))
    assert one == four
    assert len(one) == 6


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    ident = b"\x89PNG\r\n\x1a\n"
    return (
        ident
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


BROKEN = {
    "empty.jpg": (lambda good: b"", "0 bytes"),
    "cut.jpg": (lambda good: good[: len(good) // 3], "damaged or incomplete"),
    "text.jpg": (lambda good: b"just some words\n" * 20, "not an image"),
    "bomb.png": (lambda good: png_that_claims(20000, 20000), "too large|more than the limit"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gives_a_line_and_the_rest_goes_on(
    name: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, message = BROKEN[name]
    bad = tmp_path / name
    bad.write_bytes(make(photo.read_bytes()))
    out = tmp_path / "out"
    assert run("analyze", bad, photo, "--out", out) == 1
    failed, read = read_json(out / "results.jsonl")
    assert (failed.source, failed.faces) == (str(bad), ())
    assert name in failed.error
    assert (read.source, read.error) == (str(photo), "")
    err = capsys.readouterr().err
    assert name in err
    assert any(part in err for part in message.split("|"))
    assert "Traceback" not in err


def test_missing_path_and_folder_without_pictures(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("analyze", tmp_path / "nowhere", empty, tmp_path / "no*match", photo) == 1
    err = capsys.readouterr().err
    assert "no such file" in err
    assert "no images in this folder" in err
    assert "nothing matches" in err
    assert "3 failed" in err


def test_one_pixel_is_a_picture_without_a_face(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    assert run("analyze", tmp_path / "dot.png", "--out", tmp_path / "out", "--annotate") == 0
    (row,) = read_json(tmp_path / "out" / "results.jsonl")
    assert (row.faces, row.size_wh) == ((), (1, 1))


def modes(photo: Path, folder: Path) -> dict[str, Path]:
    """The same photograph in every odd form."""
    picture = Image.open(photo).convert("RGB")
    wide = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    alpha = picture.copy()
    alpha.putalpha(255)
    turned = Image.Exif()
    turned[0x0112] = 6  # shown turned by 90 degrees clockwise
    palette = picture.quantize(256)
    made = {
        "gray.png": (picture.convert("L"), {}),
        "wide.png": (Image.fromarray(wide), {}),
        "cmyk.jpg": (picture.convert("CMYK"), {}),
        "alpha.png": (alpha, {}),
        "palette.png": (palette, {}),
        "moving.gif": (palette, {"save_all": True, "append_images": [palette.rotate(180)]}),
        "exif.jpg": (picture.rotate(90, expand=True), {"exif": turned}),
    }
    for name, (image, options) in made.items():
        image.save(folder / name, **options)
    return {name: folder / name for name in made}


def test_every_picture_mode_gives_the_right_answer(photo: Path, tmp_path: Path) -> None:
    paths = modes(photo, tmp_path)
    assert run("analyze", photo, *paths.values(), "--out", tmp_path / "out") == 0
    first, *rest = read_json(tmp_path / "out" / "results.jsonl")
    assert len(first.faces) == 1
    for row in rest:
        assert len(row.faces) == 1, row.source
        assert row.size_wh == first.size_wh
        ours, theirs = row.faces[0].expression, first.faces[0].expression
        assert ours is not None
        assert theirs is not None
        assert ours.top[0] == theirs.top[0], row.source
        assert np.abs(ours.scores - theirs.scores).max() < 0.15, row.source


def test_unwritable_folder_is_said_before_any_work(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run("analyze", photo, "--out", tmp_path / "file" / "out") == 1
    err = capsys.readouterr().err
    assert "cannot write" in err
    assert "another --out" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--model", "seresnet-s-fer2013-fer7.v5"], "did you mean 'seresnet-s-fer2013-fer7.v4'"),
        (["--detector", "mtcn"], "did you mean 'mtcnn'"),
        (["--format", "parquet"], "add --out"),
        (["--annotate"], "add --out"),
        (["--format", "xml"], "xml"),
        (["--jobs", "0"], "jobs"),
    ],
)
def test_wrong_usage_is_two(
    args: list[str], message: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyze", photo, *args) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_ctrl_c_between_two_tables_leaves_equal_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(5):
        (folder / f"{i}.jpg").write_bytes(GOLDEN_PICTURE.read_bytes())
    write = JsonSink.write

    def interrupted(self: JsonSink, result: FrameResult, /) -> None:
        write(self, result)
        if result.source.endswith("2.jpg"):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(JsonSink, "write", interrupted)
    out = tmp_path / "out"
    assert run("analyze", folder, "--out", out, "--format", "json", "--format", "csv") == 130
    rows = list(read_json(out / "results.jsonl"))
    assert [Path(row.source).name for row in rows] == ["0.jpg", "1.jpg", "2.jpg"]
    assert list(read_csv(out / "results.csv")) == rows


def test_ctrl_c_leaves_whole_files(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(400):
        (folder / f"{i:03}.jpg").write_bytes(GOLDEN_PICTURE.read_bytes())
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pyojeong", "analyze", folder, "--out", out, "--annotate"]
    process = subprocess.Popen(
        [*map(str, command), "--format", "json", "--format", "csv", "--threads", "1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(out.glob("annotated/*"))) < 5:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    rows = list(read_json(out / "results.jsonl"))
    assert 3 <= len(rows) < 400
    assert list(read_csv(out / "results.csv")) == rows
    assert not list(out.rglob("*.part"))
    for path in out.glob("annotated/*"):
        Image.open(path).load()


def test_damaged_model_file_is_one_line(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyojeong.zoo import BUNDLED, DEFAULT_MODEL

    card, weights = (f"{DEFAULT_MODEL}.{end}" for end in ("card.json", "onnx"))
    (tmp_path / card).write_bytes((BUNDLED / card).read_bytes())
    data = bytearray((BUNDLED / weights).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / weights).write_bytes(data)
    assert run("analyze", photo, "--model", tmp_path / card) == 2
    err = capsys.readouterr().err
    assert "damaged" in err or "sha256" in err


def test_demo(tmp_path: Path) -> None:
    assert run("demo", "--out", tmp_path / "demo") == 0
    rows = list(read_json(tmp_path / "demo" / "results.jsonl"))
    assert [(Path(r.source).name, len(r.faces)) for r in rows] == [
        ("astronaut.jpg", 1),
        ("coffee.jpg", 0),
    ]
    pictures = sorted(p.name for p in (tmp_path / "demo" / "annotated").iterdir())
    assert pictures == ["astronaut.annotated.png", "coffee.annotated.png"]
    assert list(read_csv(tmp_path / "demo" / "results.csv")) == rows


def test_models_and_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["models", "--json"])
    cards = json.loads(capsys.readouterr().out)
    assert "seresnet-s-fer2013-fer7.v4" in {c["id"] for c in cards}
    assert run("doctor") == 0
    assert "FAIL" not in capsys.readouterr().err


def test_base_rates_and_labels_reach_the_results(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--prior", "balanced", "--labels", "ferplus8")
    assert run("analyze", photo, "--out", out, "-f", "csv", *options) == 0
    (result,) = read_csv(out / "results.csv")
    expression = result.faces[0].expression
    assert expression is not None
    assert (expression.prior, expression.label_set.id) == ("balanced", "ferplus8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--prior", "bored"), "unknown prior 'bored'"),
        (("--prior", "happy=0.5"), "no share for angry"),
    ],
)
def test_wrong_base_rates_are_one_line(
    photo: Path, options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyze", photo, *options) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("option", "known"),
    [("--labels", "'fer7', 'ferplus8'"), ("--views", "'1', '2', '10'"), ("--device", "'cuda'"),
     ("--format", "'parquet', 'csv', 'json'")],
)  # fmt: skip
def test_enumerations_name_their_values(
    photo: Path, option: str, known: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("analyze", photo, option, "x") == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert known in said


def put(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(GOLDEN_PICTURE.read_bytes())
    return root


def given(text: str) -> list[int]:
    """Numbers of the last line: given, read, failed, left out."""
    (line,) = [part for part in text.splitlines() if " given = " in part]
    found = re.search(r"([\d,]+) given = ([\d,]+) read \+ ([\d,]+) failed \+ ([\d,]+) left", line)
    assert found is not None
    assert text.rstrip().endswith(line)
    return [int(number.replace(",", "")) for number in found.groups()]


def test_results_are_not_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = put(tmp_path / "photos", "a.jpg", ".Trash-1000/files/b.jpg", "sub/c.JFIF")
    for out in (root, root / "out"):
        for _ in range(3):
            assert run("analyze", root, "--out", out, "--annotate") == 0
            total, read, failed, left_out = given(capsys.readouterr().err)
            assert (read, failed) == (2, 0)
            assert total == read + failed + left_out
        assert sorted(p.name for p in (out / "annotated").iterdir()) == [
            "a.annotated.jpg",
            "c.annotated.jpg",
        ]
    known = json.loads((root / "inputs.json").read_text())
    assert known["given"] == known["read"] + sum(known["left_out"].values())
    assert known["left_out"]["hidden"] == 1


def test_images_of_one_name_never_share_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "photos"
    for i in range(3):
        put(root, f"sub-{i}/face.jpg")
    out = tmp_path / "out"
    assert run("analyze", root, "--out", out, "--annotate", "--jobs", 3) == 0
    assert len({row.source for row in read_json(out / "results.jsonl")}) == 3
    assert sorted(p.name for p in (out / "annotated").iterdir()) == [
        f"sub-{i}_face.annotated.jpg" for i in range(3)
    ]
    shown = capsys.readouterr().out
    assert all(f"sub-{i}/face.jpg" in shown for i in range(3))
    assert shown.count("happy") == 3


def test_a_loop_with_one_folder_of_results_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "sub-1/a.jpg", "sub-2/a.jpg")
    out = tmp_path / "out"
    assert run("analyze", tmp_path / "sub-1", "--out", out) == 0
    before = (out / "results.jsonl").read_bytes()
    capsys.readouterr()
    assert run("analyze", tmp_path / "sub-2", "--out", out) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "name all inputs in one command, choose another --out folder, or add --overwrite" in err
    assert (out / "results.jsonl").read_bytes() == before
    assert run("analyze", tmp_path / "sub-1", tmp_path / "sub-2", "--out", out) == 0
    assert len(list(read_json(out / "results.jsonl"))) == 2
    assert run("analyze", tmp_path / "sub-2", "--out", out, "--overwrite") == 0
    assert len(list(read_json(out / "results.jsonl"))) == 1


def test_what_fails_is_counted_and_a_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = put(tmp_path / "photos", "a.jpg", "closed/b.jpg", "x.jpg/in.jpg")
    (root / "dead.jpg").symlink_to("nowhere")
    (root / "bad.png").write_bytes(b"no")
    (root / os.fsdecode(b"caf\xe9.jpg")).write_bytes(GOLDEN_PICTURE.read_bytes())
    os.mkfifo(root / "pipe.jpg")
    too_long = tmp_path / ("k" * 300 + ".jpg")
    real = os.scandir

    def scandir(path="."):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    out = tmp_path / "out"
    formats = ["-f", "json", "-f", "csv", "-f", "parquet"]
    assert run("analyze", root, too_long, "--out", out, "--annotate", *formats) == 1
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert given(shown.err) == [8, 3, 4, 1]
    rows = list(read_json(out / "results.jsonl"))
    failed = {Path(r.source).name[:6]: r.error for r in rows if r.error}
    assert set(failed) == {"closed", "dead.j", "bad.pn", "kkkkkk"}
    assert "Permission denied" in failed["closed"]
    assert [r.error for r in read_csv(out / "results.csv")] == [r.error for r in rows]
    assert [r.error for r in read_parquet(out / "results.parquet")] == [r.error for r in rows]
    assert json.loads((out / "inputs.json").read_text())["failed"] == 4


def test_very_long_names_can_be_annotated(tmp_path: Path) -> None:
    put(tmp_path, "k" * 251 + ".jpg")
    assert run("analyze", tmp_path, "--out", tmp_path / "out", "--annotate") == 0
    assert len(list((tmp_path / "out" / "annotated").iterdir())) == 1


def test_doubtful_images_are_read_with_a_line_and_counted(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torn, moving, deep = tmp_path / "torn.jpg", tmp_path / "moving.webp", tmp_path / "deep.png"
    torn.write_bytes(photo.read_bytes()[:-200])
    with Image.open(photo) as opened:
        picture = opened.convert("RGB")
    picture.save(moving, save_all=True, append_images=[Image.new("RGB", picture.size)])
    Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 4).save(deep)
    assert run("analyze", photo, torn, moving, deep) == 0
    out, err = capsys.readouterr()
    assert out.count("happy") >= 4
    words = " ".join(err.split())
    assert f"note {torn}: the file breaks off before its end" in words
    assert f"note {moving}: is an animation of 2 frames: the first one is read" in words
    assert f"note {deep}: its 16-bit values reach 1020 only: read as 10-bit values" in words
    assert "4 images, 4 faces, 3 with a note." in words
    assert given(err) == [4, 4, 0, 0]


def test_an_image_that_cannot_be_annotated_is_a_line_and_its_row_is_there(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = put(tmp_path / "photos", "a.jpg", "b.jpg")
    out = tmp_path / "out"
    (out / "annotated" / "a.annotated.jpg").mkdir(parents=True)
    assert run("analyze", root, "--out", out, "--annotate") == 1
    err = capsys.readouterr().err
    (line,) = [line for line in err.splitlines() if line.startswith("failed")]
    assert f"{root / 'a.jpg'}: could not be annotated: " in line
    assert line.endswith("its results are complete")
    assert "2 images, 2 faces, 1 not annotated." in err
    assert given(err)[1:3] == [2, 0]
    assert [row.error for row in read_json(out / "results.jsonl")] == ["", ""]
    assert (out / "annotated" / "b.annotated.jpg").is_file()


def test_an_empty_folder_that_is_called_like_an_image_does_not_stop_the_others(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = put(tmp_path / "photos", "a.jpg")
    (root / "x.jpg").mkdir()
    assert run("analyze", root) == 0
    assert given(capsys.readouterr().err) == [1, 1, 0, 0]
    assert run("analyze", root / "x.jpg", photo) == 1
    err = capsys.readouterr().err
    assert "no images in this folder; it is empty" in err
    assert given(err) == [2, 1, 1, 0]


def test_scores_are_whole_at_80_columns() -> None:
    """Names and boxes give way; a score that is cut off says another number."""
    labels = FER7
    scores = np.full(7, 0.1, np.float32)
    scores[labels.names.index("surprise")], scores[labels.names.index("disgust")] = 0.3, 0.2
    unclear = Expression(scores, labels, 0.9, "between")
    sure = Expression(np.eye(7, dtype=np.float32)[3], labels, 0.5, "between")
    faces = tuple(
        Face(Box(-1014, -1013, 2290, 3115), 0.9, None, expression) for expression in (unclear, sure)
    )
    name = "a-rather-long-name-of-a-photograph.jpg"
    shown = FaceTable(labels, [name], wide=False)
    shown.add(FrameResult(name, 0, 0.0, (4000, 3000), faces))
    console = Console(width=80, file=io.StringIO())
    console.print(shown.table)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for words in ("unclear (surprise?)", "30%", "disgust 20%", "100%", "happy"):
        assert words in text
