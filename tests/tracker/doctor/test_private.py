"""Nothing about the user is in a report."""

from __future__ import annotations

import getpass
import platform
from pathlib import Path

import pytest

from tracker.doctor.private import without_user


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/alice/venv/bin/python", "~/venv/bin/python"),
        ("no file '/home/alice'", "no file '~'"),
        ("/data/alice/x and /data/alices/x", "/data/USER/x and /data/alices/x"),
        ("C:\\Users\\alice\\x", "C:\\Users\\USER\\x"),
        ("malice is no path", "malice is no path"),
        ("cannot reach anvil.example.org, anvils", "cannot reach HOST.example.org, anvils"),
    ],
)
def test_home_user_and_host(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/alice"))
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")
    monkeypatch.setattr(platform, "node", lambda: "anvil.example.org")
    assert without_user(text) == shown


def test_who_has_neither_home_nor_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no username set in the environment")

    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr(platform, "node", lambda: "")
    assert without_user("/usr/bin/python") == "/usr/bin/python"
