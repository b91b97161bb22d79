"""The table of results: what it says, what it refuses to be sorted by, and that it is quick."""

import csv
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest

from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import write_record
from pyojeong.experiments.reference_labels import read_truth
from pyojeong.experiments.result_files import read_results
from pyojeong.experiments.result_table import rate, short_count, short_reason, to_csv, to_markdown
from pyojeong.experiments.results import (
    SORTS,
    Row,
    cost_key,
    matching_results,
    over_seeds,
    read_costs,
    row_of,
    sort_by,
)
from pyojeong.experiments.results_page import write_page
from tests.experiments.made_results import failed, keep, keep_truth, looked, made

HAND = [
    looked(made("full/yu-zhang.s1", 0.6, about={"their_accuracy": 0.5029})),
    made(
        "seed2021/17",
        0.4,
        net="inception_resnet_v2",
        net_options={"head": "conv"},
        size_hw=[75, 75],
        color="rgb",
        feature="clahe(clip 5, grid 2)",
        augmented=False,
        smoothing=0.0,
        lr=1e-5,
        frozen_lr=1e-4,
        frozen_epochs=2,
        pretrained="imagenet-x",
    ),
    failed("seed2021/14", "training diverged | at epoch 3\nlower lr"),
]
GOLDEN = (
    "| name | net | input | feature | augmented | loss | optimizer | lr | epochs | pretrained "
    "| images | accuracy | 95 % interval | macro-F1 | ECE | test accuracy | test interval "
    "| params | MACs | ms a face | minutes | seed | theirs | status |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | ---: | --- | ---: | ---: | --- | ---: "
    "| ---: | ---: | --- | ---: | ---: | ---: | ---: | --- | ---: | --- |\n"
    "| full/yu-zhang.s1 | yu_zhang (dropout 0.2, pool max) | 48 gray | none | yes "
    "| cross-entropy, smoothing 0.1 | adamw | 2e-3 | 4 | no | 28,709 | 62.4 % | 60.4 to 64.4 "
    "| 62.4 % | 3.0 % | 62.4 % | 60.4 to 64.4 | 1.2 M | 45.6 M | 1.5 | 12.3 | 1 | 50.3 % "
    "| finished |\n"
    "| seed2021/17 | inception_resnet_v2 (head conv) | 75 rgb | clahe(clip 5, grid 2) | no "
    "| cross-entropy | adamw | 1e-4, 1e-5 | 4 | imagenet-x | 28,709 | 37.6 % | 35.6 to 39.6 "
    "| 37.6 % | 3.0 % |  |  | 1.2 M | 45.6 M |  | 12.3 | 0 |  | finished |\n"
    "| seed2021/14 | yu_zhang (dropout 0.2, pool max) | 48 gray | none | yes "
    "| cross-entropy, smoothing 0.1 | adamw | 2e-3 | 4 | no |  |  |  |  |  |  |  |  |  | 1.5 | 0.5 "
    "| 0 |  | failed: training diverged \\| at epoch 3 |\n"
)


def costs() -> dict[str, object]:
    key = cost_key(HAND[0]["settings"])
    return {
        "version": 1,
        "unit": "ms per face",
        "nets": {key: {"ms": 1.5, "ratio": 1, "params": 1}},
    }


def rows() -> list[Row]:
    return [row_of(result, costs()) for result in HAND]


def test_the_table_of_three_runs() -> None:
    assert to_markdown(sort_by(rows(), "accuracy")) == GOLDEN


def test_no_rows_are_no_table() -> None:
    assert to_markdown([]) == "No results.\n"


def test_results_are_read_back_as_they_were_kept(tmp_path: Path) -> None:
    keep(tmp_path, *HAND)
    keep_truth(tmp_path)
    (tmp_path / "costs.json").write_text(json.dumps(costs()))
    assert read_results(tmp_path) == sorted(HAND, key=lambda r: r["name"])
    assert read_costs(tmp_path) == costs()
    assert read_costs(tmp_path / "arms") == costs()


