"""Evaluation end to end, with an engine that reads the true landmarks off the crop.

The pictures code their own pixels: red is x, green is y, blue is the face's number. From a crop the
engine recovers where it was cut, looks the face's landmarks up and draws their heatmaps. A mistake
anywhere in cropping, mirroring, decoding or mapping back shows as an error in pixels.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from model.config import PropNetConfig
from model.crop import Region, region_from_box
from model.decoder import DECODERS
from model.errors import InputError
from model.network.propnet import PropNet
from model.shipped_markups import IBUG, MARKUPS, WFLW
from model.weights import Metadata, load_network, save_network
from tests.support.oracle_engine import SIZE, Oracle, make_samples
from tracker.engines.base import ModelInfo, normalize
from tracker.engines.torch import TorchEngine, open_torch_engine
from train.data.pts_file import write_pts
from train.evaluate import app
from train.evaluation.landmark_errors import evaluate
from train.evaluation.markup_conversion import to_markup
from train.evaluation.metrics import common_offset, summarize
from train.evaluation.predict import MIN_OVERLAP, DetectorLocator, overlap
from train.evaluation.report import attribute_subsets, by_source, offset_figures, offset_sentence

FACES = 5


@pytest.fixture
def truth() -> NDArray[np.float64]:
    """Faces of 80 x 60 to 120 x 110 pixels; their crops stay inside the pictures."""
    rng = np.random.default_rng(0)
    sides = rng.uniform((80, 60), (120, 110), (FACES, 1, 2))
    inside = rng.uniform(-0.5, 0.5, (FACES, 98, 2))
    # What errors are divided by: eye corners and pupils.
    inside[:, 60], inside[:, 96], inside[:, 97], inside[:, 72] = [
        (x, 0) for x in (-0.3, -0.2, 0.2, 0.3)
    ]
    return inside * sides + rng.uniform(115, 140, (FACES, 1, 2))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("batch", [1, 2, 32])
def test_true_landmarks_come_back(
    tmp_path: Path, truth: NDArray[np.float64], flip: bool, batch: int
) -> None:
    samples = make_samples(tmp_path, truth)
    engine = Oracle(truth, "wflw98")
    done: list[int] = []
    result = evaluate(engine, samples, flip=flip, batch=batch, progress=done.append)
    np.testing.assert_allclose(result.points, truth, atol=0.05)
    assert result.errors.max() < 0.001
    assert result.normalizer == "inter-ocular"
    assert sum(done) == FACES
    assert sum(engine.batches) == FACES * (1 + flip)
    assert max(engine.batches) == min(batch, FACES)


def test_errors_have_the_expected_size(tmp_path: Path, truth: NDArray[np.float64]) -> None:
    samples = make_samples(tmp_path, truth)
    result = evaluate(Oracle(truth, "wflw98", shift=3.0), samples, normalizer="inter-pupil")
    # 3 crop pixels in x and in y; a crop pixel is 1.3 / 128 of the box's long side.
    pixels = [1.3 * (s.box[2:] - s.box[:2]).max() / SIZE * 3 * np.sqrt(2) for s in samples]
    pupils = np.linalg.norm(truth[:, 96] - truth[:, 97], axis=-1)
    np.testing.assert_allclose(result.errors, pixels / pupils, rtol=0.01)


def test_a_common_offset_is_told(tmp_path: Path, truth: NDArray[np.float64]) -> None:
    samples = make_samples(tmp_path, truth)
    result = evaluate(Oracle(truth, "wflw98", shift=3.0), samples, decoder="dark")
    corners = np.linalg.norm(truth[:, 60] - truth[:, 72], axis=-1)
    apart = (result.points - truth) / corners[:, None, None]
    np.testing.assert_allclose(result.offset, apart.mean(axis=(0, 1)))
    left = np.hypot(*np.moveaxis(apart - apart.mean(axis=(0, 1)), -1, 0)).mean()
    assert result.centred == pytest.approx(left)
    assert (result.offset > 0.01).all()  # right and down, as the oracle errs
    assert "% right of and" in offset_sentence(result)
    assert "% below their labels" in offset_sentence(result)
    # A face that was not found has no part in it.
    points = result.points.copy()
    points[0] = np.nan
    offset, _ = common_offset(points, truth, WFLW)
    np.testing.assert_allclose(offset, apart[1:].mean(axis=(0, 1)))
    offset, centred = common_offset(np.full_like(points, np.nan), truth, WFLW)
    lost = replace(result, offset=offset, centred=centred)
    assert offset_sentence(lost) == "no face was found"
    assert set(offset_figures(lost).values()) == {None}


def test_flip_averages_a_shift_away(tmp_path: Path, truth: NDArray[np.float64]) -> None:
    """Both crops err to the right; mirrored back, one of them errs to the left."""
    samples = make_samples(tmp_path, truth)
    engine = Oracle(truth, "wflw98", shift=3.0)
    difference = evaluate(engine, samples, flip=True).points - truth
    scale = np.array([1.3 * (s.box[2:] - s.box[:2]).max() / SIZE for s in samples])
    np.testing.assert_allclose(difference[..., 0], 0, atol=0.05)
    np.testing.assert_allclose(difference[..., 1].mean(axis=1), 3 * scale, atol=0.05)


def test_the_decoder_is_the_one_asked_for(tmp_path: Path, truth: NDArray[np.float64]) -> None:
    samples = make_samples(tmp_path, truth)
    errors = {
        method: evaluate(Oracle(truth, "wflw98"), samples, decoder=method).errors
        for method in DECODERS
    }
    assert (errors["quarter"] > 5 * errors["centroid"]).all()
    assert (errors["centroid"] > errors["dark"]).all()  # which is exact for a Gaussian


def test_98_points_on_68_point_labels(tmp_path: Path, truth: NDArray[np.float64]) -> None:
    samples = make_samples(tmp_path, to_markup(truth, "wflw98", "ibug68"))
    result = evaluate(Oracle(truth, "wflw98"), samples)
    assert result.points.shape == (FACES, 68, 2)
    assert result.markup is IBUG
    # The lower lids and contour midpoints are missing: the box is another, the points the same.
    assert result.errors.max() < 0.002
    with pytest.raises(InputError, match=r"cannot be judged on labels of wflw98 \(98 points"):
        evaluate(Oracle(truth[:, :68], "ibug68"), make_samples(tmp_path, truth))


def test_a_face_without_eye_distance_is_named(tmp_path: Path, truth: NDArray[np.float64]) -> None:
    truth[2, 60] = truth[2, 72]
    with pytest.raises(InputError, match=r"2\.png: the points .* coincide"):
        evaluate(Oracle(truth, "wflw98"), make_samples(tmp_path, truth))


class FakeDetector:
    """Finds what it is told, as `tracker.detection.face_detector` regions."""

    def __init__(self, regions: dict[int, list[Region]]) -> None:
        self._regions = regions

    def __call__(self, image: NDArray[np.uint8]) -> list[Region]:
        return self._regions[int(image[0, 0, 2])]


def test_missed_faces(
    tmp_path: Path, truth: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best overlapping detection counts; a far one or none is a missed face."""
    samples = make_samples(tmp_path, truth)
    true = [region_from_box(sample.box) for sample in samples]
    off = [replace(region, x=region.x + 4, angle=0.05) for region in true]
    far = [replace(region, x=region.x + region.size / 1.3) for region in true]
    found = FakeDetector(
        {0: [far[0], off[0]], 1: [off[1], far[1]], 2: [], 3: [far[3]], 4: [off[4]]}
    )
    monkeypatch.setattr("train.evaluation.predict.region_from_detection", lambda region: region)
    locate = DetectorLocator(found)  # type: ignore[arg-type]
    engine = Oracle(truth, "wflw98")
    # Exact for a Gaussian, also beside the border of a shifted crop.
    result = evaluate(engine, samples, locate=locate, batch=3, decoder="dark")
    assert np.isfinite(result.errors).tolist() == [True, True, False, False, True]
    assert np.isnan(result.points[2:4]).all()
    np.testing.assert_allclose(result.points[[0, 1, 4]], truth[[0, 1, 4]], atol=0.05)
    assert engine.batches == [2, 1]
    summary = summarize(result.errors)
    assert summary.detected == pytest.approx(0.6)
    assert summary.fr10 == pytest.approx(40)
    assert summary.nme is not None
    assert summary.nme < 0.1


