"""Targets and measured figures of the bundled model, in one table.

    python -m benchmarks.default_model

Reads docs/benchmarks/accuracy/<model>.json (by `pyojeong bench accuracy`), default_speed.json (by
`python -m benchmarks.model_speed`) and peers.json (by `python -m benchmarks.peers`) beside it, and
writes docs/benchmarks/default.md and the table between two marks in docs/index.md. Nothing is
typed by hand and nothing is measured here.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.peers.page import percent, points
from pyojeong.core.atomic_write import atomic_write
from pyojeong.runtime.classifier_names import find_classifier

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "benchmarks"
RESULTS = ROOT / "experiments" / "results"
PAGE = FIGURES / "default.md"
README = ROOT / "docs" / "index.md"
MARKS = (
    "<!-- default model: written by benchmarks.default_model -->",
    "<!-- end of the default model's table -->",
)

Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """One row.

    Attributes:
        what: What was measured.
        measured: The figure as people read it; "" = not measured yet.
        aim: The target.
        reached: Whether the target is reached; None = there is no target.
        against: What it is compared with.
    """

    what: str
    measured: str
    aim: str
    reached: bool | None
    against: str


def goals(
    accuracy: Tree,
    peers: Tree,
    second: Tree,
    speed: Tree,
    ensembles: Sequence[Tree] = (),
    seeds: Sequence[Tree] = (),
) -> list[Goal]:
    """All rows.

    Args:
        accuracy: What `pyojeong bench accuracy` wrote of the model.
        peers: What the benchmark beside other tools wrote.
        second: What `pyojeong bench accuracy` wrote of `default-fer2013`.
        speed: What `benchmarks.model_speed` wrote of both, measured alternately.
        ensembles: What `pyojeong experiments ensemble` wrote, scored on the test split.
        seeds: Results of the model's experiment, one per seed.
    """
    test = accuracy["splits"]["test"]
    return [
        *_votes_first(accuracy, second),
        *_beside_fer(peers, accuracy["model"]),
        *_ferplus(test, second["splits"]["test"]),
        _share(
            "FER2013 output: PrivateTest accuracy, single view, %",
            test["accuracy"],
            71.0,
            f"`default-fer2013` {percent(second['splits']['test']['accuracy'])}; MLCNN's best "
            "single net 73.0 (44 M weights); without pretraining and with ten views about 72.6",
        ),
        _share(
            "the same, ten views averaged, %",
            test["more_views"]["10"]["accuracy"],
            74.5,
            "MLCNN's ensemble 74.1 (93 M weights), eight nets 75.2 (Pramerdorfer), rmn 74.1 as "
            "published (143 M)",
        ),
        *map(_ensemble, ensembles),
        *_spread(seeds),
        _share(
            "PrivateTest without images that are also in an earlier split, %",
            test["deduplicated"]["accuracy"],
            None,
            "no published figure",
        ),
        Goal(
            "model file, MB",
            f"{accuracy['megabytes']:.2f}",
            "at most 4",
            accuracy["megabytes"] <= 4,
            f"`default-fer2013` {second['megabytes']:.2f}, rmn 526",
        ),
        *_speed(speed),
        *_speed_beside_fer(accuracy, peers),
        _ece(
            "FER2013 output: calibration error (15-bin ECE), PrivateTest",
            test["ece"],
            0.02,
            test["calibration"]["ece_by_chance"],
        ),
    ]


def _votes_first(accuracy: Tree, second: Tree) -> Iterable[Goal]:
    """What users get: the label that most people would give."""
    voted, before = accuracy["voted"], second["voted"]
    default, balanced = voted["by_prior"][voted["default_prior"]], voted["by_prior"]["balanced"]
    old, held = before["by_prior"][before["default_prior"]], voted["cross_fitted"]
    yield _share(
        f"photographs, the label on which both ratings agree (n = {voted['n']}), %",
        default["accuracy"],
        82,
        f"`default-fer2013` {percent(old['accuracy'])}; FER2013 output "
        f"{percent(voted['fer2013']['accuracy'])}",
    )
    auroc = default["auroc"]
    yield Goal(
        "the same photographs: macro AUROC",
        "{value:.3f} [{low:.3f}, {high:.3f}]".format(**auroc),
        "at least 0.965",
        auroc["value"] >= 0.965,
        "`default-fer2013` {value:.3f}".format(**old["auroc"]),
    )
    yield _share(
        "the same photographs, balanced prior: balanced accuracy, %",
        balanced["balanced_accuracy"],
        74,
        f"`default-fer2013` {percent(before['by_prior']['balanced']['balanced_accuracy'])}",
    )
    recall = [100 * default["recall"][name] for name in ("neutral", "angry")]
    yield Goal(
        "the same photographs, default prior: recall of neutral / angry, %",
        "{:.0f} / {:.0f}".format(*recall),
        "at least 82 / 75",
        recall[0] >= 82 and recall[1] >= 75,
        "`default-fer2013` "
        + " / ".join(f"{100 * old['recall'][n]:.0f}" for n in ("neutral", "angry")),
    )
    answered, apart = default["answered"], held["answered"]
    yield Goal(
        "the same photographs, default prior: accuracy of the answers that are not `unclear`, %",
        f"{100 * answered['accuracy']:.1f} at {100 * answered['share']:.1f} coverage",
        "at least 90 at 65 coverage",
        answered["accuracy"] >= 0.9 and answered["share"] >= 0.65,
        f"on people not used to fit the threshold: {100 * apart['accuracy']:.1f} at "
        f"{100 * apart['share']:.1f}",
    )
    yield _ece(
        "calibration error of shares, photographs, cross-fitted by person",
        held["vote_ece"],
        0.03,
        words="the best score against the share of votes for its label",
    )
    yield _ece(
        "calibration error of shares, PublicTest's ten annotators, natural prior",
        accuracy["splits"]["valid"]["votes"]["answers"]["natural"]["vote_ece"],
        0.02,
        words="the temperature was fitted on these votes",
    )


def _share(what: str, figure: Tree, aim: float | None, against: str) -> Goal:
    reached = None if aim is None else 100 * figure["value"] >= aim
    return Goal(what, percent(figure), "" if aim is None else f"at least {aim}", reached, against)


def _ensemble(record: Tree) -> Goal:
    views = {1: "single view", 2: "mirrored pair", 10: "ten views"}[record["views"]]
    members = {name for name, weight in record["members"].items() if weight > 0}
    vggface2 = any("vggface2" in name for name in members)
    return _share(
        f"an ensemble of {len(members)} nets, {views}"
        f"{', one of them from VGGFace2' if vggface2 else ''}, %",
        record["test"]["accuracy"],
        74.5,
        "the same; weights fitted on PublicTest, PrivateTest used once",
    )


def _spread(seeds: Sequence[Tree]) -> Iterable[Goal]:
    on_votes = any("valid" not in result for result in seeds)  # written by benchmarks.vote_trials
    values = [
        100 * (result["accuracy"] if on_votes else result["valid"]["accuracy"])["value"]
        for result in seeds
    ]
    if len(values) > 1:
        what = "photographs" if on_votes else "PublicTest"
        yield Goal(
            f"{what}: accuracy of `{seeds[0]['name'].rpartition('.s')[0]}` over {len(values)} "
            "seeds, mean and standard deviation, %",
            f"{mean(values):.1f} ± {stdev(values):.1f}",
            "3 seeds",
            len(values) >= 3,
            "no published figure",
        )


def _ferplus(test: Tree, before: Tree) -> Iterable[Goal]:
    """FER+'s annotators on PrivateTest, read by the vote head."""
    found, old = (part["votes"]["majority"]["eight"] for part in (test, before))
    yield _share(
        f"FER+ majority, eight labels, PrivateTest (n = {found['n']:,}), %",
        found["accuracy"],
        88.5,
        f"`default-fer2013` {percent(old['accuracy'])}; VGG13 85.0 (Barsoum et al. 2016), the best "
        "credible papers 90.7 to 91.6",
    )
    ours, theirs = (part["votes"]["divergence"]["eight"] for part in (test, before))
    yield Goal(
        "KL divergence to FER+'s votes, PrivateTest",
        f"{ours:.3f}",
        f"at most {0.95 * theirs:.3f}",
        ours <= 0.95 * theirs,
        f"`default-fer2013` {theirs:.3f}; the target is 5 % lower",
    )