def test_csv_holds_raw_numbers_of_every_field() -> None:
    first, second, third = csv.DictReader(io.StringIO(to_csv(rows())))
    assert list(first) == [f.name for f in fields(Row)]
    assert float(first["accuracy"]) == HAND[0]["valid"]["accuracy"]["value"]
    assert float(first["accuracy_low"]) == HAND[0]["valid"]["accuracy"]["low"]
    assert float(first["test_high"]) == HAND[0]["test"]["accuracy"]["high"]
    assert (first["params"], first["ms"], first["their_accuracy"]) == ("1234567", "1.5", "0.5029")
    assert (second["frozen_lr"], second["lr"], second["test_accuracy"]) == ("0.0001", "1e-05", "")
    assert third["reason"] == "training diverged | at epoch 3\nlower lr"
    assert (third["status"], third["accuracy"], third["params"]) == ("failed", "", "")


@pytest.mark.parametrize("key", ["test", "test_accuracy", "test_low"])
def test_nothing_is_sorted_by_the_test_figure(key: str) -> None:
    with pytest.raises(ExperimentError, match="chosen on the test split"):
        sort_by(rows(), key)
    assert not any(name.startswith("test") for name in SORTS)


def test_sorting() -> None:
    assert [r.name for r in sort_by(rows(), "name")] == sorted(r["name"] for r in HAND)
    assert sort_by(rows(), "accuracy")[0].name == "full/yu-zhang.s1"
    assert [r.ms for r in sort_by(rows(), "ms")] == [1.5, 1.5, None]
    with pytest.raises(ExperimentError, match="did you mean 'minutes'"):
        sort_by(rows(), "minuets")


def test_means_over_seeds() -> None:
    runs = [made("a/x.s1", 0.5), made("a/x.s2", 0.7), made("a/y.s1"), failed("a/y.s2", "no memory")]
    one, other = over_seeds(row_of(r) for r in [*runs[:2], *runs[2:]])
    values = sorted(r["valid"]["accuracy"]["value"] for r in runs[:2])
    assert (one.name, one.runs, one.seed) == ("a/x", 2, None)
    assert one.accuracy == pytest.approx(sum(values) / 2, abs=1e-5)
    assert (one.seeds_low, one.seeds_high) == tuple(values)
    assert (other.name, other.runs, other.seeds_low) == ("a/y", 1, None)
    assert other.reason == "1 of 2 seeds failed"
    assert "1 of 2 seeds failed" in to_markdown([other])
    (lost,) = over_seeds([row_of(runs[3])])
    assert (lost.status, lost.runs) == ("failed", 0)


def test_runs_of_other_settings_or_data_are_not_averaged() -> None:
    base = made("a/x.s1", 0.5)
    assert [row.runs for row in over_seeds(map(row_of, (base, made("a/x.s2", mixup=0.0))))] == [2]
    few = {**made("a/x.s2", 0.7), "train_samples": 20}
    data = made("a/x.s2", 0.7)
    data["environment"] = {**data["environment"], "manifest_id": "ab"}
    limit = made("a/x.s2", 0.7)
    limit["environment"] = {**limit["environment"], "limit": 20}
    for other in (made("a/x.s2", 0.7, epochs=1), made("a/x.s2", lr=0.1), few, data, limit):
        one, two = over_seeds([row_of(base), row_of(other)])
        assert (one.name, two.name) == ("a/x", "a/x")
        assert (one.runs, one.accuracy) == (1, row_of(base).accuracy)
        assert (two.runs, two.accuracy) == (1, row_of(other).accuracy)
        assert one.reason == two.reason == "other seeds have other settings or data"
    third = made("a/x.s3", 0.6)
    same, _ = over_seeds(map(row_of, (base, made("a/x.s2", epochs=1), third)))
    assert same.runs == 2


@pytest.mark.parametrize(
    ("mixed", "said"), [("arms/a.s2", "data): arms/a."), ("arms/base.s2", "data): arms/base.")]
)
def test_seeds_of_other_settings_are_not_compared(tmp_path: Path, mixed: str, said: str) -> None:
    keep_truth(tmp_path)
    runs = [made(f"arms/{name}.s{seed}") for name in ("a", "b", "base") for seed in (1, 2)]
    page = write_page(runs, tmp_path / "r.html", truth=read_truth(tmp_path)).read_text()
    assert "Not compared" not in page
    runs = [made(run["name"], epochs=1) if run["name"] == mixed else run for run in runs]
    page = write_page(runs, tmp_path / "r.html", truth=read_truth(tmp_path)).read_text()
    assert f"Not compared (other seeds have other settings or {said}" in page


