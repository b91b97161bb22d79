"""What was aimed at with the bundled model, and what was measured, in one table.

    python -m benchmarks.default_model

Reads docs/benchmarks/accuracy/<model>.json (by `pyojeong bench accuracy`) and
docs/benchmarks/peers.json (by `python -m benchmarks.peers`), writes docs/benchmarks/default.md and
the table between two marks in README.md. Nothing is typed by hand and nothing is measured here.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.peers.page import percent, points
from pyojeong.core.atomic_write import atomic_write
from pyojeong.runtime.analyzer import find_classifier

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "benchmarks"
RESULTS = ROOT / "experiments" / "results"
PAGE = FIGURES / "default.md"
README = ROOT / "README.md"
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
        aim: The figure that was aimed at.
        reached: Whether it was; None = could not be said.
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
    ensembles: Sequence[Tree] = (),
    seeds: Sequence[Tree] = (),
    second: Tree | None = None,
) -> list[Goal]:
    """All rows.

    Args:
        accuracy: What `pyojeong bench accuracy` wrote of the model.
        peers: What the benchmark beside other tools wrote.
        ensembles: What `pyojeong experiments ensemble` wrote, scored on the test split.
        seeds: Results of the model's experiment, one per seed.
        second: What `pyojeong bench accuracy` wrote of `default-vggface2`.
    """
    test = accuracy["splits"]["test"]
    return [
        *_votes_first(accuracy, peers),
        *(_second_on_votes(second) if second and "voted" in second else ()),
        *_beside_fer(peers),
        _share(
            "FER2013 output: PrivateTest accuracy, single view, %",
            test["accuracy"],
            72.5,
            "73.0 of MLCNN's best single net (44 M weights); about 72.6 without pretraining and "
            "with ten views",
        ),
        _share(
            "the same, ten views averaged, %",
            test["more_views"]["10"]["accuracy"],
            74.5,
            "74.1 of MLCNN's ensemble (93 M weights), 75.2 of eight nets (Pramerdorfer), 74.1 "
            "published of rmn (143 M)",
        ),
        *map(_ensemble, ensembles),
        *(_second(second) if second else ()),
        *_spread(seeds),
        _share(
            "PrivateTest without images that an earlier split holds too, %",
            test["deduplicated"]["accuracy"],
            None,
            "nobody publishes it",
        ),
        _votes(test),
        Goal(
            "model file, MB",
            f"{accuracy['megabytes']:.2f}",
            "at most 4",
            accuracy["megabytes"] <= 4,
            "526 of rmn",
        ),
        *_speed(accuracy, peers),
        _ece(
            "FER2013 output: calibration error (15-bin ECE), PrivateTest",
            test["ece"],
            0.02,
            test["calibration"]["ece_by_chance"],
        ),
    ]


def _votes_first(accuracy: Tree, peers: Tree) -> Iterable[Goal]:
    """What users get: the label that most people would give."""
    voted = accuracy["voted"]
    default, balanced = voted["by_prior"][voted["default_prior"]], voted["by_prior"]["balanced"]
    before, held = voted["fer2013"], voted["cross_fitted"]
    fer = peers.get("sets", {}).get("wild", {}).get("entrants", {}).get("fer")
    fer_words = f"; fer {percent(fer['accuracy'])}" if fer else ""
    yield _share(
        f"photographs, the label on which both ratings agree (n = {voted['n']}), %",
        default["accuracy"],
        75,
        f"FER2013 output, the answer before: {percent(before['accuracy'])}{fer_words}",
    )
    yield _share(
        "the same photographs, balanced prior: balanced accuracy, %",
        balanced["balanced_accuracy"],
        64,
        f"FER2013 output: {percent(before['balanced_accuracy'])}",
    )
    recall = [100 * default["recall"][name] for name in ("neutral", "angry")]
    yield Goal(
        "the same photographs, default prior: recall of neutral / angry, %",
        "{:.0f} / {:.0f}".format(*recall),
        "at least 80 / 68",
        recall[0] >= 80 and recall[1] >= 68,
        "FER2013 output: "
        + " / ".join(f"{100 * before['recall'][n]:.0f}" for n in ("neutral", "angry")),
    )
    answered, apart = default["answered"], held["answered"]
    yield Goal(
        "the same photographs, default prior: right where it does not say `unclear`, %",
        f"{100 * answered['accuracy']:.1f} of {100 * answered['share']:.1f} answered",
        "at least 88 of 58",
        answered["accuracy"] >= 0.88 and answered["share"] >= 0.58,
        f"people who took no part in fitting the threshold: {100 * apart['accuracy']:.1f} of "
        f"{100 * apart['share']:.1f}",
    )
    yield _ece(
        "calibration error of shares, photographs, cross-fitted by person",
        held["vote_ece"],
        0.04,
        words="how far the best score is from the share of votes for it",
    )
    yield _ece(
        "calibration error of shares, PublicTest's ten annotators, natural prior",
        accuracy["splits"]["valid"]["votes"]["answers"]["natural"]["vote_ece"],
        0.02,
        words="the temperature was fitted on these votes",
    )


def _second_on_votes(accuracy: Tree) -> Iterable[Goal]:
    voted = accuracy["voted"]
    default, balanced = voted["by_prior"][voted["default_prior"]], voted["by_prior"]["balanced"]
    yield _share("`default-vggface2`: photographs, agreed label, %", default["accuracy"], None, "")
    yield _share(
        "`default-vggface2`: balanced prior, balanced accuracy, %",
        balanced["balanced_accuracy"],
        None,
        "",
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
        "the same; weights learned on PublicTest, PrivateTest used once",
    )


def _second(accuracy: Tree) -> Iterable[Goal]:
    """The second model, which learned from VGGFace2 before: its own rows, not the default's."""
    test, name = accuracy["splits"]["test"], "`default-vggface2`, pretrained on faces' identities"
    yield _share(
        f"FER2013 output: {name}, single view, %",
        test["accuracy"],
        None,
        "that aim is without pretraining",
    )
    yield _share(
        f"FER2013 output: {name}, ten views, %",
        test["more_views"]["10"]["accuracy"],
        74.5,
        "as the ten views above",
    )


