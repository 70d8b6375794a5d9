"""The command, on a data set of one photograph."""

import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from model.errors import InputError
from tests.support.face_files import LIST
from tracker import Tracker
from tracker.assets.portrait import portrait_image
from train.recall import WAYS, app


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """WFLW's layout with the portrait as the only test face, labelled by the tracker."""
    root = tmp_path_factory.mktemp("portraits")
    with Tracker() as tracker:
        (face,) = tracker(portrait_image(), 0.0)
    box = [*face.raw.min(axis=0), *face.raw.max(axis=0)]
    path = root / "WFLW_images" / "portrait.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), portrait_image()[..., ::-1])
    line = [*(f"{value:.4f}" for value in (*face.raw.ravel(), *box)), *"000000", path.name]
    labels = root / LIST.format("test")
    labels.parent.mkdir(parents=True)
    labels.write_text(" ".join(line) + "\n", encoding="utf-8")
    return root


def test_what_is_found(portraits: Path, tmp_path: Path) -> None:
    out = tmp_path / "recall.json"
    options = ["--data", portraits, "--frames", "480x360", "--sizes", "10,100", "--rolls", "0,180"]
    result = CliRunner().invoke(app, [*map(str, options), "--count", "3", "--json", str(out)])
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())["rows"]
    found = {(row["size"], row["degrees"], row["way"]): row["found"] for row in rows}
    assert len(found) == len(rows) == 5 * len(WAYS)
    assert all(row["pictures"] == 3 for row in rows)
    assert [found[0, 0, way] for way in WAYS] == [0] * len(WAYS)
    assert [found[100, 0, way] for way in WAYS] == [3] * len(WAYS)
    # On its head it is seen by those who turn the picture, and too small by nobody at a glance.
    assert found[100, 180, "one look"] == 0
    assert found[100, 180, "tracker"] == 3
    assert found[10, 0, "one look"] == 0
    assert all(row["milliseconds"] > 0 for row in rows)
    assert "480x360" in result.output


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--frames", "640", "is not a size"),
        ("--frames", "640x0", "is not a size"),
        ("--rolls", "0,up", "no list of whole degrees"),
        ("--sizes", "0", "numbers of pixels"),
        ("--detector", "best", "detector"),
    ],
)
def test_options_without_sense(portraits: Path, option: str, value: str, message: str) -> None:
    result = CliRunner().invoke(app, ["--data", str(portraits), option, value])
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
