"""The folder of the page: what goes in, and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pyojeong.cli.page import web_network
from pyojeong.core.errors import InputError, ModelMismatch
from pyojeong.core.feature import Hog
from pyojeong.page import build
from pyojeong.page.build import ORT_FILES, build_page, ort_folder, page_settings
from pyojeong.zoo import DEFAULT_MODEL, FER2013_MODEL, find

ROOT = Path(__file__).parents[2]
WEB = ROOT / "src" / "pyojeong" / "page" / "web"


def test_what_is_in_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="something else"):
        build_page(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        build_page(tmp_path / "mine.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_earlier_page_is_replaced_whole(tmp_path: Path) -> None:
    out = build_page(tmp_path / "site")
    before = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    (out / "left.js").write_text("")
    build_page(out)
    assert {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def test_without_onnxruntime_web(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make page"):
        ort_folder(tmp_path)
    with pytest.raises(InputError, match=r"ort\.wasm\.min\.mjs"):
        build_page(tmp_path / "site", ort=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_models_that_the_page_cannot_run(tmp_path: Path) -> None:
    card = find(DEFAULT_MODEL).card
    feature = replace(card.preprocess, feature=Hog())
    with pytest.raises(ModelMismatch, match="Hog features"):
        page_settings(replace(card, preprocess=feature))
    with pytest.raises(ModelMismatch, match="no expression classifier"):
        build_page(tmp_path / "site", model="blazeface-192-full.google")
    with pytest.raises(ModelMismatch, match=r"pyojeong\[train\]"):
        build_page(tmp_path / "site", model=FER2013_MODEL)
    assert list(tmp_path.iterdir()) == []


def test_another_model_is_converted(tmp_path: Path) -> None:
    out = build_page(tmp_path / "site", model=FER2013_MODEL, web_network=web_network)
    settings = json.loads((out / "page.json").read_text())
    assert settings["model_ids"][1].startswith(find(FER2013_MODEL).card.id)
    assert (out / "models" / "classifier.onnx").stat().st_size > 1_000_000


def test_versions_agree() -> None:
    wanted = json.loads((ROOT / "tools/page/package.json").read_text())["dependencies"]
    lock = json.loads((ROOT / "tools/page/package-lock.json").read_text())["packages"]
    assert wanted == {"onnxruntime-web": build.ORT_VERSION}
    assert lock["node_modules/onnxruntime-web"]["version"] == build.ORT_VERSION
    assert (ort_folder() / "VERSION").read_text().strip() == build.ORT_VERSION
    fetched = (ROOT / "tools/fetch_onnxruntime_web.py").read_text()
    assert all(f'"{name}"' in fetched for name in ORT_FILES)


def test_both_languages_say_the_same_things() -> None:
    text = (WEB / "js" / "text.js").read_text()
    parts = {n: text[text.index(f"  {n}: {{") : text.index("\n  },", text.index(f"  {n}: {{"))]
             for n in ("en", "ko")}  # fmt: skip
    keys = {n: re.findall(r'(\w+): "((?:[^"\\]|\\.)*)"', part) for n, part in parts.items()}
    assert [k for k, _ in keys["en"]] == [k for k, _ in keys["ko"]]
    for (name, english), (_, korean) in zip(keys["en"], keys["ko"], strict=True):
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", korean)), name
    known = {k for k, _ in keys["en"]}
    used = set()
    for path in (WEB / "index.html", *(WEB / "js").glob("*.js")):
        used |= set(re.findall(r'data-(?:text|label)="(\w+)"', path.read_text()))
        used |= set(re.findall(r'\b(?:say|tell)\("(\w+)"', path.read_text()))
    assert used <= known, used - known


def test_size_of_what_is_downloaded_first(site: Path) -> None:
    """Gzipped: at most 9 MB in all, 3.5 MB of them ours; the networks of eyes come on request."""
    import gzip

    later = {"mesh.onnx", "iris.onnx"}
    sizes = {
        path.relative_to(site): len(gzip.compress(path.read_bytes(), 6))
        for path in site.rglob("*")
        if path.is_file() and path.suffix != ".gz" and path.name not in later
    }
    ours = sum(size for path, size in sizes.items() if path.parts[0] != "ort")
    assert ours <= 3_500_000
    assert sum(sizes.values()) <= 9_000_000
