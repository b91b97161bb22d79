"""Pictures of one's own: names of classes, tables of labels, people, validation pictures."""

import re
import shutil
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pyojeong.core.errors import DataError, LabelUnknown
from pyojeong.core.labels import FER7, FERPLUS8, LabelSet
from pyojeong.datasets.cache import manifest_of
from pyojeong.datasets.importing import Imported, ImportOptions, import_dataset
from pyojeong.datasets.label_map import parse_label_map
from pyojeong.datasets.layout import held_out_file
from pyojeong.datasets.own_pictures import OwnOptions
from pyojeong.datasets.samples import Sample, Split, read_manifest
from tests.datasets import trees


def pictures(root: Path, counts: dict[str, int], *, first: int = 0) -> Path:
    number = first
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            number += 1
            trees.save(number, root / name / f"{i:03d}.png")
    return root


def bring(
    root: Path, *words: str, labels: LabelSet = FER7, layout: str | None = None, **own: object
) -> tuple[Imported, list[Sample]]:
    """Import with ``--map`` words; return the outcome and the rows."""
    options = OwnOptions(label_map=parse_label_map(words, labels), **own)  # type: ignore[arg-type]
    out = root.parent / "out.parquet"
    done = import_dataset(
        root, out, ImportOptions(labels=labels, own=options, layout=layout, jobs=1)
    )
    # The state of a file that was written a moment ago is not kept: it depends on the time.
    rows = read_manifest(out, splits=list(Split))
    return done, [replace(row, file_state=0) for row in rows]


def without_census(done: Imported) -> list[str]:
    census = (f"{done.layout}: class", f"{done.layout}: no samples of")
    return [w for w in done.warnings if not w.startswith(census)]


def test_korean_folders_in_either_normal_form(tmp_path: Path) -> None:
    names = {"분노": 2, "혐오": 2, "공포": 2, "기쁨": 2, "중립": 2, "슬픔": 2, "놀람": 2}
    for form in ("NFC", "NFD"):
        root = pictures(
            tmp_path / form, {unicodedata.normalize(form, n): k for n, k in names.items()}
        )
        done, rows = bring(root)
        assert done.layout == "class-folders"
        assert Counter(r.label for r in rows) == dict.fromkeys(FER7.names, 2)


def test_a_map_of_another_normal_form_and_case_fits(tmp_path: Path) -> None:
    root = pictures(
        tmp_path / "set", {unicodedata.normalize("NFD", "당황"): 2, "My Folder": 3, "happy": 1}
    )
    _, rows = bring(root, "당황=surprise", "my folder =Sadness")
    assert Counter(r.label for r in rows) == {"surprise": 2, "sad": 3, "happy": 1}


def test_invisible_characters_in_names_do_not_count(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {"기쁨\u200b": 2, "\ufeff멘붕": 3})
    _, rows = bring(root, "멘붕\u200b=surprise")
    assert Counter(r.label for r in rows) == {"happy": 2, "surprise": 3}