def _spread(seeds: Sequence[Tree]) -> Iterable[Goal]:
    values = [100 * result["valid"]["accuracy"]["value"] for result in seeds]
    if len(values) > 1:
        yield Goal(
            f"PublicTest accuracy of `{seeds[0]['name'].rpartition('.s')[0]}` over {len(values)} "
            "seeds, mean and standard deviation, %",
            f"{mean(values):.1f} ± {stdev(values):.1f}",
            "3 seeds",
            len(values) >= 3,
            "nobody publishes it",
        )


def _votes(test: Tree) -> Goal:
    majority = test["votes"]["majority"]
    head = "eight" if "eight" in majority else "seven"
    read_by = "vote head" if head == "eight" else "main head, seven classes"
    found = majority[head]
    return Goal(
        f"FER+ majority, {read_by} (n = {found['n']:,}), %",
        percent(found["accuracy"]),
        "at least 89",
        100 * found["accuracy"]["value"] >= 89 and head == "eight",
        "85.0 of VGG13 (Barsoum et al. 2016), 90.7 to 91.6 of the best credible papers",
    )


def _speed(accuracy: Tree, peers: Tree) -> Iterable[Goal]:
    nets = (peers.get("nets") or {}).get("nets", {})
    ours, fer = nets.get(accuracy["model"]), nets.get("fer")
    for what, key, aim, reaches in (
        ("one face, one thread, ms", "ms_per_face", "at most 2.0", lambda v: v <= 2),
        (
            "64 faces, two threads, faces a second",
            "faces_per_s",
            "at least 1,500",
            lambda v: v >= 1500,
        ),
    ):
        if ours is None or fer is None:
            yield Goal(what, "", aim, None, "fer's net on the same runtime")
            continue
        yield Goal(
            what,
            f"{ours[key]:,.2f}" if key == "ms_per_face" else f"{ours[key]:,.0f}",
            aim,
            reaches(ours[key]),
            f"fer's net on the same runtime, in turns: {fer[key]:,.2f}"
            if key == "ms_per_face"
            else f"fer's net on the same runtime, in turns: {fer[key]:,.0f}",
        )


def _ece(
    what: str, figure: Tree, aim: float, chance: Tree | None = None, *, words: str = ""
) -> Goal:
    measured = "{:.3f} [{:.3f}, {:.3f}]".format(*(figure[k] for k in ("value", "low", "high")))
    against = words or "nobody publishes one"
    if chance:
        shown = "{mean:.3f}, and up to {high:.3f}".format(**chance)
        against += f"; answers that are just right show {shown}, by chance"
    return Goal(what, measured, f"at most {aim:g}", figure["value"] <= aim, against)


def _beside_fer(peers: Tree) -> Iterable[Goal]:
    what = "photographs, agreed label, balanced accuracy, whole pipeline, default prior, %"
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
            f"fer {percent(fer['balanced_accuracy'])}: {points(lead)} points"
            + (
                f"; its net behind our detector {percent(cropped['balanced_accuracy'])}: "
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
            "an eighth of fer's",
            times >= 8,
            f"fer {fer['ms']:.1f}: {times:.1f} times ours",
        )


def to_markdown(rows: Iterable[Goal]) -> str:
    """The page's table."""
    lines = ["| what | measured | aimed at | reached | compared with |", "|---|---|---|---|---|"]
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
    accuracy, second = map(committed_figures, ("default", "default-vggface2"))
    peers = _json(FIGURES / "peers.json")
    table = to_markdown(goals(accuracy, peers, *committed_runs(), second))
    cpu = (peers.get("nets") or {}).get("cpu", "an unknown CPU")
    page = (
        "# The bundled model beside its aims\n\n"
        "<!-- Written by `python -m benchmarks.default_model`; do not edit. -->\n\n"
        f"`{accuracy['model']}`; brackets are 95 % bootstrap intervals. Figures of accuracy: "
        f"[accuracy](accuracy.md), measured {accuracy['date']}; beside other tools: "
        f"[peers](peers.md), measured {peers['date']}; speeds on an {cpu}, where int8 is at its "
        f"best.\n\n{table}\n"
    )
    text = between_marks(README.read_text(encoding="utf-8"), table)
    for path, content in ((PAGE, page), (README, text)):
        with atomic_write(path, "w") as file:
            file.write(content)
        print(path)


if __name__ == "__main__":
    main()
