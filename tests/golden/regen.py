"""Recompute the stored answers: prints the difference first, then overwrites.

The vectors of preprocessing and features beside this file, the files in the layouts of other
tools, and the answer on the bundled photograph that ``pyojeong doctor`` expects.

Run ``python tests/golden/regen.py`` to look and ``python tests/golden/regen.py --write`` to store.
Differences of one grey level come from another version of OpenCV; anything larger means that
networks would meet other pixels than those they were trained on.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
PREPROCESS = FOLDER / "preprocess.npz"
FEATURES = FOLDER / "features.npz"
LAYOUT_FILES = FOLDER / "layouts"


def computed():
    """Per case the matrix and the patch."""
    from cases import cases

    out = {}
    for name, case in cases().items():
        out |= {f"{name}.matrix": case.matrix, f"{name}.patch": case.patch}
    return out


def computed_features():
    """Per case the image and the network's planes (C, H, W)."""
    from cases import feature_cases

    from pyojeong.image.descriptors import apply

    out = {}
    for name, (feature, picture) in feature_cases().items():
        out |= {f"{name}.picture": picture, f"{name}.planes": apply(feature, picture[None])[0]}
    return out


def compare(path, new):
    """Print how a stored file differs from what is computed now."""
    old = dict(np.load(path)) if path.exists() else {}
    for name in sorted({*old, *new}):
        told = difference(old.get(name), new[name]) if name in new else "gone"
        if not told.startswith("largest change 0,"):
            sys.stdout.write(f"{path.name}: {name}: {told}\n")


def difference(old, new):
    """One line about how two arrays differ."""
    if old is None:
        return "new"
    if old.shape != new.shape:
        return f"shape {old.shape} -> {new.shape}"
    delta = np.abs(old.astype(float) - new.astype(float))
    return f"largest change {delta.max():g}, {np.count_nonzero(delta)} of {delta.size} values"


def picture_answer():
    """What the bundled model reads on the bundled photograph."""
    from pyojeong.runtime.analyzer import Analyzer
    from pyojeong.runtime.golden import GOLDEN_PICTURE

    (face,) = Analyzer(threads=1).analyze(GOLDEN_PICTURE).faces
    label, score = face.expression.top
    box = [round(v, 1) for v in face.box.xyxy]
    return {"box": box, "top": label, "score": round(score, 3)}


def layout_files():
    """Name of a file in the layout of another tool -> its text."""
    sys.path.insert(0, str(FOLDER.parents[1]))
    from pyojeong.output.layouts.registry import LAYOUTS
    from pyojeong.output.layouts.writing import to_layout
    from tests.output.made_layouts import clip, photographs

    with tempfile.TemporaryDirectory() as made:
        files = []
        for name, layout in LAYOUTS.items():
            files += to_layout(clip(), Path(made, name + layout.ending), layout=name)
            if layout.photographs:
                target = Path(made, f"{name}_photographs{layout.ending}")
                files += to_layout(photographs(), target, layout=name)
        return {file.name: file.read_text("utf-8") for file in files}


def main():
    """Print, and with ``--write`` store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="overwrite the stored vectors")
    arguments = parser.parse_args()
    sys.path.insert(0, str(FOLDER))
    new = {PREPROCESS: computed(), FEATURES: computed_features()}
    for path, arrays in new.items():
        compare(path, arrays)
    layouts = layout_files()
    for name, text in layouts.items():
        stored = (LAYOUT_FILES / name).read_text("utf-8") if (LAYOUT_FILES / name).exists() else ""
        if stored != text:
            sys.stdout.write(f"{name}: {'changed' if stored else 'new'}\n")
    from pyojeong.runtime.golden import GOLDEN_ANSWER

    stored = json.loads(GOLDEN_ANSWER.read_text()) if GOLDEN_ANSWER.exists() else None
    answer = picture_answer()
    if answer != stored:
        sys.stdout.write(f"{GOLDEN_ANSWER.name}: {stored} -> {answer}\n")
    if arguments.write:
        GOLDEN_ANSWER.write_text(json.dumps(answer) + "\n")
        for path, arrays in new.items():
            np.savez_compressed(path, **arrays)
        for name, text in layouts.items():
            (LAYOUT_FILES / name).write_text(text, "utf-8")
        written = ", ".join(path.name for path in (*new, GOLDEN_ANSWER, LAYOUT_FILES))
        sys.stdout.write(f"wrote {written}\n")


if __name__ == "__main__":
    main()
