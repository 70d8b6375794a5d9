"""The fuzzer itself: it must see every kind of fault, make the same inputs again, and find none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("resource", reason="the fuzzer forks, which Windows cannot")

from tests.fuzz.mutations import with_checksums
from tests.fuzz.readers import KINDS
from tests.fuzz.server import OUTCOMES, input_of
from tests.support.picture_files import bomb_png
from tests.support.video_files import picture

# In a program of its own: it forks, which processes with threads must not.
PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
from model.errors import InputError
from tests.fuzz.readers import Kind
from tests.fuzz.server import Limits, run_kind

def read(path):
    number = int(path.read_bytes())
    if number == 1: raise InputError("this is refused.")
    if number == 2: raise KeyError("a fault")
    if number == 3: os.kill(os.getpid(), signal.SIGSEGV)
    if number == 4: time.sleep(60)
    if number == 5: b"x" * (220 << 20)
    if number == 6: raise InputError("")
    if number == 7: b"x" * (3 << 30)

def mutate(random, seeds):
    return str(random.randrange(8)).encode()

folder = Path(sys.argv[1])
(folder / "work").mkdir()
tally = run_kind(
    Kind(lambda folder: [b"0"], mutate, read, "a.txt"), "test", folder / "work", folder / "kept",
    seed=1, seconds=100, most=24, limits=Limits(seconds=10, megabytes=250, allocatable=1000),
)
print(json.dumps(tally.counts))
"""
EXPECTED = (
    "read", "refused", "traceback", "crash", "hang", "over memory", "traceback", "traceback",
)  # fmt: skip


def test_every_kind_of_fault_is_seen_and_kept(tmp_path: Path) -> None:
    drawn = [Random(f"1 test {number}").randrange(8) for number in range(24)]
    assert set(drawn) == set(range(8))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = Counter(EXPECTED[number] for number in drawn)
    assert json.loads(done.stdout) == {outcome: expected[outcome] for outcome in OUTCOMES}
    kept = {path.name: path.read_text() for path in (tmp_path / "kept").glob("*.txt")}
    for index, number in enumerate(drawn):
        names = {f"test-1-{index}.txt"} & set(kept)
        assert bool(names) == (number > 1)


@pytest.mark.parametrize("name", ["yaml", "pts"])
def test_inputs_can_be_made_again(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    seeds = kind.make(tmp_path)
    made = [input_of(kind, name, seeds, 7, number) for number in range(30)]
    assert made == [input_of(kind, name, seeds, 7, number) for number in range(30)]
    assert len(set(made)) > 25
    assert made != [input_of(kind, name, seeds, 8, number) for number in range(30)]


def test_checksums_are_made_right(tmp_path: Path) -> None:
    data = bomb_png(tmp_path / "a.png", 30).read_bytes()
    assert with_checksums(data) == data
    wrong = bytearray(data)
    wrong[-6:] = b"\0" * 6
    wrong[19] ^= 1
    assert with_checksums(bytes(wrong)) != bytes(wrong)
    assert with_checksums(picture().tobytes()) == picture().tobytes()


def test_the_command_prints_a_table(tmp_path: Path) -> None:
    words = "-m tests.fuzz --kinds yaml,pts --inputs 40 --seconds 100 --seed 3 --keep"
    done = subprocess.run(
        [sys.executable, *words.split(" "), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    head, _, yaml, pts, everything = done.stdout.splitlines()
    assert head.startswith("| kind | inputs | read")
    assert yaml.startswith("| yaml | 40 ")
    assert pts.startswith("| pts  | 40 ")
    assert everything.startswith("| all  | 80 ")
    assert not list(tmp_path.iterdir())
