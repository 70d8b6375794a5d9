"""One option, one place: words reach the job, and the job decides the manifest."""

from __future__ import annotations

import os
from dataclasses import asdict, fields, make_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from model.errors import InputError
from tests.support.commands import Run
from tracker.commands.run_options import RunOptions
from tracker.measures.intrinsics import Intrinsics
from tracker.outputs.side_outputs import SideOutputs
from tracker.runs.batch_manifest import identify
from tracker.runs.job import Job
from tracker.sources.source_options import SourceOptions
from tracker.tracking.options import TrackerOptions

# A value other than the default for every option.
GIVEN: dict[str, Any] = {
    "scores": True,
    "names": True,
    "fov": 70.0,
    "intrinsics": "500,500,320,240",
    "weights": "propnet-s",
    "follower": "same",
    "engine": "onnxruntime",
    "precision": "int8",
    "max_faces": 3,
    "detector": "short",
    "box": ["10,20,30,40"],
    "min_detection": 0.7,
    "smooth": "stable",
    "offline_smooth": True,
    "draw": "points,pose",
    "point_size": "3",
    "line_width": "120%",
    "color": "red",
    "point_color": "blue",
    "compare": "source",
    "codec": "hevc",
    "crf": 20,
    "max_frames": 9,
}
# The same for every field of a job that results depend on.
CHANGED: dict[str, Any] = {
    "out": Path("b.mp4"),
    "save": Path("b.csv"),
    "weights": "propnet-s",
    "options": TrackerOptions(smoothing="stable"),
    "layers": frozenset({"points"}),
    "style": RunOptions(color="red").job("a.mp4", pictures=True).style,
    "compare": "source",
    "codec": "hevc",
    "crf": 20,
    "max_frames": 9,
    "side": SideOutputs(crops=Path("crops")),
    "scores": True,
    "names": True,
    "camera": Intrinsics(500, 500, 320, 240),
    "fov": 70.0,
    "source_options": SourceOptions(rate=Fraction(30)),
    "offline_smooth": True,
}
# `more_tables` are of single runs, which have no manifest.
SPEED_ONLY = {"source", "show", "engine", "overwrite", "faceless", "whole", "more_tables"}


def test_every_option_reaches_the_job() -> None:
    assert set(GIVEN) == {field.name for field in fields(RunOptions)}
    plain = RunOptions().job("a.mp4", pictures=True)
    for name, value in GIVEN.items():
        job = RunOptions(**{name: value}).job("a.mp4", pictures=True)
        assert job != plain, name


def test_both_commands_have_every_option(run: Run) -> None:
    for command in ((), ("batch",)):
        text = run(*command, "--help").out
        for name in GIVEN:
            assert f"--{name.replace('_', '-')}" in text, (command, name)
        assert "--options" not in text


def test_every_field_of_a_job_is_in_the_manifest_or_said_not_to_matter(tmp_path: Path) -> None:
    names = {field.name for field in fields(Job)}
    assert set(CHANGED) | SPEED_ONLY == names
    source = tmp_path / "a.mp4"
    plain = Job(source)
    for name, value in CHANGED.items():
        assert identify(replace(plain, **{name: value})) != identify(plain), name
    for name in SPEED_ONLY - {"source"}:
        value = "onnxruntime" if name == "engine" else True
        assert identify(replace(plain, **{name: value})) == identify(plain), name


def test_every_number_of_the_tracker_is_in_the_manifest_but_threads() -> None:
    plain = TrackerOptions()
    other: dict[str, Any] = {
        "detector": "full", "smoothing": "off", "decoder": "dark", "precision": "int8",
        "maps": True, "follower": "same", "threads": 3, "max_faces": 2,
        "boxes": ((1.0, 2.0, 30.0, 40.0),),
    }  # fmt: skip
    for name, value in asdict(plain).items():
        changed = replace(plain, **{name: other[name] if name in other else value * 0.9})
        same = identify(Job("a.mp4", options=changed)) == identify(Job("a.mp4", options=plain))
        assert same == (name == "threads"), name


def test_a_new_option_of_a_job_makes_results_stale_by_itself() -> None:
    wider = make_dataclass(
        "WiderJob", [("glow", float, 0.0)], bases=(Job,), frozen=True, kw_only=True
    )
    usual, glowing = wider("a.mp4"), wider("a.mp4", glow=0.5)
    assert identify(usual) != identify(glowing)
    assert identify(usual) != identify(Job("a.mp4"))


@pytest.mark.parametrize("role", ["weights", "follower", "detector"])
def test_new_weights_under_an_old_name_make_results_stale(tmp_path: Path, role: str) -> None:
    weights = tmp_path / "net.onnx"
    weights.write_bytes(b"1")
    if role == "weights":
        job = Job("a.mp4", weights=str(weights))
    else:
        job = Job("a.mp4", options=TrackerOptions(**{role: str(weights)}))
    before = identify(job)
    weights.unlink()
    assert identify(job) != before


def test_contradictions_are_found_before_anything_is_read() -> None:
    for options in (
        RunOptions(fov=50, intrinsics="1,1,1,1"),
        RunOptions(offline_smooth=True, smooth="off"),
        RunOptions(compare="raw", smooth="off"),
        RunOptions(max_faces=0),
    ):
        with pytest.raises(InputError):
            options.job("a.mp4", pictures=True)


def test_another_detector_of_the_same_name_makes_results_stale(tmp_path: Path) -> None:
    detector = tmp_path / "boxes.onnx"
    detector.write_bytes(b"one")
    job = Job("a.mp4", options=TrackerOptions(detector=str(detector)))
    before = identify(job)
    assert identify(job) == before
    os.utime(detector, ns=(1, 1))
    assert identify(job) != before
