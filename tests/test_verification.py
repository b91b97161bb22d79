"""`pyojeong doctor FOLDER` notices whatever is not what was written."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from pyojeong import zoo
from pyojeong.cli.app import main
from pyojeong.core.errors import DataError, ExperimentError
from pyojeong.core.json_record import read_record, write_record
from pyojeong.curate.decisions import Decision, DecisionLog
from pyojeong.curate.findings import Finding, Store
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.runtime.golden import GOLDEN_PICTURE
from pyojeong.training.weight_digests import note_digest
from pyojeong.verification import verify_path
from tests.datasets import trees
from tests.video.made import make_clip

FLIPS = 60
"""Of each kind of file; ``make robustness`` tries more."""


class Check:
    name, states, threshold = "blurred", "is blurred", 0.5

    def settings(self) -> dict[str, object]:
        return {"threshold": 0.5}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of everything that commands store."""
    root = tmp_path_factory.mktemp("stored")
    clip = make_clip(root / "walk.mp4")
    video = ["video", str(clip), "--out", str(root / "video"), "--no-pictures", "-f", "csv"]
    analyze = ["analyze", str(GOLDEN_PICTURE), "--out", str(root / "photos"), "--annotate"]
    for command in ([*video, "-f", "parquet", "-f", "json"], analyze):
        with pytest.raises(SystemExit) as end:
            main(command)
        assert not end.value.code
    table = root / "set.parquet"
    import_dataset(trees.class_folders(root / "set"), table, ImportOptions())
    store = Store.beside(table)
    check = Check()
    store.start(check)
    store.add_part("blurred", "all", [Finding(row=1, check="blurred", score=0.75)])
    store.finish("blurred", {"rows": store.size})
    DecisionLog(store, "anna").add(
        [
            Decision(row=1, action="drop", reviewer="anna"),
            Decision(row=2, action="keep", reviewer=""),
        ]
    )
    models = root / "models"
    models.mkdir()
    for name in ("writing-any-made.v1.card.json", "writing-any-made.v1.onnx"):
        shutil.copy(zoo.BUNDLED / name, models)
    return root


