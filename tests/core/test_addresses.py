"""Addresses of streams and downloads: recognised, and shown without their passwords."""

import pytest

from pyojeong.core.addresses import is_address, without_password

SECRET = "GEHEIM"


@pytest.mark.parametrize(
    "name",
    [
        f"rtsp://admin:{SECRET}@host/stream",
        f"rtsp://admin:{SECRET}/2@host:554/x",
        f"rtsp://127.0.0.1:9/user=admin&password={SECRET}&channel=1&stream=0.sdp?",
        f"http://127.0.0.1:9/video.mjpg?user=admin&pwd={SECRET}",
        f"https://h/x?token={SECRET}&y=1",
        f"rtsp:/admin:{SECRET}@host/x",
        f"admin:{SECRET}@host/x",
        f"http://a:{SECRET}@h/x?passwd={SECRET}",
    ],
)
def test_passwords_are_not_shown(name: str) -> None:
    shown = without_password(name)
    assert SECRET not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "name",
    ["rtsp://host:554/x", "http://host/a@2x.jpg", "folder/a@2x.jpg", "me@home.jpg", "12:30.mp4",
     "C:/clips/a@b.mp4", "a/b:c.mp4", "key=3.jpg", ""],
)  # fmt: skip
def test_other_names_stay(name: str) -> None:
    assert without_password(name) == name


def test_what_is_an_address() -> None:
    assert all(map(is_address, ("rtsp://h", "HTTP://h/x", "s3://b/k", "file:///x")))
    assert not any(map(is_address, ("C:\\x", "C:/x", "a.jpg", "12:30.mp4", "//server/share/x")))