def test_a_test_mean_needs_a_look_at_every_seed() -> None:
    seen, unseen = looked(made("a/x.s1")), made("a/x.s2")
    (row,) = over_seeds([row_of(seen), row_of(unseen)])
    assert row.test_accuracy is None
    (row,) = over_seeds([row_of(seen), row_of(looked(unseen))])
    assert row.test_accuracy is not None


def test_the_key_of_a_cost_knows_what_costs_time() -> None:
    first = made("a")["settings"]
    assert cost_key(first) == cost_key(made("b", lr=1.0, loss="hinge")["settings"])
    turned = {"pool": "max", "dropout": 0.2}  # the same options in another order
    assert cost_key(first) == cost_key(made("b", net_options=turned)["settings"])
    for change in ({"net": "x"}, {"size_hw": [64, 64]}, {"color": "rgb"}, {"feature": "hog"}):
        assert cost_key(first) != cost_key(made("b", **change)["settings"])


def test_results_by_name_folder_and_experiment() -> None:
    found = [made(n) for n in ("arms/base.s1", "arms/base.s2", "arms/hog.s1", "full/x.s1")]

    def names(*patterns: str) -> list[str]:
        return [r["name"] for r in matching_results(found, patterns)]

    assert len(names()) == 4
    assert names("arms/base") == ["arms/base.s1", "arms/base.s2"]
    assert names("full/", "arms/hog.s1") == ["arms/hog.s1", "full/x.s1"]
    with pytest.raises(ExperimentError, match="did you mean 'arms/base'"):
        names("arms/bsae")


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is no result"), ('{"version": 9, "name": "a", "settings": {}, "status": "x"}', "9")],
)
def test_a_damaged_result_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ExperimentError, match=rf"bad\.json.*{words}"):
        read_results(tmp_path)


def test_a_result_that_lacks_something_and_costs_that_are_none(tmp_path: Path) -> None:
    result = made("a")
    del result["params"]
    with pytest.raises(ExperimentError, match="'a' lacks something"):
        row_of(result)
    write_record(tmp_path / "costs.json", costs())
    changed = (tmp_path / "costs.json").read_text().replace("1.5", "7.5")
    for text in ("[]", '{"version": 2, "nets": {}, "unit": ""}', "{", changed):
        (tmp_path / "costs.json").write_text(text)
        with pytest.raises(ExperimentError, match=r"costs\.json"):
            read_costs(tmp_path)


def test_figures_for_people() -> None:
    assert [rate(v) for v in (3e-4, 0.0025, 0.1, 1e-5)] == ["3e-4", "2.5e-3", "0.1", "1e-5"]
    assert [short_count(v) for v in (999, 1000, 999_999, 1.26e6, 3.4e9, None)] == [
        "999",
        "1.0 k",
        "1.0 M",
        "1.3 M",
        "3.4 G",
        "",
    ]
    assert short_reason("one two three four", longest=9) == "one two …"


def test_a_hundred_runs_in_two_seconds_without_torch(tmp_path: Path) -> None:
    keep(tmp_path, *(made(f"seed2021/{i:02}.s1", 0.3 + i / 250) for i in range(100)))
    code = (
        "import sys\nfrom pyojeong.cli.app import main\n"
        f"sys.argv = ['pyojeong', 'experiments', 'table', '--results', {str(tmp_path)!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'lightning', 'timm', 'pyarrow'} & set(sys.modules)\n"
        "print('loaded:', sorted(heavy), file=sys.stderr)"
    )
    seconds = []
    for _ in range(3):  # other processes of the machine slow down one or the other
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        seconds.append(time.perf_counter() - started)
        if seconds[-1] < 2:
            break
    assert min(seconds) < 2
    assert done.stderr.strip() == "loaded: []"
    assert len(done.stdout.splitlines()) == 102


