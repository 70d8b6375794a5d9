import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

from model.telemetry import switch_off, switch_off_events
from tests.support.paths import ROOT

NAMES = {"ORT_DISABLE_TELEMETRY": "1", "NNCF_CI": "1", "RAY_USAGE_STATS_ENABLED": "0"}
PACKAGES = ("model", "tracker", "train", "export")


def in_a_new_process(program: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_switches_off(package: str) -> None:
    found = in_a_new_process(
        f"import {package}, os, sys\n"
        f"print([os.environ.get(name) for name in {list(NAMES)}])\n"
        "print(sys.modules['openvino_telemetry'])"
    )
    assert found.splitlines() == [str(list(NAMES.values())), "None"]


def test_openvino_does_without_its_telemetry() -> None:
    pytest.importorskip("openvino", reason="needs openvino: there is none for this processor")
    found = in_a_new_process(
        "import tracker, openvino, sys\n"
        "print([name for name, module in sys.modules.items()\n"
        "       if name.startswith('openvino_telemetry') and module is not None])"
    )
    assert found == "[]"


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"ORT_DISABLE_TELEMETRY": "0", "NNCF_CI": "", "RAY_USAGE_STATS_ENABLED": "1"}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    switch_off()
    assert {name: os.environ[name] for name in own} == own


def test_what_is_imported_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ModuleType("openvino_telemetry")
    monkeypatch.setitem(sys.modules, "openvino_telemetry", theirs)
    switch_off()
    assert sys.modules["openvino_telemetry"] is theirs


@pytest.mark.parametrize(("value", "calls"), [("1", 1), ("true", 1), (None, 1), ("0", 0)])
def test_events_follow_the_variable(
    value: str | None, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    else:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", value)
    done: list[None] = []
    switch_off_events(SimpleNamespace(disable_telemetry_events=lambda: done.append(None)))
    assert len(done) == calls


def test_who_imports_onnxruntime_stops_its_events() -> None:
    """By itself, or by what opens sessions for most."""
    stops = ("switch_off_events(ort)", "from tracker.engines.ort_session import")
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    users = {path: text for path, text in texts.items() if "import onnxruntime" in text}
    assert ROOT / "tracker" / "engines" / "ort_session.py" in users
    assert not [path for path, text in users.items() if not any(stop in text for stop in stops)]
