import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from model.errors import InputError
from tracker.bench import stability, stability_plot
from tracker.bench.stability import _lag, _placing, _rms, measure_stability
from tracker.commands.bench import bench_command
from tracker.tracking.options import TrackerOptions


def run(*arguments: str) -> "object":
    app = typer.Typer()
    app.command()(bench_command)
    return CliRunner().invoke(app, list(arguments))


def test_lag_of_a_delayed_path_is_the_delay() -> None:
    truth = np.array([[m[:, 2] for m in [_placing(i / 30, 1.0)]] for i in range(90)])
    late = np.concatenate([truth[:1], truth[:1], truth[:-2]])
    assert _lag(late, truth) == pytest.approx(2, abs=0.05)
    assert _lag(truth, truth) == 0


def test_rms_is_of_vectors_and_leaves_the_warm_up_out() -> None:
    steps = np.full((20, 7, 2), [0.3, 0.4])
    steps[:5] = 99
    assert _rms(steps) == pytest.approx(50)


def test_the_motion_is_a_loop_of_two_seconds_and_still_without_swing() -> None:
    np.testing.assert_allclose(_placing(0.3, 1.0), _placing(2.3, 1.0))
    np.testing.assert_allclose(_placing(0.3), _placing(1.1))


def test_presets_are_what_they_promise_on_the_shipped_network(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    table, plot = tmp_path / "stability.json", tmp_path / "stability.png"
    result = run("--stability", "--threads", "1", "--json", str(table), "--plot", str(plot))
    assert result.exit_code == 0, result.output  # type: ignore[attr-defined]
    figures = json.loads(table.read_text())
    raw = figures["off"]
    assert figures["balanced"]["jitter"] <= 0.5 * raw["jitter"]
    assert figures["balanced"]["flicker"] <= 0.7 * raw["flicker"]
    for preset in figures.values():
        assert abs(preset["lag_ms"]) < 34
        assert preset["nme"] <= raw["nme"] * 1.001
    steadiest = sorted(figures, key=lambda name: figures[name]["jitter"])
    assert steadiest == ["stable", "balanced", "responsive", "off"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "balanced" in result.output  # type: ignore[attr-defined]


def test_a_network_that_loses_the_face_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.full((512, 512, 3), 128, dtype=np.uint8)
    monkeypatch.setattr(stability, "portrait_image", lambda: grey)
    with pytest.raises(InputError, match="loses the portrait's face in frame 0"):
        measure_stability("propnet-s", "auto", TrackerOptions(threads=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plot", "a.png"], "add --stability"),
        (["--stability", "--plot", "a.xlsx"], "cannot be a plot"),
        (["--stability", "--source", "a.mp4"], "drop --source"),
    ],
)
def test_bad_options(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, InputError)  # type: ignore[attr-defined]
    assert message in str(result.exception)  # type: ignore[attr-defined]


def test_a_plot_without_matplotlib_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stability_plot, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install matplotlib"):
        stability_plot.check_plotting(Path("a.png"))