def test_overlap_of_squares() -> None:
    square = Region(10, 20, 4)
    assert overlap(square, replace(square, angle=1.0)) == pytest.approx(1)
    assert overlap(square, Region(12, 20, 4)) == pytest.approx(8 / 24)
    assert overlap(square, Region(10, 20, 8)) == pytest.approx(16 / 64)
    assert overlap(square, Region(20, 20, 4)) == 0
    assert overlap(square, Region(20, 40, 4)) == 0
    # What MIN_OVERLAP's comment says about a neighbour and about a size off by 1.8.
    face = Region(0, 0, 1.3)
    assert overlap(face, Region(1, 0, 1.3)) < 0.14 < MIN_OVERLAP
    assert overlap(face, Region(0, 0, 1.8 * 1.3)) == pytest.approx(MIN_OVERLAP, abs=0.01)


def test_groups(tmp_path: Path, truth: NDArray[np.float64]) -> None:
    samples = make_samples(tmp_path, truth)
    errors = np.arange(FACES) / 100
    subsets = attribute_subsets(samples, errors)
    assert subsets["pose"].tolist() == [0.01, 0.03]
    assert subsets["blur"].tolist() == [0.0]
    assert len(subsets["make-up"]) == 0
    assert len(subsets) == 6
    sources = by_source(samples, errors)
    assert {name: values.tolist() for name, values in sources.items()} == {
        "wild": [0.02, 0.03, 0.04],
        "ytf": [0.0, 0.01],
    }


