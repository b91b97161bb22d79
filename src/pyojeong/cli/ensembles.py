"""``pyojeong experiments ensemble``: progress and figures around ``training.ensemble``."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.cli.experiments import needs_training
from pyojeong.cli.sums import print_split_counts


def measure_ensemble(
    folders: Sequence[Path],
    manifest: Path,
    out: Path,
    console: Console,
    *,
    views: int,
    score_test: bool,
) -> int:
    """Write or complete the record of an ensemble; see ``training.ensemble.evaluate``.

    Returns the exit code.
    """
    with needs_training():
        from pyojeong.datasets.samples import Split
        from pyojeong.training.ensemble import evaluate as committee
        from pyojeong.training.run import Run
    runs = [Run(folder) for folder in folders]
    split = Split.TEST if score_test else Split.VALID
    views = committee.views_of(out) if score_test else views
    with bars(console) as progress:
        total = committee.answers_needed(runs, manifest, split, views)
        task = progress.add_task("nets answer", total=total)

        def tick(count: int) -> None:
            progress.advance(task, count)

        if score_test:
            record = committee.score_test_split(runs, manifest, out, tick=tick)
        else:
            record = committee.fit_ensemble(runs, manifest, out, views=views, tick=tick)
    for name in ("valid", "test"):
        if name in record:
            figure = record[name]["accuracy"]
            console.print(
                as_markup("{}: {value:.4f} [{low:.4f}, {high:.4f}]".format(name, **figure)),
                soft_wrap=True,
            )
    shares = ", ".join(f"{name} {share:.3f}" for name, share in record["members"].items())
    console.print(as_markup(f"{out}: {record['views']} view(s) of each face; {shares}"))
    return print_split_counts(manifest, split, record[split.value]["n"], console)
