"""``pyojeong data review``: the address, the end, and refusals in one line."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from pyojeong.cli.review import own_name, review
from pyojeong.cli.serving import address, bind
from pyojeong.core.errors import DataError, MissingExtra, OutputError
from pyojeong.curate.findings import Store


@pytest.fixture
def small(build_store: Callable[..., Store], tmp_path: Path) -> Store:
    return build_store(tmp_path, 400)


DROP = {"id": "one", "words": [{"row": 1, "action": "drop"}]}
SERVE = """
import sys
from pathlib import Path
from rich.console import Console
from pyojeong.cli.review import review
review(Path(sys.argv[1]), Console(stderr=True), store=None, reviewer="anna", port=0,
       host="127.0.0.1", open_page=True)
"""


def test_command_prints_the_address_and_ends_with_ctrl_c(small: Store) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVE, str(small.manifest)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}},
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            root, token = url.split("/?token=")
            assert len(token) >= 32
            known = {"x-pyojeong-token": token}
            with httpx.Client(base_url=root, headers=known, timeout=60) as client:
                assert client.post("/api/decisions", json=DROP).status_code == 200
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()  # or leaving the block waits for a server that nobody ends
    assert process.returncode == 0, err
    assert out == ""
    assert "1 lines added" in err
    assert "Traceback" not in err


def run(store: Store, **options: Any) -> None:
    usual: dict[str, Any] = {"store": None, "reviewer": "anna", "port": 0, "host": "127.0.0.1"}
    review(store.manifest, Console(stderr=True), open_page=False, **{**usual, **options})


def test_command_refuses_in_one_line(small: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="choose another"):
        run(small, reviewer="rule")
    with pytest.raises(DataError, match="reviewer 'a/b'"):
        run(small, reviewer="a/b")
    with bind("127.0.0.1", 0) as taken, pytest.raises(OutputError, match="--port 0"):
        run(small, port=taken.getsockname()[1])
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtra, match=r"pyojeong\[serve\]"):
        run(small)


def test_an_address_takes_connections_before_the_server_runs() -> None:
    with bind("127.0.0.1", 0) as bound, socket.create_connection(bound.getsockname(), timeout=5):
        pass


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "DOM\\anna k")
    assert own_name() == "DOM-anna-k"
    monkeypatch.setattr("getpass.getuser", lambda: "rule")
    assert own_name() == "reviewer"
    assert address("0.0.0.0", 80) == "127.0.0.1:80"
    assert address("::1", 80) == "[::1]:80"
