"""Tables and lists of others name files inside their data set only; archives are bounded."""

import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import FER7
from pyojeong.datasets import unpacking
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.named_files import leads_out
from pyojeong.datasets.own_pictures import OwnOptions
from pyojeong.datasets.samples import Sample, Split, read_manifest, write_manifest
from tests.datasets import trees


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture of this machine that no data set should hold."""
    trees.save(999, tmp_path / "private" / "secret.png")
    trees.save(998, tmp_path / "private" / "train_secret.png")
    return tmp_path / "private" / "secret.png"


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("a.png", False), ("sub/a.png", False), ("sub/../a.png", False), ("..a.png", False),
        ("../a.png", True), ("sub/../../a.png", True), ("/etc/a.png", True), ("a\0.png", True),
        ("..", True), (".", True), ("", True), ("../setx/a.png", True),
        ("..\\a.png", True), ("sub\\..\\..\\a.png", True), ("sub\\a.png", False),
    ],
)  # fmt: skip
def test_what_leads_out(tmp_path: Path, name: str, out: bool) -> None:
    assert leads_out(tmp_path / "set", name) is out
    if not name.startswith("/") and name:
        assert leads_out(tmp_path / "set", tmp_path / "set" / name) is out


def listed(kind: str, root: Path, names: list[str]) -> None:
    """Add rows that name files to the table of a data set."""
    files = {
        "imagefolder": (root / "train" / "metadata.csv", "{},happy"),
        "ferplus": (root / "data/FER2013Train/label.csv", '{},"(0,0,1,1)",0,10,0,0,0,0,0,0,0,0'),
        "rafdb": (root / "EmoLabel" / "list_patition_label.txt", "{} 4"),
        "affectnet": (
            root / "Manually_Annotated_file_lists" / "training.csv", "\n{},0,0,9,9,1,1,-2,-2"
        ),
        "expw": (root / "label" / "label.lst", "{} 0 5 10 40 25 49.5 3"),
    }  # fmt: skip
    file, row = files[kind]
    with file.open("a") as stream:
        stream.writelines(row.format(name) + "\n" for name in names)


@pytest.mark.parametrize("kind", ["imagefolder", "ferplus", "rafdb", "affectnet", "expw"])
def test_rows_that_lead_out_are_left_out_and_counted(
    tmp_path: Path, secret: Path, kind: str
) -> None:
    root = trees.TREES[kind](tmp_path)
    before = import_dataset(root, tmp_path / "before.parquet", ImportOptions())
    up = "/".join([".."] * 6)
    back = "\\".join([".."] * 6)
    names = [f"{up}{secret}", str(secret), f"{back}\\{secret.name}"]
    if kind == "rafdb":
        names = [f"train_x/{up}/{up}{secret}", f"train_x\\{back}\\{back}\\{secret.name}"]
    listed(kind, root, names)
    after = import_dataset(root, tmp_path / "after.parquet", ImportOptions())
    assert after.rows == before.rows
    (count,) = [n for why, n in after.skipped.items() if "leads out of the folder" in why]
    assert count == len(names)
    rows = list(read_manifest(tmp_path / "after.parquet", splits=list(Split)))
    assert not any(row.path and "private" in row.path for row in rows)
    assert not any("secret" in row.source for row in rows)


def test_rows_lead_out_of_a_folder_that_is_named_from_here(
    tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trees.save(1, Path("set/train/a.png"))
    listed = f"file_name,label\na.png,happy\n../../{secret.relative_to(tmp_path)},sad\n"
    Path("set/train/metadata.csv").write_text(listed)
    done = import_dataset(Path("set"), Path("out.parquet"), ImportOptions())
    assert done.rows == 1
    assert any("leads out" in why for why in done.skipped)


def test_a_table_of_labels(tmp_path: Path, secret: Path) -> None:
    folder = tmp_path / "mine"
    for k, label in enumerate(trees.FER7_NAMES):
        trees.save(k, folder / f"{label}.png")
    inside = folder / "sad.png"
    lines = [f"{label}.png,{label}" for label in trees.FER7_NAMES if label != "sad"]
    lines += [f"{inside},sad", f"../private/{secret.name},happy", f"{secret},happy"]
    lines += [
        f"{up}private\\{secret.name},happy" for up in ("..\\", "sub\\..\\..\\", "sub/..\\../")
    ]
    table = folder / "labels.csv"
    table.write_text("file,label\n" + "\n".join(lines) + "\n")
    options = ImportOptions(own=OwnOptions(table=table))
    done = import_dataset(folder, tmp_path / "out.parquet", options)
    assert done.rows == 7
    (why,) = [why for why in done.skipped if "leads out" in why]
    assert done.skipped[why] == 5
    assert secret.name in why
    rows = list(read_manifest(tmp_path / "out.parquet", splits=list(Split)))
    assert not any("secret" in f"{row.path}{row.source}" for row in rows)
    table.write_text(f"file,label\n{secret},happy\n")
    with pytest.raises(DataError, match="outside of"):
        import_dataset(folder, tmp_path / "none.parquet", options)


@pytest.mark.parametrize("name", ["..", "..\\secret.png", ""])
def test_photographs_with_votes_lie_in_their_folder(tmp_path: Path, name: str) -> None:
    root = trees.voted(tmp_path)
    with (root / "labels.csv").open("a") as stream:
        stream.write(f"{name},happiness,0,9,0,0,0,0,0,0,0\n")
    with pytest.raises(ManifestInvalid, match="name of a file in images/"):
        import_dataset(root, tmp_path / "out.parquet", ImportOptions())


def test_links_inside_the_folder_are_followed(tmp_path: Path, secret: Path) -> None:
    root = trees.imagefolder(tmp_path)
    (root / "train" / "linked.png").symlink_to(secret)
    listed("imagefolder", root, ["linked.png"])
    done = import_dataset(root, tmp_path / "out.parquet", ImportOptions())
    assert done.rows == 22
    assert not done.skipped


def test_a_table_whose_paths_depend_on_the_working_folder(tmp_path: Path) -> None:
    table = tmp_path / "a.parquet"
    sample = Sample(label="happy", split=Split.TRAIN, path="../private/secret.png")
    write_manifest(table, [sample], FER7)
    with pytest.raises(ManifestInvalid, match="leads out of the working folder"):
        list(read_manifest(table, splits=list(Split)))


def packed(csv: Path, kind: str) -> Path:
    """The table of FER2013 inside an archive, after members that are no tables."""
    target = csv.with_name(f"set{kind}")
    if kind == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("../../evil.txt", b"x")
            archive.writestr("/abs/evil.txt", b"x")
            archive.write(csv, "fer2013/fer2013.csv")
    else:
        with tarfile.open(target, "w" + {".tar": ""}.get(kind, ":gz")) as archive:
            link = tarfile.TarInfo("link/fer2013.csv")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
            evil = tarfile.TarInfo("../../evil.txt")
            evil.size = 1
            archive.addfile(evil, io.BytesIO(b"x"))
            archive.add(csv, "fer2013/fer2013.csv")
    return target


@pytest.mark.parametrize("kind", [".zip", ".tar", ".tar.gz", ".tgz"])
def test_archives_write_nothing_and_links_in_them_are_not_followed(
    tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    target = packed(trees.fer2013_csv(folder), kind)
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path.parent / f"{tmp_path.name}.parquet"
    assert import_dataset(target, out, ImportOptions()).rows == 21
    assert [p for p in sorted(tmp_path.rglob("*")) if p not in before] == []
    assert not Path("/abs/evil.txt").exists()


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".csv.gz", ".csv.xz"])
@pytest.mark.parametrize("filling", [b"0", b"1,2\n"])
def test_what_unpacks_without_end_is_refused(
    tmp_path: Path, kind: str, filling: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MOST_LINE", 2**20)
    monkeypatch.setattr(
        unpacking.Bounded.__init__, "__kwdefaults__", {"lines": True, "most": 2**22}
    )
    monkeypatch.setattr(unpacking, "MOST_UNPACKED", 2**22)
    head = b"emotion,pixels,Usage\n"
    data = head + filling * (2**24 // len(filling))
    target = tmp_path / f"fer2013{kind}"
    if kind == ".zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("fer2013.csv", data)
    elif kind == ".tar.gz":
        with tarfile.open(target, "w:gz") as archive:
            member = tarfile.TarInfo("fer2013.csv")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    else:
        target.write_bytes(gzip.compress(data) if kind == ".csv.gz" else lzma.compress(data))
    with pytest.raises(DataError) as caught:
        import_dataset(target, tmp_path / "out.parquet", ImportOptions(layout="fer2013"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.parquet").exists()


def test_a_line_without_end_is_no_table(tmp_path: Path) -> None:
    root = trees.imagefolder(tmp_path)
    with (root / "train" / "metadata.csv").open("ab") as stream:
        stream.write(b"x" * (unpacking.MOST_LINE + 2**19))
    with pytest.raises(DataError, match="a line of more than 16 MB"):
        import_dataset(root, tmp_path / "out.parquet", ImportOptions())