def test_nothing_is_guessed_for_embarrassed(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {"당황": 2, "기쁨": 3})
    with pytest.raises(LabelUnknown, match=r"'당황' \(2 x\).*--map 당황=LABEL.*당황=skip"):
        bring(root)
    with pytest.raises(LabelUnknown, match="data import"):  # also where a training reads it
        manifest_of(root, folder=tmp_path)
    for word in ("skip", "-"):
        done, rows = bring(root, f"당황={word}")
        assert len(rows) == 3
        assert done.skipped == {"당황/ (--map)": 2}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_folders_of_aihub(tmp_path: Path, form: str) -> None:
    """Its seven classes: four are expressions, the others are named with what maps them."""
    counts = {"기쁨": 2, "분노": 3, "슬픔": 4, "중립": 5, "당황": 2, "불안": 2, "상처": 2}
    named = {f"[원천]EMOIMG_{name}_TRAIN_01": n for name, n in counts.items()}
    folders = {unicodedata.normalize(form, name): n for name, n in named.items()}
    root = pictures(tmp_path / "set", folders)
    (root / unicodedata.normalize(form, "[라벨]EMOIMG_불안_TRAIN")).mkdir()  # only JSON in it
    with pytest.raises(LabelUnknown) as caught:
        bring(root)
    said = str(caught.value)
    assert "\n" not in said
    for name in ("당황", "불안", "상처"):
        assert f"'[원천]EMOIMG_{name}_TRAIN_01' (2 x)" in said
    assert "당황, 불안, 상처 are none of these expressions: name them with" in said
    assert "--map 당황=LABEL --map 불안=LABEL --map 상처=LABEL (or --map 당황=skip)" in said
    assert "기쁨" not in said
    words = [unicodedata.normalize("NFD", word) for word in ("당황=skip", "불안=fear", "상처=-")]
    done, rows = bring(root, *words)
    kept = {"happy": 2, "angry": 3, "sad": 4, "neutral": 5, "fear": 2}
    assert Counter(row.label for row in rows) == kept
    assert done.skipped == {f"[원천]EMOIMG_{n}_TRAIN_01/ (--map)": 2 for n in ("당황", "상처")}


def test_korean_names_of_faces_in_a_table_and_folders(tmp_path: Path) -> None:
    names = ("01_기쁜 표정", "화난_얼굴", "역겨운", "겁먹음", "무표정", "놀란표정", "슬퍼함")
    for form in ("NFC", "NFD"):
        folders = {unicodedata.normalize(form, name): 2 for name in names}
        _, rows = bring(pictures(tmp_path / form, folders))
        assert Counter(row.label for row in rows) == dict.fromkeys(FER7.names, 2)
    loose = pictures(tmp_path / "loose", {".": 7})
    lines = [f"{i:03d}.png,{name}" for i, name in enumerate(names)]
    table = tmp_path / "labels.csv"
    table.write_text("file,label\n" + unicodedata.normalize("NFD", "\n".join(lines)) + "\n")
    _, rows = bring(loose, table=table)
    assert Counter(row.label for row in rows) == dict.fromkeys(FER7.names, 1)
    table.write_text("file,label\n" + "\n".join(lines).replace("무표정", "당황") + "\n")
    with pytest.raises(LabelUnknown, match=r"당황 is none of these expressions: .*당황=LABEL"):
        bring(loose, table=table)


def test_folders_of_which_none_is_an_expression(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {"cats": 12, "dogs": 1})
    saw = r"no class folders: saw cats/ \(12 images\), dogs/ \(1 image\); .*--map cats=happy"
    with pytest.raises(DataError, match=saw) as caught:
        bring(root)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=f"{saw}.*rename"):
        manifest_of(root, folder=tmp_path)
    _, rows = bring(root, "cats=happy", "dogs=sad")
    assert Counter(r.label for r in rows) == {"happy": 12, "sad": 1}
    with pytest.raises(DataError, match="--map 당황=LABEL, or rename"):  # not "happy"
        bring(pictures(tmp_path / "aihub", {"[원천]EMOIMG_당황_TRAIN_01": 2}))
    with pytest.raises(DataError, match=r"saw 2 images \(000\.png, 001\.png\).*--table"):
        bring(pictures(tmp_path / "loose", {".": 2}))


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("cats=bored", "'bored' is no label of fer7; expected angry, .*surprise, or skip"),
        ("cats=contempt", "fer7.*--labels ferplus8"),
        ("cats", "expected NAME=LABEL"),
        ("=happy", "expected NAME=LABEL"),
    ],
)
def test_words_that_are_no_map(word: str, error: str) -> None:
    with pytest.raises(DataError, match=error):
        parse_label_map([word], FER7)


