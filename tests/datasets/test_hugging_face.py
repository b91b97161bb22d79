"""Hugging Face: imagefolder with metadata.csv or .jsonl, and the Parquet files of datasets."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pyojeong.core.errors import DataError, LabelUnknown, ManifestInvalid
from pyojeong.core.labels import FER7
from pyojeong.datasets.exporting import EXPORTERS
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.samples import Sample, Split, read_manifest


def picture(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 24), f"#{number * 7919 % 2**24:06x}").save(path)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    number = 0
    for split in ("train", "valid", "test"):
        for label in ("happy", "sad"):
            for _ in range(3):
                number += 1
                picture(tmp_path / "set" / split / label / f"p{number}_1.png", number)
    out = tmp_path / "set.parquet"
    import_dataset(tmp_path / "set", out, ImportOptions())
    return out


def rows(path: Path) -> list[Sample]:
    return list(read_manifest(path, splits=list(Split)))


def told(path: Path) -> Counter[tuple[str, str, str]]:
    return Counter((s.content_hash, s.label, s.split.value) for s in rows(path))


@pytest.mark.parametrize("kind", ["imagefolder", "imagefolder-jsonl", "datasets"])
def test_exported_and_imported_again(kind: str, table: Path, tmp_path: Path) -> None:
    done = EXPORTERS[kind](table, tmp_path / "out")
    assert (done.rows, done.unreadable) == (18, 0)
    back = tmp_path / "back.parquet"
    layout = import_dataset(tmp_path / "out", back, ImportOptions()).layout
    assert layout == kind.partition("-")[0]
    assert told(back) == told(table)


def test_the_files_are_those_of_datasets(table: Path, tmp_path: Path) -> None:
    """The names and the metadata by which ``load_dataset`` knows splits, Image and ClassLabel."""
    EXPORTERS["datasets"](table, tmp_path / "out")
    files = sorted(p.name for p in (tmp_path / "out" / "data").iterdir())
    assert files == [f"{s}-00000-of-00001.parquet" for s in ("test", "train", "validation")]
    schema = pq.read_schema(tmp_path / "out" / "data" / files[1])
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"names": list(FER7.names), "_type": "ClassLabel"}
    assert str(schema.field("image").type) == "struct<bytes: binary, path: string>"


def shard(path: Path, names: list[str] | None, labels: list[object], **more: object) -> None:
    image = (Path(__file__).parents[2] / "src/pyojeong/pictures/coffee.jpg").read_bytes()
    cells = [{"bytes": image if more.get("embedded", True) else None, "path": "x.jpg"}] * len(
        labels
    )
    made = pa.table({"image": cells, "label": labels})
    if names is not None:
        about = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        made = made.replace_schema_metadata({"huggingface": json.dumps(about)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(made, path)


def test_labels_by_name_and_by_number(tmp_path: Path) -> None:
    shard(tmp_path / "a" / "train-00000-of-00002-0abc.parquet", ["Happiness", "기쁨"], [0, 1, None])
    shard(tmp_path / "a" / "train-00001-of-00002-0abd.parquet", None, ["sad", "happy"])
    shard(tmp_path / "a" / "validation-00000-of-00001.parquet", None, ["sad"])
    out = tmp_path / "o.parquet"
    done = import_dataset(tmp_path / "a", out, ImportOptions())
    found = [(s.label, s.split.value) for s in rows(out)]
    train = ["happy", "happy", "sad", "happy"]
    assert found == [*((label, "train") for label in train), ("sad", "valid")]
    assert done.skipped == {"no label": 1}
    one = import_dataset(tmp_path / "a" / "validation-00000-of-00001.parquet", out, ImportOptions())
    assert one.rows == 1


def test_what_is_not_known_is_an_error(tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    shard(tmp_path / "a.parquet", None, [3, 4])
    with pytest.raises(DataError, match="does not say what they mean"):
        import_dataset(tmp_path / "a.parquet", out, ImportOptions())
    shard(tmp_path / "b.parquet", ["bored", "happy"], [0, 1])
    with pytest.raises(LabelUnknown, match="bored"):
        import_dataset(tmp_path / "b.parquet", out, ImportOptions())
    shard(tmp_path / "c.parquet", None, ["happy"], embedded=False)
    with pytest.raises((ManifestInvalid, DataError), match=r"embedded|known layout"):
        import_dataset(tmp_path / "c.parquet", out, ImportOptions())
    assert not out.exists()


def test_quoted_headers_and_two_tables(tmp_path: Path) -> None:
    train = tmp_path / "im" / "train"
    picture(train / "a, b.png", 1)
    picture(train / "c.png", 2)
    (train / "metadata.csv").write_text('"file_name","label"\n"a, b.png","happy"\nc.png,sad\n')
    out = tmp_path / "o.parquet"
    assert import_dataset(tmp_path / "im", out, ImportOptions()).rows == 2
    (train / "metadata.jsonl").write_text('{"file_name": "c.png", "label": "sad"}\n')
    with pytest.raises(DataError, match="delete the one that is not meant"):
        import_dataset(tmp_path / "im", out, ImportOptions())
    (train / "metadata.csv").unlink()
    (train / "metadata.jsonl").write_text('{"file_name": "c.png", "label": "sad"}\nnot json\n')
    with pytest.raises(ManifestInvalid, match=r"row 1: .*no line of JSON"):
        import_dataset(tmp_path / "im", out, ImportOptions())
