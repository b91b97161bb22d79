"""The working folder that the snippets of the documents assume: photographs, clips, data sets.

Everything is small, so that the commands of the pages end in seconds; names are those of the pages.
"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

import pyojeong
from pyojeong.core.track_edits import KIND
from pyojeong.datasets.samples import Split
from pyojeong.zoo import FER2013_MODEL, find
from tests.training.tiny import TOML, png
from tests.video.made import make_clip

ROOT = Path(__file__).parents[2]
PICTURE = Path(pyojeong.__file__).parent / "pictures" / "astronaut.jpg"
CODED = ROOT / "tests" / "video" / "coded" / "study.boris"
FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGES = {Split.TRAIN: "Training", Split.VALID: "PublicTest", Split.TEST: "PrivateTest"}
EXPERIMENTS = {
    "curation-folds": "curation",
    "se-resnet-fer2013": "se-resnet-fer2013",
    "arms/base": "base",
    "arms/hinge": "hinge",
}
"""Experiments of the pages, of which the folder holds a tiny one: file -> its name."""


def make_folder(folder: Path) -> None:
    """Write everything."""
    _photographs(folder)
    _clips(folder)
    _class_folders(folder)
    _fer2013(folder)
    entry = find(FER2013_MODEL)
    shutil.copy(entry.weights, folder)
    shutil.copy(entry.weights.with_suffix(".card.json"), folder / "my-model.json")
    for place, name in EXPERIMENTS.items():
        file = folder / "experiments" / f"{place}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        text = TOML.replace('"tiny"', f'"{name}"').replace("epochs = 6", "epochs = 1")
        file.write_text(text, "utf-8")
    _project(folder)


def _project(folder: Path) -> None:
    """Write raw pictures of three expressions, the students' rows cut down, and two results."""
    rng = np.random.default_rng(3)
    image = np.asarray(Image.open(PICTURE))[:300, 60:400]
    for label in ("happy", "neutral", "sad"):
        (folder / "telemoji" / label).mkdir(parents=True)
        for i in range(21):
            noisy = np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / "telemoji" / label / f"{i}.jpg")
    shared = (ROOT / "experiments/_seed2021.toml").read_text("utf-8")
    shared = re.sub("^subset = .*", "subset = 24", shared, flags=re.MULTILINE)
    shared = re.sub("^epochs = .*", "epochs = 1", shared, flags=re.MULTILINE)
    (folder / "experiments/_seed2021.toml").write_text(shared, "utf-8")
    shutil.copy(ROOT / "experiments/seed2021.csv", folder / "experiments")
    results = folder / "experiments/results/full"
    results.mkdir(parents=True)
    for run in ("mobilenet-v2-imagenet.s1", "mobilenet-v3-large.s1"):
        shutil.copy(ROOT / f"experiments/results/full/{run}.json", results)
    shutil.copy(ROOT / "experiments/results/valid.json", results.parent)


def _photographs(folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(PICTURE.read_bytes())
    image = np.asarray(Image.open(PICTURE))[:300, 60:400]
    rng = np.random.default_rng(0)
    for name, count in (("photos", 2), ("posed", 2), ("photographs", 50)):
        (folder / name).mkdir()
        for i in range(count):
            noisy = np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / name / f"{i}.jpg")
    paths = sorted(str(p.relative_to(folder)) for p in folder.glob("photographs/1*.jpg"))
    pq.write_table(pa.table({"path": paths}), folder / "list.parquet")


def _clips(folder: Path) -> None:
    for name in ("clip", "walk", "interview"):
        make_clip(folder / f"{name}.mp4", frames=20)
    for place in ("clips/a.mp4", "clips/b.mp4", "sub-01/task.mp4", "sub-02/task.mp4"):
        (folder / place).parent.mkdir(exist_ok=True)
        make_clip(folder / place, frames=6)
    shutil.copy(CODED, folder / "smiles.boris")
    edits = {"kind": KIND, "names": {"1": "Anna"}, "exclude": [[0, 0.2]]}
    (folder / "edits.json").write_text(json.dumps(edits), "utf-8")


def face(rng: np.random.Generator) -> np.ndarray:
    """The astronaut's face with noise of its own, uint8 (48, 48)."""
    crop = Image.open(PICTURE).convert("L").crop((165, 45, 285, 185)).resize((48, 48))
    return np.clip(crop + rng.normal(0, 12, (48, 48)), 0, 255).astype(np.uint8)


def _class_folders(folder: Path) -> None:
    rng = np.random.default_rng(1)
    for label in ("happy", "neutral", "sad"):
        (folder / "faces" / label).mkdir(parents=True)
        for i in range(20):
            file = folder / "faces" / label / f"subject{i:02d}_{label}.png"
            file.write_bytes(png(face(rng)))
        for split, count in (("train", 22), ("test", 4)):
            place = folder / "your-folder" / split / label
            place.mkdir(parents=True)
            for i in range(count):
                (place / f"{i}.jpg").write_bytes(png(face(rng)))


def _fer2013(folder: Path) -> None:
    """Write FER2013's table and FER+'s votes for it: noise whose brightness tells the label."""
    rng = np.random.default_rng(2)
    table, votes = ["emotion,pixels,Usage"], ["Usage,Image name,and,ten,more,columns"]
    for i in range(105):
        number, split = i % 7, tuple(USAGES)[(0, 0, 0, 1, 2)[i // 7 % 5]]
        pixels = np.clip(rng.normal(30 * number + 30, 25, 48 * 48), 0, 255).astype(int)
        table.append(f"{number},{' '.join(map(str, pixels))},{USAGES[split]}")
        counts = [0] * 10
        counts[FERPLUS.index(FER2013[number])] = 10
        votes.append(f"{USAGES[split]},fer{i:07d}.png,{','.join(map(str, counts))}")
    (folder / "fer2013.csv").write_text("\n".join(table) + "\n", "utf-8")
    (folder / "fer2013new.csv").write_text("\n".join(votes) + "\n", "utf-8")


FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""FER+'s columns, before *unknown* and *not a face*."""
