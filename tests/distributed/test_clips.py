"""Clips as shards, and clips and curation on Ray: the results of one process."""

import filecmp
import json
import os
from pathlib import Path

import pytest

from pyojeong.curate import curation
from pyojeong.curate.checks import parse_checks
from pyojeong.curate.curation import Plan, curate
from pyojeong.curate.findings import Store
from pyojeong.distributed.ray_engine import RayOptions
from tests.curate.made import COFFEE, face, noise, sample, write
from tests.distributed.test_analyze_parts import run, said
from tests.video.made import make_clip

OPTIONS = ("--no-eyes", "--no-report", "--fps", "5", "-f", "csv", "-f", "json")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips, two of one name, and a file that is none."""
    folder = tmp_path_factory.mktemp("clips")
    for name in ("a/walk", "b/walk", "talk"):
        (folder / name).parent.mkdir(exist_ok=True)
        make_clip(folder / f"{name}.mp4", frames=12)
    (folder / "broken.mp4").write_bytes(b"no clip")
    return folder


@pytest.fixture(scope="module")
def whole(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clips-whole")
    assert run("video", clips, "-o", out, *OPTIONS) == 1
    return out


def files(out: Path) -> dict[str, bytes]:
    left = {"settings.toml", "shard.json"}
    paths = (Path(base, name) for base, _, names in os.walk(out) for name in names)
    return {str(p.relative_to(out)): p.read_bytes() for p in paths if p.name not in left}


def test_merged_shards_are_one_run(
    clips: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = [tmp_path / str(index) for index in (1, 2)]
    for index, out in enumerate(outs, 1):
        assert run("video", clips, "-o", out, *OPTIONS, "--shard", f"{index}/2") in {0, 1}
        assert not (out / "people.csv").exists()
    assert run("merge", *outs, "-o", tmp_path / "m") == 1
    merged, one = files(tmp_path / "m"), files(whole)
    counts = [json.loads(each.pop("inputs.json"))["read"] for each in (merged, one)]
    assert counts == [3, 3]
    assert merged == one
    capsys.readouterr()
    assert run("merge", outs[0], "-o", tmp_path / "n") == 2
    assert "shard 2/2 is missing" in said(capsys)
    assert run("merge", *outs, whole, "-o", tmp_path / "n") == 2
    assert "holds no shard of clips" in said(capsys)
    assert run("video", clips, "-o", outs[0], *OPTIONS) == 2
    assert "holds shard 1/2" in said(capsys)
    assert run("merge", *outs, "-o", tmp_path / "m") == 1  # again
    assert {**files(tmp_path / "m"), "inputs.json": b""} == {**one, "inputs.json": b""}


def test_ray_gives_the_same_results(
    clips: Path, whole: Path, tmp_path: Path, ray: RayOptions
) -> None:
    assert run("video", clips, "-o", tmp_path, *OPTIONS, "--engine", "ray") == 1
    on_ray, one = files(tmp_path), files(whole)
    on_ray.pop("inputs.json"), one.pop("inputs.json")
    assert on_ray == one


def test_curation_on_ray_finds_the_same(
    tmp_path: Path, ray: RayOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curation, "PIECE", 3)
    rows = [sample(face(96), "happy"), sample(b"broken", "fear"), sample(COFFEE, "neutral")]
    rows += [sample(noise(i), "sad") for i in range(4)]
    table = write(tmp_path / "set.parquet", rows)
    stores = [Store(tmp_path / name, table) for name in ("local", "ray")]
    for store, how in zip(stores, (None, ray), strict=True):
        curate(store, Plan(parse_checks(["no-face", "flat", "unreadable"]), {}, jobs=1, ray=how))
    names = [sorted(p.relative_to(s.folder) for p in s.folder.rglob("*.parquet")) for s in stores]
    assert names[0] == names[1]
    assert len(names[0]) == 9
    same = [
        filecmp.cmp(stores[0].folder / n, stores[1].folder / n, shallow=False) for n in names[0]
    ]
    assert all(same)
