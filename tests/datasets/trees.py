"""Small data sets on disk, each in the exact layout of a real one."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

FER7_NAMES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
USAGES = ("Training", "PublicTest", "PrivateTest")


def face(number: int, size: tuple[int, int] = (48, 48), *, color: bool = False) -> Image.Image:
    """An image like no other with another number."""
    rng = np.random.default_rng(number)
    shape = (*size, 3) if color else size
    return Image.fromarray(rng.integers(0, 256, shape, np.uint8))


def save(number: int, path: Path, *, color: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    face(number, color=color).save(path)


def fer2013_csv(folder: Path, *, rows: int = 21, usage: bool = True) -> Path:
    path = folder / "fer2013.csv"
    lines = ["emotion,pixels" + (",Usage" if usage else "")]
    for i in range(rows):
        text = " ".join(map(str, np.asarray(face(i)).ravel()))
        lines.append(f"{i % 7},{text}" + (f",{USAGES[i % 3]}" if usage else ""))
    path.write_text("\n".join(lines) + "\n")
    return path


def class_folders(folder: Path, parts: tuple[str, ...] = ("train", "valid", "test")) -> Path:
    root = folder / "set"
    for i, part in enumerate(parts):
        for k, label in enumerate(FER7_NAMES):
            save(10 * i + k, root / part / label / "1.png")
    return root


def msambare(folder: Path) -> Path:
    root = folder / "archive"
    for k, label in enumerate(FER7_NAMES):
        save(k, root / "train" / label / f"Training_{1000 + k}.jpg")
        save(10 + k, root / "test" / label / f"PublicTest_{2000 + k}.jpg")
        save(20 + k, root / "test" / label / f"PrivateTest_{3000 + k}.jpg")
    return root


# neutral happiness surprise sadness anger disgust fear contempt unknown NF
BALLOTS = [[10 if i == k else 0 for i in range(10)] for k in range(10)]
UNDECIDED = [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]


def ferplus(folder: Path) -> Path:
    root = folder / "FERPlus"
    number = 0
    for part in ("FER2013Train", "FER2013Valid", "FER2013Test"):
        lines = []
        for ballot in [*BALLOTS, UNDECIDED]:
            name = f"fer{number:07d}.png"
            save(number, root / "data" / part / name)
            lines.append(f'{name},"(0, 0, 48, 48)",{",".join(map(str, ballot))}')
            number += 1
        (root / "data" / part / "label.csv").write_text("\n".join(lines) + "\n")
    return root


def rafdb(folder: Path, *, aligned: bool = True) -> Path:
    root = folder / "basic"
    (root / "EmoLabel").mkdir(parents=True)
    lines = []
    for i in range(70):
        part, value = ("train", "test")[i % 2], (i // 2) % 7 + 1
        lines.append(f"{part}_{i:05d}.jpg {value}")
        save(i, root / "Image" / "original" / f"{part}_{i:05d}.jpg", color=True)
        if aligned:
            save(i, root / "Image" / "aligned" / f"{part}_{i:05d}_aligned.jpg", color=True)
    (root / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return root


def rafdb_kaggle(folder: Path) -> Path:
    root = folder / "raf"
    for i in range(70):
        part, value = ("train", "test")[i % 2], (i // 2) % 7 + 1
        save(i, root / "DATASET" / part / str(value) / f"{part}_{i:05d}_aligned.jpg", color=True)
    (root / "train_labels.csv").write_text("image,label\n")
    (root / "test_labels.csv").write_text("image,label\n")
    return root


def affectnet(folder: Path) -> Path:
    root = folder / "AffectNet"
    header = (
        "subDirectory_filePath,face_x,face_y,face_width,face_height,"
        "facial_landmarks,expression,valence,arousal"
    )
    (root / "Manually_Annotated_file_lists").mkdir(parents=True)
    for n, name in enumerate(("training", "validation")):
        lines = [header]
        for value in range(11):
            picture = f"{100 + value}/{name}{value}.jpg"
            path = root / "Manually_Annotated_Images" / picture
            path.parent.mkdir(parents=True, exist_ok=True)
            face(100 * n + value, (60, 80), color=True).save(path)
            box = "NULL,NULL,NULL,NULL" if value == 10 else "10,-5,30,40"
            lines.append(f"{picture},{box},1;2;3,{value},-2,-2")
        (root / "Manually_Annotated_file_lists" / f"{name}.csv").write_text("\n".join(lines))
    return root


def affectnet8(folder: Path) -> Path:
    root = folder / "AffectNet8"
    for n, part in enumerate(("train_set", "val_set")):
        (root / part / "annotations").mkdir(parents=True)
        for value in range(8):
            save(100 * n + value, root / part / "images" / f"{value + 7}.jpg", color=True)
            written = np.array(str(value)) if value % 2 else np.array(value)
            np.save(root / part / "annotations" / f"{value + 7}_exp.npy", written)
            np.save(root / part / "annotations" / f"{value + 7}_val.npy", np.array("-0.5"))
    return root


def expw(folder: Path) -> Path:
    root = folder / "expw"
    (root / "label").mkdir(parents=True)
    lines = []
    for i in range(60):
        path = root / "image" / "origin" / f"who_{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        face(i, (50, 90), color=True).save(path)
        # top left right bottom: 30 wide, 20 high; the second box leaves the image
        lines.append(f"who_{i}.jpg 0 5 10 40 25 49.5 {i % 7}")
        lines.append(f"who_{i}.jpg 1 40 70 120 80 51.0 {(i + 1) % 7}")
    (root / "label" / "label.lst").write_text("\n".join(lines) + "\n")
    return root


def ck48(folder: Path) -> Path:
    root = folder / "CK+48"
    classes = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    for k, label in enumerate(classes):
        for subject in range(20):
            for frame in range(3):
                name = f"S{subject:03d}_{k:03d}_{10 + frame:08d}.png"
                save(100 * k + 3 * subject + frame, root / label / name)
    return root


def ckplus(folder: Path) -> Path:
    root = folder / "CK+"
    for subject in range(20):
        for sequence in range(8):
            at = Path(f"S{subject:03d}") / f"{sequence:03d}"
            for frame in range(1, 4):
                name = f"S{subject:03d}_{sequence:03d}_{frame:08d}.png"
                number = 1000 * subject + 10 * sequence + frame
                save(number, root / "cohn-kanade-images" / at / name)
            notes = root / "Emotion" / at
            notes.mkdir(parents=True)
            if sequence:  # the first sequence of everybody has no label
                (notes / f"{name[:-4]}_emotion.txt").write_text(f"   {sequence}.0000000e+00\n")
    return root


def jaffe(folder: Path) -> Path:
    root = folder / "jaffe"
    number = 0
    for subject in ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM"):
        for code in ("AN", "DI", "FE", "HA", "NE", "SA", "SU"):
            number += 1
            save(number, root / f"{subject}.{code}1.{number}.tiff")
    (root / "README").write_text("read me")
    return root


def imagefolder(folder: Path) -> Path:
    root = folder / "hf"
    for i, part in enumerate(("train", "validation", "test")):
        lines = ["file_name,label"]
        for k, label in enumerate(FER7_NAMES):
            save(10 * i + k, root / part / f"{k}.png")
            lines.append(f"{k}.png,{label}")
        (root / part / "metadata.csv").write_text("\n".join(lines) + "\n")
    return root


def shard(file: Path, first: int, labels: tuple[str, ...] = FER7_NAMES) -> None:
    """One Parquet file as Hugging Face's datasets writes them."""
    rows = []
    for k, label in enumerate(labels):
        save(first + k, file.parent / "image.png")
        data = (file.parent / "image.png").read_bytes()
        rows.append({"image": {"bytes": data, "path": f"{k}.png"}, "label": label})
    (file.parent / "image.png").unlink()
    pq.write_table(pa.Table.from_pylist(rows), file)


