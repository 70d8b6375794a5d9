"""Phases in processes of their own: limits, ends, records, and going on."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from model.errors import InputError
from tests.support.paths import ROOT
from train.phases.child import Child
from train.phases.diary import Diary
from train.phases.steps import Steps

PYTHON = (sys.executable, "-c")


def alive(process: int) -> bool:
    """Whether it runs; one that ended and that nobody has fetched yet does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    (tmp_path / "out").mkdir()
    (tmp_path / "reports").mkdir()
    diary = Diary(tmp_path / "out", tmp_path / "reports")
    return Steps(diary, ["unwanted"], time.monotonic() + 60)


def test_what_a_command_prints_and_how_it_ends(tmp_path: Path) -> None:
    code = (
        "import os, time; print('one'); print('two\\rthree'); print(os.environ['MARK'])\n"
        "time.sleep(0.2); exit(3)"
    )
    child = Child((*PYTHON, code), tmp_path / "log", {"MARK": "4"})
    ticks: list[int] = []
    outcome = child.wait(30, lambda: ticks.append(1))
    assert (outcome.status, outcome.code) == ("failed", 3)
    assert outcome.tail == "one\nthree\n4"
    assert ticks
    assert Child((*PYTHON, "pass"), tmp_path / "log").wait(30).status == "done"


def test_at_its_limit_a_command_may_end_by_itself(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(7)))\n"
        "print('ready'); time.sleep(60)"
    )
    log = tmp_path / "log"
    child = Child((*PYTHON, code), log)
    while b"ready" not in log.read_bytes():
        time.sleep(0.02)
    outcome = child.wait(0.1)
    assert (outcome.status, outcome.code) == ("cut off", 7)
    assert outcome.tail == "ready\nsaved"


def test_one_that_does_not_is_killed_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.phases.child._GRACE", 0.2)
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid); time.sleep(60)"
    )
    log = tmp_path / "log"
    child = Child((*PYTHON, code), log)
    while not log.read_bytes().endswith(b"\n"):
        time.sleep(0.02)
    outcome = child.wait(0.1)
    assert (outcome.status, outcome.code) == ("cut off", -9)
    grandchild = int(log.read_text())
    for _ in range(100):
        if not alive(grandchild):
            break
        time.sleep(0.02)
    assert not alive(grandchild)


def test_a_command_of_ours_ends_with_a_campaign_that_is_killed(tmp_path: Path) -> None:
    """As by SIGTERM: training would save its checkpoint."""
    number = tmp_path / "number"
    ours = (
        "import os, pathlib, sys, time; from model.errors import run_command\n"
        "def command():\n"
        "    try:\n"
        "        pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        pathlib.Path(sys.argv[1] + '-ended').touch()\n"
        "run_command(command)"
    )
    campaign = (
        "import os, pathlib, sys, time; from train.phases.child import Child\n"
        "Child((sys.executable, '-c', *sys.argv[2:]), pathlib.Path(sys.argv[1]))\n"
        "time.sleep(60)"
    )
    running = subprocess.Popen(
        [*PYTHON, campaign, str(tmp_path / "log"), ours, str(number)], cwd=ROOT
    )
    while not (number.exists() and number.read_text()) and running.poll() is None:
        time.sleep(0.02)
    assert alive(int(number.read_text()))
    running.kill()
    running.wait()
    for _ in range(1000):
        if not alive(int(number.read_text())):
            break
        time.sleep(0.02)
    assert (tmp_path / "number-ended").exists()
    assert not alive(int(number.read_text()))


def test_a_phase_is_run_once_and_its_figures_are_kept(steps: Steps, tmp_path: Path) -> None:
    name, path = steps.json("speed")
    assert name == "--json"
    code = f"open({path!r}, 'w').write('{{\"fast\": 3}}'); print('hello')"
    outcome = steps.run("speed", (*PYTHON, code))
    assert outcome is not None
    assert outcome.status == "done"
    record = json.loads((tmp_path / "out" / "campaign.json").read_text())
    assert record["phases"]["speed"]["report"] == {"fast": 3}
    with zipfile.ZipFile(tmp_path / "out" / "reports.zip") as archive:
        assert {"campaign.json", "speed.json", "speed.log"} <= set(archive.namelist())
        assert archive.read("speed.log") == b"hello\n"
    # Another process that goes on does not run it again, but what failed, it does.
    assert steps.run("bad", (*PYTHON, "exit(1)")) is not None
    again = Steps(
        Diary(tmp_path / "out", tmp_path / "reports"),
        [],
        time.monotonic() + 60,
    )
    assert again.run("speed", (*PYTHON, "exit(1)")) is None
    repeated = again.run("bad", (*PYTHON, "pass"))
    assert repeated is not None
    assert repeated.status == "done"


def test_why_a_phase_was_not_run(steps: Steps, tmp_path: Path) -> None:
    assert steps.run("unwanted", (*PYTHON, "pass")) is None
    assert steps.run("late", (*PYTHON, "pass"), needs=tmp_path / "weights") is None
    over = Steps(steps.diary, [], time.monotonic())
    assert over.run("over", (*PYTHON, "pass")) is None
    phases = json.loads((tmp_path / "out" / "campaign.json").read_text())["phases"]
    assert {name: phase["why"] for name, phase in phases.items()} == {
        "unwanted": "skipped",
        "late": "there is no weights",
        "over": "no time left",
    }


def test_what_still_runs_ends_with_the_campaign(steps: Steps) -> None:
    with pytest.raises(KeyboardInterrupt), steps:
        started = steps.start("beside", (*PYTHON, "import time; time.sleep(60)"))
        assert started is not None
        raise KeyboardInterrupt
    process = started[1]._process
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_foreign_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "campaign.json").write_text('{"format": "other"}')
    with pytest.raises(InputError, match="is no record of a campaign: name another --work"):
        Diary(tmp_path, tmp_path)