def test_maps_state_each_name_once_and_only_names_that_occur(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two labels"):
        parse_label_map(["a=happy", "A=sad"], FER7)
    assert parse_label_map(["a=b=happy", "x=Contempt"], FERPLUS8).targets == {
        "a=b": "happy",
        "x": "contempt",
    }
    root = pictures(tmp_path / "set", {"cats": 2, "happy": 1})
    with pytest.raises(DataError, match=r"'Dogs': no such name; saw cats/ \(2 images\), happy/"):
        bring(root, "cats=happy", "Dogs=sad")


def test_a_training_on_a_folder_says_what_an_import_says(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {"Happy": 12, "happiness": 3})
    said: list[str] = []
    manifest_of(root, folder=tmp_path, warn=said.append)
    assert said[0] == "Happy/ (12 images), happiness/ (3 images) are one class: happy"


def test_two_folders_of_one_class_are_merged_and_said(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {"Happy": 12, "happiness": 3, "sad": 10})
    done, rows = bring(root)
    assert without_census(done) == [
        "Happy/ (12 images), happiness/ (3 images) are one class: happy"
    ]
    assert Counter(r.label for r in rows) == {"happy": 15, "sad": 10}
    left_out, _ = bring(root, "happiness=skip")
    assert without_census(left_out) == []


def test_layouts_with_labels_of_their_own_take_no_map(tmp_path: Path) -> None:
    root = trees.ck48(tmp_path)
    with pytest.raises(DataError, match=r"ck48.*--map and --groups are for class-folders"):
        bring(root, "happy=sad", groups="(x)")
    with pytest.raises(DataError, match="--table; add it"):
        bring(root, label_column="label")


def test_one_class_only(tmp_path: Path) -> None:
    done, rows = bring(pictures(tmp_path / "set", {"happy": 40}))
    assert {r.label for r in rows} == {"happy"}
    assert {r.split for r in rows} == {Split.TRAIN, Split.VALID}
    assert (
        "class-folders: no samples of angry, disgust, fear, neutral, sad, surprise" in done.warnings
    )


def test_three_pictures_a_class_have_no_validation_pictures_and_it_is_said(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", dict.fromkeys(FER7.names, 3), first=100)
    done, rows = bring(root)
    valid = {r.label for r in rows if r.split is Split.VALID}
    assert len(valid) < 7
    (said,) = without_census(done)
    assert said.startswith("no validation pictures of: ")
    assert all((f"{name} (3 images)" in said) == (name not in valid) for name in FER7.names)
    assert not any("has no validation" in w for w in done.warnings)


def test_every_class_of_ten_pictures_has_validation_pictures(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", dict.fromkeys(FER7.names, 10), first=200)
    before = {f.parent.name for f in root.rglob("*.png") if held_out_file(f)}
    assert len(before) < 7
    done, rows = bring(root)
    assert {r.label for r in rows if r.split is Split.VALID} == set(FER7.names)
    assert {r.label for r in rows if r.split is Split.TRAIN} == set(FER7.names)
    assert without_census(done) == []
    assert bring(root)[1] == rows


def test_what_was_held_out_before_still_is(tmp_path: Path) -> None:
    """Images below the share are held out by their digest, as in tables of before."""
    root = pictures(tmp_path / "set", {"happy": 60, "sad": 60})
    _, rows = bring(root)
    for row in rows:
        assert (row.split is Split.VALID) == held_out_file(Path(row.path or ""))


def test_equal_pictures_stay_together(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {"happy": 10, "sad": 10}, first=200)
    for name in ("happy", "sad"):
        for file in sorted((root / name).iterdir()):
            shutil.copy(file, file.with_stem(f"{file.stem}-copy"))
    for i in range(10):
        shutil.copy(root / "happy" / f"{i:03d}.png", root / "sad" / f"9{i}.png")
    _, rows = bring(root)
    splits: dict[str, set[Split]] = {}
    for row in rows:
        splits.setdefault(row.content_hash, set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {r.label for r in rows if r.split is Split.VALID} == {"happy", "sad"}


def test_twelve_copies_of_one_picture_are_not_all_held_out(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {"happy": 1, "sad": 20}, first=300)
    for i in range(12):
        shutil.copy(root / "happy" / "000.png", root / "happy" / f"copy{i}.png")
    done, rows = bring(root)
    assert {r.split for r in rows if r.label == "happy"} == {Split.TRAIN}
    assert "happy (13 images)" in without_census(done)[0]


def test_forty_folders_are_all_named(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {f"person {i:02d}": 1 for i in range(40)})
    with pytest.raises(DataError, match="and 28 more; name them"):
        bring(root)
    (root / "happy").mkdir()
    with pytest.raises(LabelUnknown, match=r"'person 00' \(1 x\).*'person 39' \(1 x\)"):
        bring(root)


def people(root: Path) -> Path:
    """Twenty people with two expressions each; names as ``anna_01.png``."""
    for person in range(20):
        for k, label in enumerate(("happy", "sad")):
            trees.save(10 * person + k, root / label / f"p{person:02d}_{k}.png")
    return root


def test_groups_are_people_in_all_classes_and_stay_on_one_side(tmp_path: Path) -> None:
    done, rows = bring(people(tmp_path / "set"), groups=r"^(.*?)_\d+")
    assert {r.group for r in rows} == {f"p{i:02d}" for i in range(20)}
    valid = {r.group for r in rows if r.split is Split.VALID}
    assert len(valid) == 2
    assert all((r.group in valid) == (r.split is Split.VALID) for r in rows)
    assert without_census(done) == []


def test_files_that_no_group_matches_are_counted(tmp_path: Path) -> None:
    root = people(tmp_path / "set")
    trees.save(900, root / "happy" / "other.png")
    trees.save(901, root / "sad" / "other.png")
    done, rows = bring(root, groups=r"^(p\d+)_")
    assert any(w.startswith(r"--groups '^(p\d+)_' does not match 2 images") for w in done.warnings)
    assert {r.group for r in rows if "other" in r.source} == {"happy/other.png", "sad/other.png"}


def test_groups_in_two_split_folders_are_said(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for part in ("train", "test"):
        people(root / part)
    done, _ = bring(root, groups=r"^(.*?)_\d+")
    said = "20 groups are in more than one split (p00, p01, p02, ...)"
    assert any(w.startswith(said) for w in done.warnings)


@pytest.mark.parametrize(
    ("groups", "error"),
    [
        ("(", "no regular expression"),
        ("abc", "one group"),
        ("(a)(b)", "got 2"),
        ("(zz)", "none of"),
    ],
)
def test_regular_expressions_of_no_use(groups: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=error):
        bring(people(tmp_path / "set"), groups=groups)


def legend(root: Path, text: str) -> Path:
    file = root / "legend.csv"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    return pictures(tmp_path / "set", {"in": 3, ".": 2})


def test_a_table_names_the_labels(loose: Path) -> None:
    text = "file_name,emotion\n000.png,기쁨\n001.png,joy\nin/000.png,Bored\nin\\001.png,sad\n"
    table = legend(loose, text)
    with pytest.raises(LabelUnknown, match=r"'Bored' \(1 x\).*--map Bored=LABEL"):
        bring(loose, table=table)
    done, rows = bring(loose, "bored=neutral", table=table)
    assert done.layout == "table"
    assert {r.source: r.label for r in rows} == {
        "000.png": "happy", "001.png": "happy", "in/000.png": "neutral", "in/001.png": "sad",
    }  # fmt: skip
    warnings = without_census(done)
    assert "no row of legend.csv names 1 image: in/002.png" in warnings
    assert "기쁨 (1 image), joy (1 image) are one class: happy" in warnings
    assert bring(loose, "bored=neutral", table=Path("legend.csv"))[1] == rows


def test_missing_repeated_and_unlabelled_rows_are_counted(loose: Path) -> None:
    text = "name,class\n000.png,sad\n000.png,Sadness\n001.png,\ngone.png,sad\ngone2.png,happy\n"
    done, rows = bring(loose, table=legend(loose, text))
    assert [r.source for r in rows] == ["000.png"]
    assert done.skipped == {
        "file is missing (gone.png, gone2.png)": 2,
        "repeated row of legend.csv": 1,
        "no label in legend.csv": 1,
    }
    with pytest.raises(DataError, match=r"none of its 1 rows.*names nowhere\.png; .*000\.png"):
        bring(loose, table=legend(loose, "name,class\nnowhere.png,sad\n"))


def test_contradicting_rows_are_an_error_that_names_the_first(loose: Path) -> None:
    text = "image,label\n000.png,sad\n001.png,sad\n000.png,joy\n"
    with pytest.raises(DataError, match=r"000\.png is 'sad' in line 2 and 'happy' in line 4"):
        bring(loose, table=legend(loose, text))
    text = "image,label,split\n000.png,sad,train\n000.png,sad,test\n"
    with pytest.raises(DataError, match="'train' in line 2 and 'test' in line 3"):
        bring(loose, table=legend(loose, text))


def test_columns_are_detected_only_where_there_is_one(loose: Path) -> None:
    table = legend(loose, "Image,label,emotion\n000.png,sad,happy\n")
    with pytest.raises(DataError, match=r"label, emotion; .*--label-column; .*'Image'"):
        bring(loose, table=table)
    _, rows = bring(loose, table=table, label_column="emotion")
    assert rows[0].label == "happy"
    with pytest.raises(DataError, match=r"no column 'mood'.*'Image', 'label', 'emotion'"):
        bring(loose, table=table, label_column="mood")
    with pytest.raises(DataError, match=r"no column named image.*--image-column.*'picture'"):
        bring(loose, table=legend(loose, "picture,label\n000.png,sad\n"))
    with pytest.raises(DataError, match="expected commas"):
        bring(loose, table=legend(loose, "image;label\n000.png;sad\n"))


def test_a_table_in_another_encoding_is_named(loose: Path) -> None:
    table = loose / "legend.csv"
    table.write_bytes("image,label\n000.png,기쁨\n".encode("cp949"))
    with pytest.raises(DataError, match="not in UTF-8; save it as 'CSV UTF-8'"):
        bring(loose, table=table)


def test_split_and_group_columns(loose: Path) -> None:
    text = (
        "image,label,split,who\n000.png,sad,train,a\n001.png,sad,Validation,b\n"
        "in/000.png,sad,TEST,c\nin/001.png,sad,,a\n"
    )
    table = legend(loose, text)
    _, rows = bring(loose, table=table, groups="who")
    assert [r.split for r in rows] == [Split.TRAIN, Split.VALID, Split.TEST, Split.TRAIN]
    assert [r.group for r in rows] == ["a", "b", "c", "a"]
    with pytest.raises(DataError, match=r"'whom' is neither a column.*'who'"):
        bring(loose, table=table, groups="whom")
    with pytest.raises(DataError, match="line 3: split 'Validation2'"):
        bring(loose, table=legend(loose, text.replace("Validation", "Validation2")))


def test_a_column_of_groups_is_held_out_by_group(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {".": 40})
    lines = [f"{i:03d}.png,{'happy' if i % 2 else 'sad'},p{i // 4}" for i in range(40)]
    _, rows = bring(root, table=legend(root, "\n".join(["image,label,group", *lines])))
    valid = {r.group for r in rows if r.split is Split.VALID}
    assert len(valid) == 1
    assert sum(r.split is Split.VALID for r in rows) == 4


def test_imagefolder_takes_the_map_and_leaves_missing_files_out(tmp_path: Path) -> None:
    root = trees.imagefolder(tmp_path)
    table = root / "train" / "metadata.csv"
    table.write_text(table.read_text().replace(",happy", ",bored") + "gone.png,sad\n")
    done, rows = bring(root, "bored=neutral")
    assert done.layout == "imagefolder"
    assert Counter(r.label for r in rows if r.split is Split.TRAIN)["neutral"] == 2
    assert done.skipped == {"file is missing (gone.png)": 1}


def test_imagefolder_without_validation_holds_out_by_group(tmp_path: Path) -> None:
    root = tmp_path / "set"
    lines = ["file_name,label,group"]
    for i in range(40):
        trees.save(i, root / "train" / f"{i}.png")
        lines.append(f"{i}.png,happy,p{i // 4}")
    (root / "train" / "metadata.csv").write_text("\n".join(lines))
    _, rows = bring(root)
    assert sum(r.split is Split.VALID for r in rows) == 4
    assert len({r.group for r in rows if r.split is Split.VALID}) == 1


def test_the_hold_out_does_not_depend_on_where_the_folder_is(tmp_path: Path) -> None:
    """Also of pictures without a group beside others that have one."""
    valid = []
    for place in ("a", "b/c"):
        root = tmp_path / place
        lines = ["file_name,label,group"]
        for i in range(60):
            trees.save(i, root / "train" / f"{i}.png")
            lines.append(f"{i}.png,happy,{'anna' if i < 3 else ''}")
        (root / "train" / "metadata.csv").write_text("\n".join(lines))
        _, rows = bring(root)
        assert {r.group for r in rows} == {"anna", ""}
        valid.append([r.source for r in rows if r.split is Split.VALID])
    assert valid[0] == valid[1] != []


@pytest.mark.parametrize("outer", ["", "train/"])
def test_class_folders_inside_others_are_refused(tmp_path: Path, outer: str) -> None:
    counts = {f"{outer}happy": 3, f"{outer}happy/슬픔": 2, f"{outer}sad/a/angry/b": 1}
    root = pictures(tmp_path / "set", {**counts, f"{outer}sad": 3})
    said = rf"{outer}happy/슬픔/ \(2 images\), {outer}sad/a/angry/ \(1 image\); it is not clear"
    with pytest.raises(DataError, match=said) as info:
        bring(root)
    assert "move them beside the outer folders" in str(info.value)
    shutil.rmtree(root / f"{outer}happy/슬픔")
    shutil.rmtree(root / f"{outer}sad/a")
    pictures(root, {f"{outer}happy/joy": 1, f"{outer}happy/anna": 1}, first=50)  # the same label
    assert bring(root)[0].sums.given == 8


def test_doubtful_folders_inside_class_folders_are_warnings(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {"happy": 3, "sad": 3, "sad/AN": 2, "happy/test": 1})
    done, rows = bring(root)
    said = " ".join(done.warnings)
    assert "sad/AN/ (2 images): read with the label of the outer folder" in said
    assert "happy/test/ (1 image): named as a split inside a class folder" in said
    assert Counter(row.label for row in rows) == {"happy": 4, "sad": 5}


def test_images_that_no_row_of_an_imagefolder_names_are_counted(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {"train": 4, "extra": 2})
    table = root / "train" / "metadata.csv"
    head = "file_name,label\n000.png,sad\n000.png,Sadness\n001.png,happy\n"
    table.write_text(head)
    done, rows = bring(root, layout="imagefolder")
    assert [row.source for row in rows] == ["train/000.png", "train/001.png"]
    unnamed = "extra/000.png, extra/001.png, train/002.png, ..."
    assert done.skipped == {"repeated row of metadata.csv": 1}
    assert any(f"names 4 images: {unnamed}" in line for line in done.warnings)
    assert done.sums.left_out["named by no metadata.csv"] == 4
    assert done.sums.given == 2 + 5 + 1  # the table itself is no image
    table.write_text(head + "001.png,angry\n")
    with pytest.raises(DataError, match=r"001\.png is 'happy' and 'angry'; correct the table"):
        bring(root, layout="imagefolder")


@pytest.mark.parametrize(
    ("links", "left_out"),
    [
        ({"joy": "happy"}, 1),
        ({"sad/more": "../happy"}, 1),
        ({"joy": "happy", "sad/again": "../sad", "sad/all": ".."}, 3),
        ({"a friend": "happy"}, 1),  # its name is no label, and labels nothing
    ],
)
def test_links_inside_a_data_set_are_left_out_and_every_file_is_counted_once(
    tmp_path: Path, links: dict[str, str], left_out: int
) -> None:
    root = pictures(tmp_path / "set", {"happy": 12, "sad": 11})
    trees.save(99, root / "loose.png")
    for place, target in links.items():
        (root / place).symlink_to(target)
    done, rows = bring(root)
    assert Counter(r.label for r in rows) == {"happy": 12, "sad": 11}
    assert done.beside == {
        "in no class folder": 1, "links to folders that are searched anyway": left_out
    }  # fmt: skip


def test_a_link_to_the_training_split_is_no_validation_split(tmp_path: Path) -> None:
    root = tmp_path / "set"
    pictures(root / "train", {"happy": 20, "sad": 20})
    (root / "valid").symlink_to("train")
    done, rows = bring(root)
    assert len(rows) == 40
    assert 0 < sum(r.split is Split.VALID for r in rows) < 20  # some are held out, none is twice
    assert done.beside == {"links to folders that are searched anyway": 1}


def test_two_links_to_one_folder_are_read_once(tmp_path: Path) -> None:
    other = pictures(tmp_path / "other", {"happy": 20, "sad": 20})
    for name in ("train", "valid"):
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / name).symlink_to(other)
    done, rows = bring(tmp_path / "set")
    assert len(rows) == 40
    assert 0 < sum(r.split is Split.VALID for r in rows) < 20
    assert any(w.startswith("links to folders that are read anyway") for w in done.warnings)


def test_a_link_out_of_the_data_set_is_read(tmp_path: Path) -> None:
    other = pictures(tmp_path / "other", {"pictures": 12}, first=40)
    root = pictures(tmp_path / "set", {"sad": 11})
    (root / "joy").symlink_to(other / "pictures")
    done, rows = bring(root)
    assert Counter(r.label for r in rows) == {"happy": 12, "sad": 11}
    assert not done.beside


def test_an_image_of_two_splits_of_an_imagefolder_is_refused(tmp_path: Path) -> None:
    root = trees.imagefolder(tmp_path)
    with (root / "test" / "metadata.csv").open("a") as stream:
        stream.write("../train/5.png,sad\n")
    said = r" train/5\.png is 'sad' in test and 'sad' in train; correct the tables"
    with pytest.raises(DataError, match=said):
        bring(root)


def kaggle(root: Path, names: dict[str, int]) -> Path:
    """Class folders with FER2013's own file names: "test/sad/Training" -> number of images."""
    for n, (place, count) in enumerate(names.items()):
        folder, _, usage = place.rpartition("/")
        for i in range(count):
            trees.save(100 * n + i, root / folder / f"{usage}_{100 * n + i}.png")
    return root


def test_split_folders_hold_against_names_of_fer2013(tmp_path: Path) -> None:
    names = {"train/happy/Training": 5, "validation/happy/Training": 3, "test/happy/Training": 2}
    done, rows = bring(kaggle(tmp_path / "set", {**names, "test/happy/PublicTest": 1}))
    assert Counter(row.split.value for row in rows) == {"train": 5, "valid": 3, "test": 3}
    said = (
        "PublicTest_* in test/ (1 image), Training_* in test/ (2 images), "
        "Training_* in validation/ (3 images); the folders decide"
    )
    assert any(said in line for line in done.warnings)


def test_some_files_of_fer2013_in_a_test_folder_stay_there(tmp_path: Path) -> None:
    names = {"train/sad/Training": 20, "test/sad/Training": 2, "test/sad/PublicTest": 2}
    root = kaggle(tmp_path / "set", names)
    pictures(root, {"train/sad": 3, "test/sad": 3}, first=500)
    done, rows = bring(root, layout="class-folders")
    assert sum(row.split is Split.TEST for row in rows) == 7
    assert sum("contradict the split folders" in line for line in done.warnings) == 1


def test_names_of_fer2013_divide_the_test_folder_or_all(tmp_path: Path) -> None:
    halves = {"train/sad/Training": 4, "test/sad/PublicTest": 3, "test/sad/PrivateTest": 2}
    loose = {place.partition("/")[2]: count for place, count in halves.items()}
    for name, tree in (("halves", halves), ("loose", loose)):
        done, rows = bring(kaggle(tmp_path / name, tree))
        assert Counter(row.split.value for row in rows) == {"train": 4, "valid": 3, "test": 2}
        assert not any("contradict" in line for line in done.warnings)


@pytest.mark.parametrize(
    ("spoilt", "line"),
    [({4: '"he said', 20: 'x"y'}, 5), ({3: '"open'}, 4), ({4: '"he" said'}, 0), ({4: '"a\nb"'}, 0)],
)
@pytest.mark.parametrize("kind", ["table", "imagefolder"])
def test_quotes_that_are_not_closed_are_refused(
    tmp_path: Path, kind: str, spoilt: dict[int, str], line: int
) -> None:
    root = pictures(tmp_path / "set", {"train": 24})
    inside = "" if kind == "imagefolder" else "train/"
    rows = ["file_name,label,note"]
    for i in range(24):
        rows.append(f"{inside}{i:03d}.png,{'sad' if i % 2 else 'happy'},{spoilt.get(i + 1, 'ok')}")
    if kind == "imagefolder":
        (root / "train" / "metadata.csv").write_text("\n".join(rows))
        own: dict[str, Path] = {}
    else:
        own = {"table": legend(root, "\n".join(rows))}
    if line:
        with pytest.raises(DataError, match=rf"line {line}: a quote .* is not closed"):
            bring(root, **own)
    else:
        assert len(bring(root, **own)[1]) == 24


@pytest.mark.parametrize("kind", ["table", "imagefolder"])
def test_cells_behind_the_last_column_are_a_warning(tmp_path: Path, kind: str) -> None:
    root = pictures(tmp_path / "set", {"train": 3})
    inside = "" if kind == "imagefolder" else "train/"
    text = "".join(f"{inside}00{i}.png,sad{',happy,angry' * (i == 1)},\n" for i in range(3))
    text = f"file_name,label\n{text}"
    if kind == "imagefolder":
        (root / "train" / "metadata.csv").write_text(text)
        done, _ = bring(root)
    else:
        done, _ = bring(root, table=legend(root, text))
    said = "1 row of .* with more cells than the header .*: line 3: 'happy', 'angry'"
    assert any(re.search(said, line) for line in done.warnings)


@pytest.mark.parametrize(
    ("column", "cells", "split"),
    [
        ("subset", ("train", "test"), Split.TEST),
        ("Usage", ("Training", "PublicTest"), Split.VALID),
        ("set", ("a", "b"), None),
    ],
)
def test_columns_that_divide_under_other_names(
    tmp_path: Path, column: str, cells: tuple[str, str], split: Split | None
) -> None:
    root = pictures(tmp_path / "set", {".": 20})
    lines = [f"{i:03d}.png,sad,{cells[i >= 15]}" for i in range(20)]
    done, rows = bring(root, table=legend(root, "\n".join([f"image,label,{column}", *lines])))
    said = [line for line in done.warnings if repr(column) in line]
    assert len(said) == 1
    if split is None:
        assert "is not read: 'a', 'b' are no splits" in said[0]
    else:
        assert "is read as the split" in said[0]
        assert {row.source for row in rows if row.split is split} == {
            f"{i:03d}.png" for i in range(15, 20)
        }


def test_rows_that_name_what_a_search_leaves_out_count_once(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", {".": 4, ".cache": 2})
    (root / "002.png").rename(root / ".hidden.png")
    (root / "notes.txt").write_text("no image")
    names = ["000.png", "001.png", ".hidden.png", "notes.txt", ".cache/000.png"]
    text = "\n".join(["image,label", *(f"{name},sad" for name in names)])
    done, rows = bring(root, table=legend(tmp_path, text))
    assert len(rows) == 5
    assert done.unreadable == 1
    assert done.sums.left_out == {"hidden": 1, "named by no row of legend.csv": 1}
    assert done.sums.given == 7