# The command, with a small network and random weights.


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = PropNetConfig(stacks=1, channels=16, depth=2)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(path, PropNet(config), Metadata("tiny", config, 64))
    return path


@pytest.fixture
def wflw(tmp_path: Path, truth: NDArray[np.float64]) -> Path:
    """A folder in WFLW's layout."""
    images = tmp_path / "data" / "WFLW_images"
    images.mkdir(parents=True)
    samples = make_samples(images, truth)
    folder = tmp_path / "data/WFLW_annotations/list_98pt_rect_attr_train_test"
    folder.mkdir(parents=True)
    with (folder / "list_98pt_rect_attr_test.txt").open("w", encoding="utf-8") as file:
        for sample in samples:
            numbers = [*sample.points.ravel(), *sample.box]
            fields = [*(f"{number:.6f}" for number in numbers), *map(str, sample.attributes)]
            file.write(" ".join([*fields, sample.image.name]) + "\n")
    return tmp_path / "data"


def arguments(data: Path, weights: Path | str, *more: str, dataset: str = "wflw") -> list[str]:
    return ["--dataset", dataset, "--data", str(data), "--weights", str(weights), *more]


def test_the_torch_engine_gives_the_networks_maps(weights: Path) -> None:
    engine = open_torch_engine(str(weights), "cpu")
    network, metadata = load_network(str(weights))
    assert engine.info == ModelInfo("tiny", WFLW, 64, metadata.sha256)
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    maps = engine(crops)
    assert maps.shape == (3, 98, 16, 16)
    with torch.no_grad():
        expected = network(torch.from_numpy(normalize(crops)))[-1].landmarks
    np.testing.assert_allclose(maps, expected.numpy(), atol=1e-4)
    assert engine(crops[:0]).shape == (0, 98, 16, 16)
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine(crops)
    with pytest.raises(InputError, match="cannot use the device 'nonsense'"):
        open_torch_engine(str(weights), "nonsense")