def test_what_was_written_is_right(stored: Path) -> None:
    found = list(verify_path(stored))
    assert [f for f in found if not f.ok] == []
    kinds = {f.path.name for f in found}
    assert kinds >= {
        "done.json", "inputs.json", "results.parquet", "set.parquet", "store.json", "anna.jsonl",
        "part-all.parquet", "settings.json", "writing-any-made.v1.card.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "video/walk/results.csv", "video/walk/results.jsonl", "video/walk/results.parquet",
        "video/walk/summary.json", "video/walk/done.json", "photos/results.jsonl",
        "photos/inputs.json", "photos/annotated/*", "set.parquet", "set.curation/store.json",
        "set.curation/findings/blurred/settings.json", "set.curation/decisions/anna.jsonl",
        "set.curation/findings/blurred/part-all.parquet", "models/writing-any-made.v1.onnx",
    ],
)  # fmt: skip
def test_flipped_bits_are_found(stored: Path, name: str) -> None:
    (file,) = stored.glob(name)
    folder = stored / Path(name).parts[0] if "/" in name else file
    whole = file.read_bytes()
    rng = random.Random(name)
    try:
        for _ in range(FLIPS):
            at = rng.randrange(8 * len(whole))
            data = bytearray(whole)
            data[at // 8] ^= 1 << at % 8
            file.write_bytes(data)
            if all(f.ok for f in verify_path(folder)):
                assert harmless(file, whole, bytes(data)), at
    finally:
        file.write_bytes(whole)


def harmless(file: Path, before: bytes, after: bytes) -> bool:
    """Return whether a flip changed nothing that is said, or whoever reads it gets an error."""
    if file.suffix == ".parquet":
        return True  # what readers get is compared in tests/test_parquet.py
    try:
        return said(file, before) == said(file, after)
    except ValueError:
        return True


def said(file: Path, data: bytes) -> list[dict[str, object]]:
    """Return JSON objects without their checksums, whose names may be damaged too."""
    lines = data.splitlines() if file.suffix == ".jsonl" else [data]
    objects = [json.loads(line) for line in lines]
    return [{k: v for k, v in one.items() if not isinstance(v, str) or len(v) not in {8, 16}}
            for one in objects]  # fmt: skip


def test_gone_and_changed_files_are_named(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(stored / "photos", folder)
    (folder / "results.jsonl").unlink()
    with pytest.raises(SystemExit) as end:
        main(["doctor", str(folder)])
    assert end.value.code == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "FAIL" in said
    assert "inputs.json: gone or changed since: results.jsonl" in said
    assert "files: 1 given = 0 read + 1 failed + 0 left out" in said
    with pytest.raises(SystemExit) as end:
        main(["doctor", str(tmp_path / "photos" / "annotated")])
    assert not end.value.code
    assert "nothing that pyojeong stores" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(DataError, match="no such file or folder"):
        list(verify_path(tmp_path / "nowhere"))


def test_changed_pictures_of_a_data_set(stored: Path, tmp_path: Path) -> None:
    source = trees.class_folders(tmp_path / "set")
    table = tmp_path / "set.parquet"
    import_dataset(source, table, ImportOptions())
    first, second = sorted(source.rglob("*.png"))[:2]
    trees.save(77, first)
    (found,) = verify_path(table)
    assert not found.ok
    assert "1 image changed after" in found.detail
    second.unlink()
    (found,) = verify_path(table)
    assert "missing" in found.detail


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("inputs.json", "[1, 2]", "expected a JSON object"),
        ("done.json", '{"outputs": [1]}', "outputs are names with their digests"),
        ("done.json", '{"outputs": {"a": 1}}', ""),
        ("best.ckpt.sha256.json", '["sha256"]', "expected a JSON object"),
        ("best.ckpt.sha256.json", '{"sha256": 3}', "it holds no digests"),
        ("x.json", '{"checksum":' + "[" * 10**5, "nested too deeply"),
        ("x.card.json", "[" * 10**5, ""),
        ("decisions/a.jsonl", "[" * 10**5 + "\n", ""),
    ],
)
def test_records_of_another_form_are_one_line(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    (found,) = verify_path(tmp_path)
    assert not found.ok
    assert said in found.detail
    assert "\n" not in found.detail


@pytest.mark.parametrize(
    "name",
    ["a.parquet", "a.card.json", "done.json", "inputs.json", "s.parquet.test_split.jsonl",
     "decisions/a.jsonl", "best.ckpt", "x.json", "experiment.toml", "curves.jsonl"],
)  # fmt: skip
def test_pipes_and_devices_are_not_read(tmp_path: Path, name: str) -> None:
    write_record(tmp_path / "result.json", {"name": "x", "status": "finished", "curves": []})
    (tmp_path / "checkpoints").mkdir()
    note_digest(tmp_path / "best.ckpt", b"weights")
    if name != "best.ckpt":
        (tmp_path / "best.ckpt").write_bytes(b"weights")
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        make(file)
        bad = {found.path.name: found.detail for found in verify_path(tmp_path) if not found.ok}
        others = {"x.json", "curves.jsonl"}  # nothing that a command writes by that name alone
        assert bad == ({} if name in others else {file.name: "is not an ordinary file"})
        file.unlink()


def test_weights_of_runs_are_compared_with_their_digests(tmp_path: Path) -> None:
    weights = tmp_path / "best.ckpt"
    weights.write_bytes(b"weights")
    note_digest(weights, b"weights")
    (found,) = verify_path(tmp_path)
    assert found.ok
    weights.write_bytes(b"weighty")
    (found,) = verify_path(tmp_path)
    assert not found.ok
    assert found.path == weights


def test_no_bit_of_a_stored_record_can_be_flipped(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    write_record(file, {"threshold": 0.5, "checks": "0123456789abcdef"})
    whole = file.read_bytes()
    (found,) = verify_path(file)
    assert (found.ok, found.checksum) == (True, True)
    known = json.loads(whole)
    for at in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        file.write_bytes(flipped)
        try:
            same = json.loads(flipped) == known  # a bit of white space
        except ValueError:
            same = False
        if not same:
            with pytest.raises(ExperimentError, match="is damaged"):
                read_record(file, cure="make it again")
