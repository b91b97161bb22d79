"""``pyojeong experiments`` on results made by hand: nothing is trained here."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import pyojeong.cli.experiments as command
import pyojeong.experiments
from pyojeong.cli.app import main
from pyojeong.cli.sums import PART_OF_A_COMMAND, print_run_counts
from pyojeong.core.errors import ExperimentError, MissingExtra
from tests.experiments.made_results import failed, keep, keep_truth, looked, made
from tests.training import tiny

ARM = 'extends = "_arms.toml"\n[about]\nchange = "none"\n'


def run(*args: object) -> int:
    try:
        main(["experiments", *(str(a) for a in args)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def stand_in(monkeypatch: pytest.MonkeyPatch, module: str, **functions: Any) -> None:
    """Put a module of the lab that needs torch aside, so that only the command is tested."""
    fake = SimpleNamespace(**functions)
    monkeypatch.setitem(sys.modules, f"pyojeong.experiments.{module}", fake)
    monkeypatch.setattr(pyojeong.experiments, module, fake, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three experiments; the first has two seeds."""
    arms = tmp_path / "experiments" / "arms"
    arms.mkdir(parents=True)
    (arms / "_arms.toml").write_text(tiny.TOML.replace('name = "tiny"\nseed = 3\n', ""))
    (arms / "base.toml").write_text("seeds = [1, 2]\n" + ARM)
    (arms / "hog.toml").write_text("seeds = [1]\n" + ARM)
    (arms / "sgd.toml").write_text("seeds = [1]\n" + ARM)
    return arms.parent


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs: one finished, one at its second epoch, one failed."""
    root = tmp_path / "runs"
    for result in (made("arms/base.s1"), failed("arms/hog.s1", "too large")):
        file = root / result["name"] / "result.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(result))
    begun = root / "arms" / "base.s2"
    begun.mkdir(parents=True)
    lines = [json.dumps({"epoch": i, "epochs": 6, "seconds": 1.0}) + "\n" for i in range(2)]
    (begun / "curves.jsonl").write_text("".join(lines) + '{"epoch": 2, "epo')
    return root


def test_list(folder: Path, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--folder", folder, "--runs", runs) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = [" ".join(line.split()) for line in out.splitlines()]
    accuracy = made("arms/base.s1")["valid"]["accuracy"]["value"]
    assert lines[1:] == [
        f"arms/base 1 / 2 s1 {100 * accuracy:.1f} %, s2 epoch 2 of 6",
        "arms/hog 1 / 1 failed",
        "arms/sgd 0 / 1",
    ]
    assert run("list", "--folder", folder, "--runs", runs, "arms/hog") == 0
    assert "arms/base" not in capsys.readouterr().out


def test_list_survives_a_damaged_result(
    folder: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "arms" / "hog.s1" / "result.json").write_text("{")
    assert run("list", "--folder", folder, "--runs", runs) == 0
    assert "damaged" in capsys.readouterr().out


def test_list_is_quick_and_needs_no_torch(folder: Path, runs: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from pyojeong.cli.experiments import list_experiments\n"
        f"list_experiments(Path({str(folder)!r}), Path({str(runs)!r}), [])\n"
        "assert not {'torch', 'lightning', 'timm'} & set(sys.modules)"
    )
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert time.perf_counter() - started < 1.5


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("list", "--folder", "nowhere"), "nowhere is not a folder of experiments"),
        (("list", "--folder", "experiments", "arms/bsae"), "did you mean 'arms/base'"),
        (("table", "--results", "nowhere"), "nowhere is not a folder of results"),
        (("report", "--results", "nowhere"), "nowhere is not a folder of results"),
        (("table", "--results", "runs", "arms/hgo"), "did you mean 'arms/hog'"),
    ],
)
def test_what_is_not_there_is_named(
    args: tuple[str, ...],
    words: str,
    folder: Path,
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder.parent)
    assert run(*args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in " ".join(err.split())


def test_table(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("table", "--results", runs) == 0
    out = capsys.readouterr().out
    assert out.startswith("| name |")
    assert "failed: too large" in out
    assert "Means over seeds" not in out
    file = tmp_path / "deep" / "table.csv"
    assert run("table", "--results", runs, "-f", "csv", "--out", file, "arms/base") == 0
    assert capsys.readouterr().out == ""
    assert len(file.read_text().splitlines()) == 2


def test_the_table_of_a_terminal_has_eighty_columns(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("table", "--results", runs, "-f", "terminal") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["name", "accuracy"]
    assert len(lines) > 2
    assert all(len(line) <= 80 and "…" not in line for line in lines)


def test_table_adds_means_over_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path, made("arms/base.s1"), made("arms/base.s2", 0.7))
    assert run("table", "--results", tmp_path) == 0
    means = capsys.readouterr().out.partition("Means over seeds:")[2]
    assert "| arms/base |" in means
    assert "| 2: " in means


def test_table_names_what_is_not_averaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, made("arms/base.s1"), made("arms/base.s2", 0.7, epochs=1))
    assert run("table", "--results", tmp_path) == 0
    said = capsys.readouterr().out
    assert "Means over seeds" not in said
    assert "Not averaged (other seeds have other settings or data): arms/base.\n" in said


def test_report_takes_costs_and_labels_from_beside_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyojeong.experiments.results import cost_key

    found = [looked(made("arms/base.s1")), made("arms/good.s1", 0.9, loss="focal", smoothing=0.0)]
    found.append(made("full/yu-zhang.s1"))
    results = keep(tmp_path / "results", *found)
    keep_truth(results)
    nets = {cost_key(found[0]["settings"]): {"ms": 2.5, "ratio": 1.0, "params": 3}}
    costs = {"version": 1, "unit": "ms per face, one thread, batch 1", "nets": nets}
    (results / "costs.json").write_text(json.dumps(costs))
    file = tmp_path / "page.html"
    assert run("report", "--results", results, "--out", file) == 0
    assert capsys.readouterr().out.strip() == str(file)
    text = file.read_text()
    assert "Accuracy against latency" in text
    assert "Accuracy minus that of arms/base" in text
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    assert run("report", "--results", results, "--out", file) == 0  # a page is made again
    file.write_bytes(b"PK my thesis")
    assert run("report", "--results", results, "--out", file) == 1
    assert "is there already" in " ".join(capsys.readouterr().err.split())
    assert file.read_bytes() == b"PK my thesis"


def test_several_jobs_are_the_same_command_in_processes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    stand_in(monkeypatch, "runner", in_processes=lambda args, jobs: seen.append((args, jobs)) or 1)
    monkeypatch.setenv("TERM", "xterm")
    manifest, console = tiny.manifest(tmp_path), Console(stderr=True)
    options = {
        "seeds": [7],
        "keep": tmp_path / "kept",
        "jobs": 2,
        "again": True,
        "logger": "mlflow",
    }
    code = command.run_named(folder, ["arms"], manifest, tmp_path / "runs", console, **options)
    ((args, jobs),) = seen
    assert (code, jobs) == (1, 2)
    assert args[:5] == ["experiments", "run", "arms/base", "arms/hog", "arms/sgd"]
    assert args[5:] == [
        *("--data", str(manifest), "--folder", str(folder), "--runs", str(tmp_path / "runs")),
        *("--keep", str(tmp_path / "kept"), "--log", "mlflow", "--seed", "7", "--again"),
    ]
    assert command.os.environ["TERM"] == "xterm"
    assert (tmp_path / "kept" / "valid.json").exists()


@pytest.mark.parametrize(("status", "code"), [("finished", 0), ("failed", 1)])
def test_a_line_per_run_and_what_another_process_had_once_more(
    status: str,
    code: int,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[list[str]] = []

    def run_all(planned: Any, *_: Any, say: Any, progress: Any, **__: Any) -> list[Any]:
        asked.append([p.name for p in planned])
        done = planned if len(asked) > 1 else planned[:1]
        for plan in done:
            progress(plan, {"epoch": 0, "epochs": 6})
            say(f"{plan.name}: over [1]")
            result = tmp_path / "runs" / plan.name / "result.json"
            result.parent.mkdir(parents=True)
            pictures = {"given": 9, "read": 8, "failed": 0, "left_out": {"hidden": 1}}
            result.write_text(json.dumps({"status": status, "pictures": pictures}))
        return [{"name": p.name, "status": status} for p in done]

    stand_in(monkeypatch, "runner", run_all=run_all, RunOptions=lambda **given: given)
    manifest, console = tiny.manifest(tmp_path), Console(stderr=True, width=200)
    found = command.run_named(folder, ["arms/base"], manifest, tmp_path / "runs", console)
    assert found == code
    assert asked == [["arms/base.s1", "arms/base.s2"], ["arms/base.s2"]]
    out, err = capsys.readouterr()
    assert out == ""
    *lines, pictures, runs = err.splitlines()
    assert lines == ["arms/base.s1: over [1]", "arms/base.s2: over [1]"]
    if status == "failed":
        assert pictures.endswith(": 0 given = 0 read + 0 failed + 0 left out")
        assert runs == "runs: 2 given = 0 read + 2 failed + 0 left out"
        return
    assert pictures.endswith(": 18 given = 16 read + 0 failed + 2 left out (2 hidden)")
    assert runs == "runs: 2 given = 2 read + 0 failed + 0 left out"
    monkeypatch.setenv(PART_OF_A_COMMAND, "1")  # a process that does a part of the work
    assert print_run_counts(["arms/base.s1"], tmp_path / "runs", console) == 0
    monkeypatch.delenv(PART_OF_A_COMMAND)
    assert print_run_counts(["arms/base.s1", "x"], tmp_path / "runs", console) == 0
    err = capsys.readouterr().err
    assert err.count("\n") == 2
    assert "runs: 2 given = 1 read + 0 failed + 1 left out (1 without a result yet)" in err


def test_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[list[str]] = []
    left: list[SimpleNamespace] = []
    stand_in(
        monkeypatch,
        "runner",
        unfinished=lambda _: left,
        in_processes=lambda args, _: seen.append(args) or 0,
    )
    (tmp_path / "runs").mkdir()
    manifest, runs, console = tmp_path / "x.parquet", tmp_path / "runs", Console(stderr=True)
    assert command.resume_all(manifest, runs, console) == 0
    assert "every run in" in " ".join(capsys.readouterr().err.split())
    left.extend(SimpleNamespace(name=name) for name in ("arms/base.s1", "arms/base.s2"))
    assert command.resume_all(manifest, runs, console, jobs=2) == 0
    assert seen == [["experiments", "resume", "--data", str(manifest), "--runs", str(runs)]]
    with pytest.raises(ExperimentError, match="nothing was begun"):
        command.resume_all(manifest, tmp_path / "nowhere", console)


def test_training_without_torch_names_the_cure(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyojeong.experiments.runner", None)
    with pytest.raises(MissingExtra, match=r"pyojeong\[train\]"):
        command.run_named(
            folder, ["arms"], tiny.manifest(tmp_path), tmp_path / "runs", Console(stderr=True)
        )


def test_score_test_hands_on_where_to_keep_and_prints_the_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = looked(made("arms/base.s1"))
    given: list[Any] = []

    def score_test(*arguments: Any, keep: Path | None) -> dict[str, Any]:
        given.append((*arguments, keep))
        return result

    stand_in(monkeypatch, "score_test", score_test=score_test)
    console = Console(stderr=True, width=200)
    command.score_test_once(tmp_path, tmp_path / "m.parquet", console, keep=tmp_path)
    assert given == [(tmp_path, tmp_path / "m.parquet", tmp_path)]
    out, err = capsys.readouterr()
    assert float(out) == result["test"]["accuracy"]["value"]
    assert "test" in err
    n = result["test"]["n"]
    assert err.splitlines()[-1] == f"pictures: {n} given = {n} read + 0 failed + 0 left out"


def test_time_writes_the_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def time_nets(results: list[Any], *, rounds: int, say: Any) -> dict[str, Any]:
        say("round")
        return {"version": 1, "unit": "ms", "nets": {}, "rounds": rounds, "n": len(results)}

    stand_in(monkeypatch, "timing", time_nets=time_nets)
    keep(tmp_path, made("arms/base.s1"))
    assert run("time", "--results", tmp_path, "--out", tmp_path / "costs.json", "--rounds", 5) == 0
    found = json.loads((tmp_path / "costs.json").read_text())
    assert (found["rounds"], found["n"]) == (5, 1)


def test_time_without_a_finished_run_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, failed("arms/base.s1", "x"))
    assert run("time", "--results", tmp_path, "--out", tmp_path / "costs.json") == 2
    assert "nothing to time" in " ".join(capsys.readouterr().err.split())


def test_teach_writes_the_answers_of_finished_runs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tiny.manifest(tmp_path)
    assert run("run", "arms/hog", "--data", data, "--folder", folder, "--runs", tmp_path) == 0
    out = tmp_path / "soft" / "labels.npz"
    teacher = tmp_path / "arms" / "hog.s1"
    options = ["--data", data, "--folder", folder, "--out", out, "--views", 3]
    assert run("distill", teacher, "--like", "arms/base", *options) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "3 views of every training face; weights: arms/hog.s1 1.000" in said
    assert said.endswith("pictures: 126 given = 126 read + 0 failed + 0 left out")
    with np.load(out) as kept:
        assert kept["log_probabilities"].shape == (3, 126, 7)
    assert run("teach", tmp_path / "nothing", "--like", "arms/base", *options) == 2
    assert "nothing" in capsys.readouterr().err
