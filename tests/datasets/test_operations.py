"""Fingerprints, splitting, merging, exporting: nothing leaks, nothing is lost."""

import csv
import io
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pyojeong.core.atomic_write import _HOST
from pyojeong.core.errors import DataError, OutputBusy, OutputError
from pyojeong.core.labels import FER7, FERPLUS8, LabelSet
from pyojeong.core.one_writer import one_writer
from pyojeong.datasets.exporting import EXPORTERS, export_class_folders
from pyojeong.datasets.fingerprint import fingerprinted, pixels_of
from pyojeong.datasets.importing import ImportOptions, import_dataset
from pyojeong.datasets.merging import merge
from pyojeong.datasets.overview import overview
from pyojeong.datasets.samples import Sample, Split, manifest_labels, read_manifest, write_manifest
from pyojeong.datasets.splitting import SplitOptions, split
from pyojeong.image.features import content_hash, perceptual_hash
from tests.datasets import trees

ALL = list(Split)


def rows(path: Path) -> list[Sample]:
    return list(read_manifest(path, splits=ALL))


def numbered(count: int, *, labels: LabelSet = FER7, size: int = 48) -> list[Sample]:
    return [
        Sample(
            label=labels.names[i % len(labels)],
            split=ALL[i % 3],
            image=trees.png(np.asarray(trees.face(i, (size, size)))),
            source=f"set:{i}",
        )
        for i in range(count)
    ]


def table(path: Path, samples: list[Sample], labels: LabelSet = FER7) -> Path:
    write_manifest(path, fingerprinted(samples, jobs=1), labels)
    return path


@pytest.mark.parametrize("jobs", [1, 3])
def test_fingerprints_keep_the_order_and_are_those_of_the_pixels(jobs: int) -> None:
    samples = numbered(150)
    out = list(fingerprinted(iter(samples), jobs=jobs))
    assert [replace(s, content_hash="", phash=None) for s in out] == samples
    for sample in out[::50]:
        assert sample.content_hash == content_hash(pixels_of(sample))
        assert sample.phash == perceptual_hash(pixels_of(sample))
    assert len({s.content_hash for s in out}) == 150


def test_fingerprinting_reads_no_further_than_needed() -> None:
    taken = 0

    def source() -> Iterator[Sample]:
        nonlocal taken
        for sample in numbered(1) * 5000:
            taken += 1
            yield sample

    stream = fingerprinted(source(), jobs=2)
    next(stream)
    assert taken < 400
    stream.close()  # type: ignore[attr-defined]


def test_paths_become_absolute_or_pictures_come_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trees.save(1, Path("a.png"))
    sample = Sample(label="sad", split=Split.TRAIN, path="a.png")
    gone = Sample(label="sad", split=Split.TRAIN, path="gone.png")
    by_path, missing = fingerprinted([sample, gone])
    assert by_path.path == str(tmp_path / "a.png")
    assert (missing.content_hash, missing.phash) == ("", None)
    inside, missing = fingerprinted([sample, gone], embed=True)
    assert (inside.image, inside.path) == (Path("a.png").read_bytes(), None)
    assert inside.content_hash == by_path.content_hash
    assert missing.path == str(tmp_path / "gone.png")


def bare(count: int, groups: list[int], copies: list[int]) -> list[Sample]:
    return [
        Sample(
            label=FER7.names[i % 3],
            split=ALL[i % 3],
            path=f"{i}.png",
            group=f"g{groups[i]}" if groups[i] else "",
            content_hash=f"c{copies[i]}",
            phash=0,
            source=str(i),
        )
        for i in range(count)
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), seed=st.integers(0, 9), valid=st.sampled_from([0.0, 0.1, 0.4]))
def test_groups_and_equal_pictures_never_straddle(
    data: st.DataObject, seed: int, valid: float, tmp_path: Path
) -> None:
    count = data.draw(st.integers(1, 60))
    some = st.lists(st.integers(0, 30), min_size=count, max_size=count)
    samples = bare(count, data.draw(some), data.draw(some))
    write_manifest(tmp_path / "a.parquet", samples, FER7)
    split(tmp_path / "a.parquet", tmp_path / "b.parquet", SplitOptions(valid=valid, seed=seed))
    out = rows(tmp_path / "b.parquet")
    assert [replace(s, split=Split.TRAIN) for s in out] == [
        replace(s, split=Split.TRAIN) for s in samples
    ]
    for key in ("group", "content_hash"):
        found: dict[str, set[Split]] = {}
        for sample in out:
            found.setdefault(getattr(sample, key), set()).add(sample.split)
        found.pop("", None)
        assert all(len(splits) == 1 for splits in found.values())