def test_a_network_in_training_is_evaluated_and_given_back(weights: Path) -> None:
    network, metadata = load_network(str(weights))
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    engine = TorchEngine(network, ModelInfo("tiny", WFLW, 64, metadata.sha256))
    expected = engine(crops)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.train()
    np.testing.assert_array_equal(engine(crops), expected)
    assert network.training
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_json_plot_and_table(wflw: Path, weights: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "out" / "a.json", tmp_path / "out" / "ced.png"
    options = ["--json", str(out), "--plot", str(plot), "--device", "cpu"]
    result = CliRunner().invoke(app, arguments(wflw, weights, *options))
    assert result.exit_code == 0, result.output
    document = json.loads(out.read_text(encoding="utf-8"))
    engine = open_torch_engine(str(weights), "cpu")
    from train.data.datasets import read_dataset

    errors = evaluate(engine, read_dataset("wflw", wflw, "test")).errors
    assert document["n"] == FACES
    assert document["nme"] == pytest.approx(100 * errors.mean())
    assert document["nme_median"] == pytest.approx(100 * np.median(errors))
    assert document["fr10"] == pytest.approx(100 * (errors > 0.1).mean())
    assert 0 <= document["auc8"] <= document["auc10"] <= 1
    assert document["fr8"] >= document["fr10"]
    assert document["normalizer"] == "inter-ocular"
    assert document["box"] == "gt"
    assert document["split"] == "test"
    assert document["dataset"] == "wflw"
    assert document["weights"] == "tiny"
    assert document["weights_sha256"] == engine.info.weights_sha256
    assert document["engine"] == engine.description
    assert document["decoder"] == "centroid"
    assert document["detected"] == 1
    assert document["subsets"]["make-up"] is None
    assert document["subsets"]["pose"]["n"] == 2
    assert document["subsets"]["pose"]["nme"] == pytest.approx(100 * errors[1::2].mean())
    assert document["sources"]["wflw"]["n"] == FACES
    assert f"{document['nme']:.3f}" in result.output
    assert document["nme_centred"] < document["nme"]
    assert f"without that offset the NME is {document['nme_centred']:.3f} %" in result.output
    for name in ("pose", "expression", "illumination", "make-up", "occlusion", "blur"):
        assert name in result.output
    assert plot.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert {path.name for path in out.parent.iterdir()} == {"a.json", "ced.png"}


def test_limit_decoder_flip_and_normaliser_are_recorded(
    wflw: Path, weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.json"
    options = ["--limit", "2", "--decoder", "quarter", "--normalizer", "inter-pupil"]
    documents = []
    for more in ([], ["--flip"]):
        result = CliRunner().invoke(
            app, arguments(wflw, weights, "--json", str(out), *options, *more)
        )
        assert result.exit_code == 0, result.output
        documents.append(json.loads(out.read_text(encoding="utf-8")))
    plain, flipped = documents
    assert (plain["n"], plain["limit"]) == (2, 2)
    assert plain["decoder"] == "quarter"
    assert plain["normalizer"] == "inter-pupil"
    assert (plain["flip"], flipped["flip"]) == (False, True)
    assert plain["nme"] != flipped["nme"]


def test_300w_by_names(tmp_path: Path, truth: NDArray[np.float64], weights: Path) -> None:
    """68-point labels, 98-point network, faces chosen by a WFLW list, 0-based files."""
    root = tmp_path / "300w"
    for folder in ("afw", "helen/trainset", "lfpw/trainset"):
        (root / folder).mkdir(parents=True)
        for sample in make_samples(root / folder, to_markup(truth, "wflw98", "ibug68")):
            write_pts(sample.image.with_suffix(".pts"), sample.points, one_based=False)
    names = tmp_path / "names.txt"
    names.write_text("1 2 3 300w/afw/4.png\n300w/helen/trainset/0.png\n", encoding="utf-8")
    out = tmp_path / "a.json"
    base = arguments(root, weights, "--split", "train", "--json", str(out), dataset="300w")
    figures = []
    for more in (["--list", str(names), "--zero-based"], ["--list", str(names)]):
        result = CliRunner().invoke(app, [*base, *more])
        assert result.exit_code == 0, result.output
        figures.append(json.loads(out.read_text(encoding="utf-8")))
    assert figures[0]["n"] == 2
    assert figures[0]["list"] == "names.txt"
    assert figures[0]["subsets"] == {}
    assert set(figures[0]["sources"]) == {"300w/afw", "300w/helen"}
    assert (figures[0]["network_markup"], figures[0]["markup"]) == ("wflw98", "ibug68")
    assert figures[0]["nme"] != figures[1]["nme"]  # the labels lie one pixel apart


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "aflw"], "--dataset is 'aflw'; choose one of wflw, 300w, cofw"),
        (["--box", "true"], "--box is 'true'"),
        (["--engine", "tensorflow"], "--engine is 'tensorflow'"),
        (["--decoder", "argmax"], "--decoder is 'argmax'"),
        (["--split", "dev"], "no split 'dev'"),
        (["--normalizer", "box"], "no normaliser 'box'"),
        (["--plot", "ced.pdf"], "written as .png"),
        (["--json", "."], "is a folder"),
        (["--weights", "none.safetensors"], "none.safetensors"),
        (["--engine", "openvino", "--device", "cuda"], "--device is for the torch engine"),
        (["--data", "none"], "none does not exist"),
        (["--list", "none.txt"], "cannot read the list"),
    ],
)
def test_bad_options(wflw: Path, weights: Path, options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, arguments(wflw, weights, *options))
    assert isinstance(result.exception, InputError), result.output
    assert message in str(result.exception)


def test_a_missing_image_is_one_line_and_exit_code_2(
    wflw: Path, weights: Path, tmp_path: Path
) -> None:
    (wflw / "WFLW_images" / "3.png").unlink()
    out = tmp_path / "new" / "a.json"
    command = [sys.executable, "-m", "train.evaluate", *arguments(wflw, weights)]
    result = subprocess.run(
        [*command, "--json", str(out)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "list_98pt_rect_attr_test.txt, line 4" in result.stderr
    assert "3.png does not exist" in result.stderr
    assert not out.parent.exists()


def test_a_damaged_image_leaves_nothing_behind(wflw: Path, weights: Path, tmp_path: Path) -> None:
    (wflw / "WFLW_images" / "3.png").write_bytes(b"no picture")
    out = tmp_path / "a.json"
    result = CliRunner().invoke(app, arguments(wflw, weights, "--json", str(out)))
    assert isinstance(result.exception, InputError)
    assert "3.png is damaged, or a kind of picture" in str(result.exception)
    assert not out.exists()


def test_the_detector_finds_the_dev_faces(data_root: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    options = ["--box", "detector", "--limit", "12", "--json", str(out)]
    result = CliRunner().invoke(app, arguments(data_root / "faces", weights, *options))
    assert result.exit_code == 0, result.output
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document["box"] == "detector"
    assert document["n"] == 12
    assert document["detected"] >= 0.75


def test_points_of_both_markups_are_told_apart_by_number() -> None:
    counts = [markup.points for markup in MARKUPS.values()]
    assert len(set(counts)) == len(counts)
    assert WFLW.points == 98