def page_of(folder: Path, *results: dict[str, object]) -> str:
    return write_page(results, folder / "page.html", truth=read_truth(folder)).read_text()


def test_the_page_says_what_was_chosen_where(tmp_path: Path) -> None:
    text = page_of(tmp_path, *HAND)
    for words in (
        "2 of 2 finished runs",
        "The test split was not used for choosing anything. It was used once for 1 run",
        "training diverged | at epoch 3",
        "Full trainings",
        "Accuracy against work",
        "Scored on the test split: 2026-01-02",
    ):
        assert words in text
    sortable = text.split('aria-sort="')[1:]
    assert not any("test" in part.partition("</button>")[0] for part in sortable)
    assert "http" not in text


def test_the_page_compares_arms_with_their_base(tmp_path: Path) -> None:
    runs = [made("arms/base.s1", 0.6), made("arms/base.s2", 0.6), made("arms/good.s1", 0.95)]
    assert "Differences need valid.json" in page_of(tmp_path, *runs)
    keep_truth(tmp_path)
    text = page_of(tmp_path, *runs)
    assert "1 against 2" in text
    assert "between the base&#x27;s own seeds lie" in text
    strange = made("arms/strange.s1")
    strange["valid"]["split_sha256"] = "cd" * 32
    text = page_of(tmp_path, *runs, strange)
    assert "Not compared, as measured on another split: 1." in text
    assert "2 different valid splits" in text


def test_a_page_of_failures_alone_and_of_nothing(tmp_path: Path) -> None:
    text = page_of(tmp_path, failed("arms/base.s1", "out of memory"))
    assert "No run of this group finished." in text
    with pytest.raises(ExperimentError, match="no results to show"):
        page_of(tmp_path)


def test_words_from_results_do_not_become_markup(tmp_path: Path) -> None:
    result = made("full/<b>", about={"note": "<i>", "group": "<u>"}, net="<s>")
    text = page_of(tmp_path, result, failed("full/x", "<em>"))
    for hidden in ("<b>&", "full/<b>", "<i>", "<u>", "<s>", "<em>"):
        assert hidden not in text


def test_two_results_of_a_name_are_both_named_when_they_differ(tmp_path: Path) -> None:
    keep(tmp_path, made("tiny.s1"))
    again = made("tiny.s1", 0.3)
    keep(tmp_path / "zkept", made("tiny.s1"))
    assert len(read_results(tmp_path)) == 1
    keep(tmp_path / "zkept", again)
    with pytest.raises(
        ExperimentError, match=r"/tiny\.s1\.json and .*zkept/tiny\.s1\.json are differ"
    ):
        read_results(tmp_path)
    keep(tmp_path, looked(again))  # the copy is of the time before the test split was scored
    for folder in (tmp_path, tmp_path / "zkept"):
        keep(folder, looked(again))
        assert read_results(tmp_path)[0]["test"] is not None
        keep(folder, again)
    other = looked(again)
    other["test"]["accuracy"]["value"] = 0.9
    keep(tmp_path, looked(again))
    keep(tmp_path / "zkept", other)
    with pytest.raises(ExperimentError, match="are different results of tiny"):
        read_results(tmp_path)


def test_what_is_no_result_of_its_name_is_one_line(tmp_path: Path) -> None:
    keep(tmp_path, made("tiny.s1"), made("tiny.s2"))
    (tmp_path / "tiny.s2.json").write_text((tmp_path / "tiny.s1.json").read_text())
    with pytest.raises(ExperimentError, match=r"tiny\.s2\.json holds the result of tiny\.s1: call"):
        read_results(tmp_path)
    (tmp_path / "tiny.s2.json").write_text('{"settings": 1, "status": "finished", "version": 1}')
    with pytest.raises(ExperimentError, match="is no result: it has no name"):
        read_results(tmp_path)
    (tmp_path / "tiny.s2.json").unlink()
    os.mkfifo(tmp_path / "x.json")
    assert [result["name"] for result in read_results(tmp_path)] == ["tiny.s1"]
