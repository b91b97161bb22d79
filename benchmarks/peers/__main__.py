"""Other tools and ours on the same pictures, in the same run.

python -m benchmarks.peers build                 # an environment for each tool, under runs/peers
python -m benchmarks.peers ask --shared ../shared --data runs/fer2013.parquet
python -m benchmarks.peers time --shared ../shared
python -m benchmarks.peers nets                  # our models and fer's net alone, on onnxruntime
python -m benchmarks.peers table                 # docs/benchmarks/peers.json and peers.md

Every step goes on where it was interrupted. FER2013's test split is asked about only with
``--test-look``, for the figures of a model that is published.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.peers.answers import read_parquet, read_raw, rows_of, write_parquet
from benchmarks.peers.asking import AskingError, ask_all, failure_of, raw_file
from benchmarks.peers.entrants import BALANCED, ENVIRONMENTS, PEERS, Entrant, our_entrants
from benchmarks.peers.environments import build, read_built
from benchmarks.peers.nets import time_nets
from benchmarks.peers.page import summed_up, to_markdown
from benchmarks.peers.pictures import (
    PictureSet,
    cut_faces,
    fer2013_pictures,
    first,
    folder_pictures,
    wild_pictures,
)
from benchmarks.peers.timing import TIMED, time_rounds
from pyojeong.core.atomic_write import atomic_write
from pyojeong.evaluation.test_split_guard import record_use
from pyojeong.runtime.classifier_names import find_classifier

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks"

say = Console(stderr=True, highlight=False)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("step", choices=("build", "ask", "time", "nets", "table"))
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "peers")
    parser.add_argument("--only", nargs="*", default=[], help="these environments or entrants")
    parser.add_argument("--again", action="store_true", help="build or ask again")
    parser.add_argument("--shared", type=Path, help="the folder that holds data/wild")
    parser.add_argument("--data", type=Path, help="FER2013 as .parquet")
    parser.add_argument("--folder", type=Path, help="your own labelled photographs")
    parser.add_argument("--model", nargs="*", default=["default"], help="our models, one row each")
    parser.add_argument("--test-look", action="store_true", help="ask about PrivateTest too")
    parser.add_argument("--limit", type=int, help="at most so many pictures of each set (a trial)")
    return parser.parse_args()


def main() -> None:
    """Do one step."""
    given = arguments()
    entrants = [*our_entrants(given.model), *PEERS]
    known = {*ENVIRONMENTS, *(e.name for e in entrants)}
    if unknown := set(given.only) - known:
        sys.exit(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(sorted(known))}")
    if given.step == "build":
        build_all(given)
    elif given.step == "ask":
        ask_everybody(given, entrants)
    elif given.step == "time":
        if given.shared is None:
            sys.exit("`time` needs --shared, the folder that holds data/wild")
        wild = first(wild_pictures(given.shared / "data" / "wild"), given.limit or TIMED)
        timed = [e for e in built(entrants, given) if not e.name.endswith(BALANCED)]
        time_rounds(timed, wild, given.work, say=say.print)
    elif given.step == "nets":
        time_nets(given.model, given.work, say=say.print)
    else:
        result = summed_up(entrants, given.work, find_classifier(given.model[0]).card.id)
        with atomic_write(PAGE / "peers.json", "w") as file:
            file.write(json.dumps(result, indent=1) + "\n")
        with atomic_write(PAGE / "peers.md", "w") as file:
            file.write(to_markdown(result))
        say.print(PAGE / "peers.md")


def build_all(given: argparse.Namespace) -> None:
    """Environments that are not there; ours always, because the project may have changed."""
    for environment in ENVIRONMENTS.values():
        if given.only and environment.name not in given.only:
            continue
        there = read_built(given.work, environment.name)
        if there and not there.reason and not given.again and environment.kind != "own":
            say.print(f"{environment.name}: is there, {there.mb:.0f} MB")
            continue
        with say.status(f"building {environment.name}"):
            done = build(environment, given.work)
        say.print(f"{environment.name}: {done.reason or f'{done.mb:.0f} MB'}", soft_wrap=True)


def built(entrants: list[Entrant], given: argparse.Namespace) -> list[Entrant]:
    """Those that were asked for and whose environment is there."""
    out = []
    for entrant in entrants:
        if given.only and not {entrant.name, entrant.environment} & set(given.only):
            continue
        there = read_built(given.work, entrant.environment)
        if there is None or there.reason:
            say.print(f"{entrant.name}: left out, its environment was not built")
        else:
            out.append(entrant)
    return out


def sets_of(given: argparse.Namespace) -> list[PictureSet]:
    """The picture sets whose data were named."""
    sets = []
    if given.shared is not None:
        sets.append(wild_pictures(given.shared / "data" / "wild"))
    if given.folder is not None:
        sets.append(folder_pictures(given.folder, given.work))
    if given.data is not None:
        names = ["fer2013-public", *(["fer2013-private"] if given.test_look else [])]
        sets += [fer2013_pictures(given.data, name, given.work) for name in names]
    if not sets:
        sys.exit("`ask` needs pictures: --shared, --data or --folder")
    return [first(pictures, given.limit) for pictures in sets]


def ask_everybody(given: argparse.Namespace, entrants: list[Entrant]) -> None:
    """Every entrant about every set, one after another; answers to Parquet."""
    sets = sets_of(given)
    for pictures in sets:
        pictures.write(given.work)
    for entrant in built(entrants, given):
        rows = [] if given.again else read_parquet(table_of(given.work, entrant))
        for pictures in sets:
            how = entrant.how(pictures.kind)
            if not how or (entrant.our_crops and pictures.kind != "photographs"):
                continue
            raw = raw_file(given.work, entrant.name, pictures.name)
            if given.again or entrant.ours:  # our own models change under their name
                raw.unlink(missing_ok=True)
            shown = cut_faces(pictures, given.work) if entrant.our_crops else pictures
            try:
                with say.status(f"{entrant.name}: {pictures.name}"):
                    ask_all(entrant, shown, given.work)
            except AskingError as error:
                failure_of(given.work, entrant).write_text(f"{error}\n", encoding="utf-8")
                say.print(f"{entrant.name}: {pictures.name}: {error}", soft_wrap=True)
                continue
            failure_of(given.work, entrant).unlink(missing_ok=True)
            rows = [r for r in rows if r["set"] != pictures.name]
            rows += rows_of(entrant.name, how, pictures.name, shown.pictures, read_raw(raw))
            write_parquet(table_of(given.work, entrant), rows)
            if pictures.name == "fer2013-private":
                record_use(given.data, purpose="benchmarks.peers", model=entrant.name)
            say.print(f"{entrant.name}: {pictures.name}: {len(shown.pictures):,} pictures")


def table_of(work: Path, entrant: Entrant) -> Path:
    """The Parquet file of an entrant."""
    return work / "answers" / f"{entrant.name}.parquet"


if __name__ == "__main__":
    if shutil.which("node") is None:
        say.print("node is not installed: face-api and human will be left out")
    main()
