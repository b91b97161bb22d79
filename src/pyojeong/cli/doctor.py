"""``pyojeong doctor``: an installation, or what is stored in a folder."""

from pathlib import Path

from rich.console import Console

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup
from pyojeong.cli.sums import print_counts
from pyojeong.core.inputs import InputCounts


def check_installation(console: Console) -> int:
    """Check versions, weight files, a reference image and components; returns the failures."""
    from pyojeong.doctor import examine

    failed = 0
    for finding in examine():
        _print(finding.ok, f"{finding.what}: {finding.detail}", console)
        failed += not finding.ok
    if failed:
        console.print(
            f"[red]{failed} checks failed.[/] Reinstall: pip install --force-reinstall pyojeong; "
            "components of other packages: uninstall those packages"
        )
    return failed


def check_stored(folder: Path, console: Console) -> int:
    """Check every file that a command stored in a folder; returns how many are damaged."""
    from pyojeong.verification import verify_path

    failed = unsealed = whole = 0
    with bars(console, transient=True) as progress:
        task = progress.add_task("checking", total=None)
        for found in verify_path(folder):
            progress.advance(task)
            note = "" if found.checksum or not found.ok else " (without checksum)"
            _print(found.ok, f"{found.path}: {found.detail}{note}", console)
            failed += not found.ok
            unsealed += found.ok and not found.checksum
            whole += found.ok and found.checksum
    if not failed + unsealed + whole:
        console.print(f"{as_markup(folder)}: nothing that pyojeong stores", soft_wrap=True)
    print_counts(
        InputCounts(read=whole, failed=failed, left_out={"without checksum": unsealed}),
        "files",
        console,
    )
    return failed


def _print(ok: bool, text: str, console: Console) -> None:
    mark = "[green]ok[/]  " if ok else "[red]FAIL[/]"
    console.print(f"{mark} {as_markup(text)}", soft_wrap=True)