def datasets(folder: Path) -> Path:
    root = folder / "hub"
    (root / "data").mkdir(parents=True)
    for i, part in enumerate(("train", "validation", "test")):
        shard(root / "data" / f"{part}-00000-of-00001.parquet", 10 * i)
    return root


VOTED = "image,publisher_label,neutral,happy,surprise,sad,angry,disgust,fear,contempt,unknown"


def voted(folder: Path) -> Path:
    root = folder / "photographs"
    lines = [VOTED]
    for person in range(20):
        for k, label in enumerate(("neutral", "happiness")):
            name = f"Somebody_{person:02d}_{k + 1:04d}.jpg"
            save(10 * person + k, root / "images" / name, color=True)
            column = (2 * person + k) % 8
            votes = ["0.3" if c == (column + 1) % 8 else "0.0" for c in range(9)]
            votes[column] = "1.7"
            lines.append(f"{name},{label},{','.join(votes)}")
    save(900, root / "images" / "Nobody_0001.jpg")  # rated by nobody
    lines.append(f"Nobody_0001.jpg,happiness{',' * 9}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


TREES: dict[str, Callable[[Path], Path]] = {
    "voted-photographs": voted,
    "fer2013": fer2013_csv,
    "class-folders": class_folders,
    "fer2013-folders": msambare,
    "ferplus": ferplus,
    "rafdb": rafdb,
    "rafdb-kaggle": rafdb_kaggle,
    "affectnet": affectnet,
    "affectnet8": affectnet8,
    "expw": expw,
    "ck48": ck48,
    "ckplus": ckplus,
    "jaffe": jaffe,
    "imagefolder": imagefolder,
    "datasets": datasets,
}
"""Layout -> a function that makes a small tree of it below a folder and returns its root."""


def png(pixels: np.ndarray) -> bytes:
    """Encode without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