def _speed(speed: Tree) -> Iterable[Goal]:
    for faces, threads, limit in ((1, 1, 2.5), (64, 2, 2.0)):
        net, crops = (
            speed[f"{kind}, {faces} faces, {threads} threads"]["ratio"] for kind in ("net", "crops")
        )
        what = "one face, one thread" if faces == 1 else "64 faces, two threads"
        yield Goal(
            f"time of {what}, relative to `default-fer2013`",
            f"{net:.2f}",
            f"at most {limit:g}",
            net <= limit,
            f"only the nets, measured alternately; with cropping {crops:.2f}",
        )


def _speed_beside_fer(accuracy: Tree, peers: Tree) -> Iterable[Goal]:
    nets = (peers.get("nets") or {}).get("nets", {})
    ours, fer = nets.get(accuracy["model"]), nets.get("fer")
    if ours is None or fer is None:
        return
    against = "fer's net on the same runtime, measured alternately: "
    yield Goal(
        "one face, one thread, ms",
        f"{ours['ms_per_face']:,.2f}",
        "at most 2.0",
        ours["ms_per_face"] <= 2,
        f"{against}{fer['ms_per_face']:,.2f}",
    )
    yield Goal(
        "64 faces, two threads, faces per second",
        f"{ours['faces_per_s']:,.0f}",
        "at least 1,500",
        ours["faces_per_s"] >= 1500,
        f"{against}{fer['faces_per_s']:,.0f}",
    )