def test_split_is_stratified_and_depends_on_the_seed_alone(tmp_path: Path) -> None:
    samples = bare(3000, [0] * 3000, list(range(3000)))
    write_manifest(tmp_path / "a.parquet", samples, FER7)
    made = {}
    for name, seed in (("b", 1), ("c", 1), ("d", 2)):
        done = split(
            tmp_path / "a.parquet",
            tmp_path / f"{name}.parquet",
            SplitOptions(valid=0.2, test=0.1, seed=seed),
        )
        made[name] = [s.split for s in rows(tmp_path / f"{name}.parquet")]
        for label in FER7.names[:3]:
            assert done.counts[Split.VALID, label] == 200
            assert done.counts[Split.TEST, label] == 100
    assert made["b"] == made["c"] != made["d"]


def test_people_are_dealt_out_in_about_the_asked_shares(tmp_path: Path) -> None:
    samples = bare(1000, [1 + i // 10 for i in range(1000)], list(range(1000)))
    write_manifest(tmp_path / "a.parquet", samples, FER7)
    done = split(tmp_path / "a.parquet", tmp_path / "b.parquet", SplitOptions())
    sizes = {s: sum(n for (t, _), n in done.counts.items() if t is s) for s in Split}
    assert done.units == 100
    assert sizes == {Split.TRAIN: 800, Split.VALID: 100, Split.TEST: 100}


def test_keep_test_refuses_leaks_or_drops_them(tmp_path: Path) -> None:
    groups = [0] * 30
    groups[2], groups[3] = 5, 5  # row 2 is a test row
    write_manifest(tmp_path / "a.parquet", bare(30, groups, list(range(30))), FER7)
    keep = SplitOptions(keep_test=True, valid=0.2)
    with pytest.raises(DataError, match=r"1 rows outside.*rows 3\).*--drop-leaks"):
        split(tmp_path / "a.parquet", tmp_path / "b.parquet", keep)
    assert not (tmp_path / "b.parquet").exists()
    done = split(tmp_path / "a.parquet", tmp_path / "b.parquet", replace(keep, drop_leaks=True))
    out = {s.source: s.split for s in rows(tmp_path / "b.parquet")}
    assert done.dropped == 1
    assert "3" not in out
    assert {n for n, s in out.items() if s is Split.TEST} == {str(i) for i in range(2, 30, 3)}


def test_tables_without_fingerprints_are_split_by_bytes(tmp_path: Path) -> None:
    samples = [replace(s, image=b"%d" % (i // 2)) for i, s in enumerate(numbered(60))]
    write_manifest(tmp_path / "a.parquet", samples, FER7)
    split(tmp_path / "a.parquet", tmp_path / "b.parquet", SplitOptions(valid=0.3, test=0.3))
    out = [s.split for s in rows(tmp_path / "b.parquet")]
    assert out[::2] == out[1::2]


@pytest.mark.parametrize("shares", [(0.5, 0.5), (-0.1, 0.3), (0.0, 0.0)])
def test_impossible_shares(shares: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="shares"):
        SplitOptions(valid=shares[0], test=shares[1])


def test_the_original_is_never_overwritten(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", numbered(9))
    with pytest.raises(DataError, match="never overwritten"):
        split(path, path, SplitOptions())
    with pytest.raises(DataError, match="never overwritten"):
        merge([path, table(tmp_path / "b.parquet", numbered(3))], path)


def test_merge_keeps_sources_and_people_apart(tmp_path: Path) -> None:
    people = [replace(s, group="S001") for s in numbered(6)]
    others = [replace(s, source=f"other {s.source}") for s in people]
    a = table(tmp_path / "a.parquet", people)
    b = table(tmp_path / "x" / "a.parquet", others)
    done = merge([a, b], tmp_path / "m.parquet")
    out = rows(tmp_path / "m.parquet")
    assert done.sources == {"a": 6, "a-2": 6}
    assert (done.rows, done.leaks) == (12, 0)
    assert len({s.source for s in out}) == 12
    assert {s.group for s in out} == {"a/S001", "a-2/S001"}
    assert [s.image for s in out] == [s.image for s in people] * 2


def test_merge_refuses_the_same_rows_twice(tmp_path: Path) -> None:
    a = table(tmp_path / "a.parquet", numbered(6))
    copy = table(tmp_path / "copy.parquet", numbered(6))
    (tmp_path / "link.parquet").symlink_to(a)
    for again in (a, copy, tmp_path / "link.parquet"):
        with pytest.raises(DataError, match=r"holds the same rows as .*name it once"):
            merge([a, again], tmp_path / "m.parquet")


def test_merge_counts_pictures_in_several_splits(tmp_path: Path) -> None:
    a = table(tmp_path / "a.parquet", numbered(6))
    moved = [replace(s, split=Split.TRAIN) for s in numbered(6)]
    done = merge([a, table(tmp_path / "b.parquet", moved)], tmp_path / "m.parquet")
    assert done.leaks == 4


def test_merge_of_other_label_sets(tmp_path: Path) -> None:
    a = table(tmp_path / "a.parquet", numbered(7))
    b = table(tmp_path / "b.parquet", numbered(16, labels=FERPLUS8), FERPLUS8)
    with pytest.raises(DataError, match=r"b\.parquet has ferplus8.*contempt.*--labels fer7"):
        merge([a, b], tmp_path / "m.parquet")
    done = merge([a, b], tmp_path / "m.parquet", labels=FER7)
    assert done.skipped == {"contempt (not in fer7)": 2}
    assert manifest_labels(tmp_path / "m.parquet") == FER7
    named = [s.label for s in rows(tmp_path / "m.parquet")][7:]
    assert named == [n for n in FERPLUS8.names * 2 if n != "contempt"]
    with pytest.raises(DataError, match="cannot become ferplus8"):
        merge([a, b], tmp_path / "n.parquet", labels=FERPLUS8)
    with pytest.raises(DataError, match="two or more"):
        merge([a], tmp_path / "n.parquet")


@pytest.mark.parametrize("kind", EXPORTERS)
@pytest.mark.parametrize("splits", [ALL, [Split.TRAIN, Split.TEST]], ids=["all", "no valid"])
def test_what_is_exported_is_imported_again(kind: str, splits: list[Split], tmp_path: Path) -> None:
    samples = [s for s in numbered(60) if s.split in splits]
    path = table(tmp_path / "a.parquet", samples)
    out = tmp_path / ("fer2013.csv" if kind == "fer2013" else "out")
    assert EXPORTERS[kind](path, out).rows == len(samples)
    import_dataset(out, tmp_path / "b.parquet", ImportOptions(embed=True))

    def seen(table_: Path) -> list[tuple[str, str, str]]:
        return sorted((s.content_hash, s.label, s.split.value) for s in rows(table_))

    assert seen(path) == seen(tmp_path / "b.parquet")


def test_no_two_pictures_of_one_name_collide(tmp_path: Path) -> None:
    samples = [replace(s, source=f"x/{i}/Training_1.jpg") for i, s in enumerate(numbered(12))]
    path = table(tmp_path / "a.parquet", samples)
    EXPORTERS["folders"](path, tmp_path / "out")
    files = [f for f in (tmp_path / "out").rglob("*") if f.is_file()]
    assert len(files) == 12
    assert all(f.name.endswith("_Training_1.png") for f in files)


def test_fer2013_export_is_48_gray(tmp_path: Path) -> None:
    color = trees.png(np.asarray(trees.face(1, (60, 90), color=True)))
    path = table(tmp_path / "a.parquet", [Sample(label="sad", split=Split.VALID, image=color)])
    EXPORTERS["fer2013"](path, tmp_path / "f.csv")
    with (tmp_path / "f.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["emotion"], row["Usage"]) == ("4", "PublicTest")
    assert len(row["pixels"].split()) == 2304
    eight = table(tmp_path / "b.parquet", numbered(8, labels=FERPLUS8), FERPLUS8)
    with pytest.raises(DataError, match="fer7"):
        EXPORTERS["fer2013"](eight, tmp_path / "g.csv")
    with pytest.raises(OutputError, match="there already"):
        EXPORTERS["fer2013"](path, tmp_path / "f.csv")


@pytest.mark.parametrize("kind", ["folders", "imagefolder"])
def test_export_is_whole_or_not_at_all(kind: str, tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", numbered(9))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="not an empty folder"):
        EXPORTERS[kind](path, tmp_path / "full")
    (tmp_path / "empty").mkdir()

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        EXPORTERS[kind](path, tmp_path / "empty", tick=stop)
    assert not list((tmp_path / "empty").iterdir())
    assert {p.name for p in tmp_path.iterdir()} == {"a.parquet", "full", "empty"}
    assert EXPORTERS[kind](path, tmp_path / "empty").rows == 9


@pytest.mark.parametrize("kind", EXPORTERS)
def test_one_process_writes_an_export(kind: str, tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", numbered(9))
    out = tmp_path / "out"
    with one_writer(out), pytest.raises(OutputBusy, match="another process"):
        EXPORTERS[kind](path, out)
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    stale = tmp_path / f".out.{_HOST}-{int(done.stdout)}-0123abcd.part"
    stale.write_text("of a process that was killed")
    assert EXPORTERS[kind](path, out).rows == 9
    assert {p.name for p in tmp_path.iterdir()} == {"a.parquet", "out"}


def test_export_leaves_out_what_cannot_be_decoded(tmp_path: Path) -> None:
    bad = Sample(label="sad", split=Split.TRAIN, image=b"junk", source="junk")
    path = table(tmp_path / "a.parquet", [*numbered(3), bad])
    done = EXPORTERS["folders"](path, tmp_path / "out")
    assert (done.rows, done.unreadable) == (3, 1)
    only = table(tmp_path / "b.parquet", [bad])
    with pytest.raises(DataError, match="none of the 1 images"):
        EXPORTERS["folders"](only, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_jpeg_pixels_survive_an_export(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (200, 30, 90)).save(tmp_path / "a.jpg")
    sample = Sample(label="sad", split=Split.TRAIN, path=str(tmp_path / "a.jpg"), source="a.jpg")
    EXPORTERS["folders"](table(tmp_path / "a.parquet", [sample]), tmp_path / "out")
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "out/train/sad/0000000_a.png")),
        np.asarray(Image.open(tmp_path / "a.jpg")),
    )


def test_overview_counts_copies_and_people(tmp_path: Path) -> None:
    samples = numbered(12)
    samples += [
        replace(samples[0], source="again"),
        replace(samples[1], source="elsewhere", split=Split.TRAIN),
        replace(samples[2], source="otherwise", label="sad"),
        Sample(label="sad", split=Split.TRAIN, image=b"junk", votes=(1,) * 10),
    ]
    samples[3:5] = [replace(s, group="p") for s in samples[3:5]]
    known = overview(table(tmp_path / "a.parquet", samples))
    assert (known.rows, known.unreadable, known.votes) == (16, 1, 1)
    assert (known.copies, known.copies_across, known.copies_contradicting) == (3, 2, 2)
    assert (known.groups, known.groups_across) == (1, 1)
    assert Counter(s.split for s in samples) == {s: known.total(split=s) for s in Split}
    assert sum(known.as_json()["counts"]["train"].values()) == known.total(split=Split.TRAIN)


def test_exported_images_are_those_that_were_seen(tmp_path: Path) -> None:
    """Embedded PNG files with a turn, 16 bits or transparency are written again."""
    gray = np.linspace(0, 65_535, 48 * 32).reshape(32, 48).astype(np.uint16)
    turned = Image.Exif()
    turned[0x0112] = 6
    pictures = {
        "plain": (Image.fromarray((gray // 256).astype(np.uint8)), {}),
        "deep": (Image.fromarray(gray), {}),
        "turned": (Image.fromarray((gray // 256).astype(np.uint8)), {"exif": turned}),
        "clear": (Image.new("RGBA", (48, 32), (9, 9, 9, 0)), {}),
    }
    samples = []
    for name, (picture, options) in pictures.items():
        encoded = io.BytesIO()
        picture.save(encoded, "PNG", **options)
        samples.append(
            Sample(image=encoded.getvalue(), label="sad", source=name, split=Split.TRAIN)
        )
    manifest = table(tmp_path / "a.parquet", samples)
    export_class_folders(manifest, tmp_path / "out")
    files = sorted((tmp_path / "out" / "train" / "sad").iterdir())
    for sample, file in zip(samples, files, strict=True):
        seen = pixels_of(sample)
        with Image.open(file) as opened:
            other = np.asarray(opened.convert("RGB"))
        np.testing.assert_array_equal(other, seen, err_msg=sample.source)
