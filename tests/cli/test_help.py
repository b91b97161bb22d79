"""The help: groups, order, and no word lost to markup."""

import json
from typing import Any

import pytest
from rich.text import Text
from typer.main import get_command

from pyojeong.cli.app import app, main


def commands() -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(name: str, command: Any) -> None:
        found[name] = command
        for inner, each in getattr(command, "commands", {}).items():
            walk(f"{name} {inner}".strip(), each)

    walk("", get_command(app))
    return found


COMMANDS = commands()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_the_help_is_taken_for_markup(name: str) -> None:
    texts = [getattr(param, "help", None) for param in COMMANDS[name].params]
    for text in filter(None, [*texts, COMMANDS[name].help]):
        assert Text.from_markup(text).plain == text.replace("\\[", "["), text


def test_analyze_comes_first_in_groups(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    places = [said.index(f" {name} ") for name in ("Read", "Live", "Data", "Train", "Tools")]
    assert places == sorted(places)
    assert said.index("│ analyze") < said.index("│ video") < said.index("│ webcam")
    assert "--install-completion" in said


def shared(name: str) -> set[tuple[Any, ...]]:
    """Default and help of an option in all commands that have it."""
    found = set()
    for command in COMMANDS.values():
        for param in command.params:
            if name in getattr(param, "opts", ()) and not command.hidden:
                found.add((str(param.default), param.help))
    return found


@pytest.mark.parametrize(
    "name",
    ["--threads", "--eyes", "--allow", "--device", "--prior", "--threshold",
     "--detector", "--min-face", "--fast", "--excel", "--config", "--smooth"],
)  # fmt: skip
def test_an_option_means_the_same_everywhere(name: str) -> None:
    assert len(shared(name)) == 1


def test_models_are_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["models", "--json"])
    cards = json.loads(capsys.readouterr().out)
    assert {"classifier", "detector"} <= {card["kind"] for card in cards}