def _ece(
    what: str, figure: Tree, aim: float, chance: Tree | None = None, *, words: str = ""
) -> Goal:
    measured = "{:.3f} [{:.3f}, {:.3f}]".format(*(figure[k] for k in ("value", "low", "high")))
    against = words or "no published figure"
    if chance:
        shown = "{mean:.3f}, and up to {high:.3f}".format(**chance)
        against += f"; perfectly calibrated answers show {shown}, by chance"
    return Goal(what, measured, f"at most {aim:g}", figure["value"] <= aim, against)


def _beside_fer(peers: Tree, model: str) -> Iterable[Goal]:
    what = "photographs, agreed label, balanced accuracy, whole pipeline, default prior, %"
    if peers.get("model") != model:
        return  # the page beside other tools is about an earlier model
    wild = peers.get("sets", {}).get("wild", {}).get("entrants", {})
    ours, fer = wild.get(peers.get("reference", "")), wild.get("fer")
    if ours and fer:
        lead = fer["ours_minus_this"]["balanced_accuracy"]
        cropped = wild.get("fer-our-crop")
        yield Goal(
            what,
            percent(ours["balanced_accuracy"]),
            "fer's + 12 points",
            100 * lead["value"] >= 12,
            f"fer {percent(fer['balanced_accuracy'])}, difference {points(lead)} points"
            + (
                f"; its net with our detector {percent(cropped['balanced_accuracy'])}, difference "
                f"{points(cropped['ours_minus_this']['balanced_accuracy'])}"
                if cropped
                else ""
            ),
        )
    timing = (peers.get("timing") or {}).get("entrants", {})
    ours, fer = timing.get(peers.get("reference", "")), timing.get("fer")
    if ours and fer:
        times = fer["ms"] / ours["ms"]
        yield Goal(
            "a photograph, one thread, ms",
            f"{ours['ms']:.1f}",
            "one eighth of fer's",
            times >= 8,
            f"fer {fer['ms']:.1f}, {times:.1f} times ours",
        )


def to_markdown(rows: Iterable[Goal]) -> str:
    """The page's table."""
    lines = ["| what | measured | target | reached | compared with |", "|---|---|---|---|---|"]
    for g in rows:
        reached = {True: "yes", False: "**no**", None: ""}[g.reached]
        lines.append(
            f"| {g.what} | {g.measured or 'not measured yet'} | {g.aim} | {reached} | {g.against} |"
        )
    return "\n".join(lines)


def between_marks(text: str, table: str) -> str:
    """``text`` with what stands between the marks replaced.

    Raises:
        SystemExit: When a mark is missing.
    """
    before, first, rest = text.partition(MARKS[0])
    _, last, after = rest.partition(MARKS[1])
    if not first or not last:
        raise SystemExit(f"{README.name} lacks the marks {MARKS[0]} and {MARKS[1]}")
    return f"{before}{first}\n{table}\n{last}{after}"


def committed_figures(name: str) -> Tree:
    """What `pyojeong bench accuracy` wrote of a bundled model, by its short name."""
    return _json(FIGURES / "accuracy" / f"{find_classifier(name).card.id}.json")


def committed_runs() -> tuple[list[Tree], list[Tree]]:
    """Ensembles scored on the test split, and an experiment of the model with all its seeds.

    Of all the experiments that led to the model, the one that was run with the most seeds.
    """
    training: Tree = find_classifier("default").card.training
    records = [_json(file) for file in sorted((RESULTS / "ensembles").glob("*.json"))]
    names = [run["name"] for run in (training["experiment"], *training["stages"])]
    trained = [found for name in names if (found := _all_seeds(name))]
    return [r for r in records if "test" in r], max(trained, key=len, default=[])


def _all_seeds(name: str) -> list[Tree]:
    """Results of a run's experiment, one per seed."""
    experiment = name.rpartition(".s")[0]
    files = RESULTS.glob(f"{experiment}.s*.json") if experiment else ()
    return [_json(file) for file in sorted(files)]


def _json(file: Path) -> Tree:
    tree: Tree = json.loads(file.read_text(encoding="utf-8"))
    return tree


def main() -> None:
    """Write page and table."""
    accuracy, second = map(committed_figures, ("default", "default-fer2013"))
    peers, speed = _json(FIGURES / "peers.json"), _json(FIGURES / "default_speed.json")
    table = to_markdown(goals(accuracy, peers, second, speed, *committed_runs()))
    page = (
        "# The bundled model beside its aims\n\n"
        "<!-- Written by `python -m benchmarks.default_model`; do not edit. -->\n\n"
        f"Model: `{accuracy['model']}`. Brackets are 95 % bootstrap intervals. Accuracy is from "
        f"[accuracy](accuracy.md), measured {accuracy['date']}. Comparisons with other tools are "
        f"from [peers](peers.md), measured {peers['date']}. Speed was measured on an "
        f"{speed['cpu']}.\n\n{table}\n"
    )
    text = between_marks(README.read_text(encoding="utf-8"), table)
    for path, content in ((PAGE, page), (README, text)):
        with atomic_write(path, "w") as file:
            file.write(content)
        print(path)


if __name__ == "__main__":
    main()
