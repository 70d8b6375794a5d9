"""Learning from teachers: the loss against a plain reference, unlabelled faces, resuming."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import VARIANTS, PropNetConfig
from model.errors import InputError, run_command
from model.network.propnet import PropNet
from model.shipped_markups import IBUG, WFLW
from model.weights import Metadata, load_network, save_network
from tests.support.face_files import RECIPE, STILL, TINY, read_faces, write_faces
from train.data.datasets import read_dataset
from train.data.sample import Sample
from train.learning.checkpoint import Progress
from train.learning.processes import World
from train.learning.teacher import Teacher
from train.learning.trainer import Trainer
from train.recipes.augment_config import AugmentConfig
from train.recipes.recipe import Distillation, LossConfig, Recipe, Source
from train.recipes.run_config import RunConfig
from train.run import app

CPU = World(0, 1, torch.device("cpu"))
# Another stack count and width than the student's.
BIG = PropNetConfig(stacks=3, channels=32, depth=2)
ONE = PropNetConfig(stacks=1, channels=16, depth=2)

Faces = tuple[list[Sample], list[Sample]]


def teacher_file(path: Path, config: PropNetConfig, seed: int, strength: float = 8) -> str:
    """A network whose maps, at that strength, reach from below 0 to above 1."""
    torch.manual_seed(seed)
    network = PropNet(config).eval()
    for name, value in network.named_buffers():
        if name.endswith("running_mean"):
            value.normal_(0, 0.2)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("to_landmarks.weight"):
                value.mul_(strength)
            if name.endswith("to_landmarks.bias"):
                value.add_(strength / 16)
    save_network(path, network, Metadata(path.stem, config, 64), torch.float32)
    return str(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def faces(data: Path) -> Faces:
    return read_faces(data)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("teachers")
    return teacher_file(folder / "big.safetensors", BIG, 1), teacher_file(
        folder / "one.safetensors", ONE, 2
    )


def config(out: Path, recipe: Recipe, *teachers: str, **changes: Any) -> RunConfig:
    basis = RunConfig(
        "tiny", TINY, recipe, out, epochs=2, max_minutes=None, checkpoint_minutes=0,
        teachers=teachers, precision="f32",
    )  # fmt: skip
    return replace(basis, **changes)


def wing(prediction: NDArray[Any], target: NDArray[Any], loss: LossConfig) -> NDArray[Any]:
    """Eq. 1, term by term."""
    exponent = loss.alpha - target
    ratio = loss.theta / loss.epsilon
    slope = loss.omega * exponent * ratio ** (exponent - 1) / (1 + ratio**exponent) / loss.epsilon
    offset = loss.theta * slope - loss.omega * np.log(1 + ratio**exponent)
    error = np.abs(prediction - target)
    inner = loss.omega * np.log(1 + (error / loss.epsilon) ** exponent)
    return np.where(error < loss.theta, inner, slope * error - offset)


def plain_loss(outputs: Any, targets: Any, weights: NDArray[Any], loss: LossConfig) -> float:
    """Sum over stacks and kinds of maps of the weighted mean over the pixels of the batch."""
    total = 0.0
    for output in outputs:
        for maps, target, factor in zip(output, targets, (1, loss.beta), strict=False):
            prediction = maps.detach().numpy().astype(np.float64)
            target = target.astype(np.float64)  # noqa: PLW2901
            pixels = wing(prediction, target, loss) * (1 + loss.foreground * (target > 0.05))
            per_face = pixels.reshape(len(pixels), -1).mean(axis=1)
            total += factor * float((per_face * weights).mean())
    return total


def plain_targets(names: tuple[str, ...], image: Tensor, mirror: bool) -> Any:
    landmarks, boundaries = [], []
    for name in names:
        network = load_network(name)[0]
        for mirrored in (False, True) if mirror else (False,):
            with torch.no_grad():
                output = network(image.flip(3) if mirrored else image)[-1]
            first, second = output.landmarks.numpy(), output.boundaries.numpy()
            if mirrored:
                first = first[..., ::-1][:, WFLW.flip]
                second = second[..., ::-1][:, WFLW.curve_flip]
            landmarks.append(first)
            boundaries.append(second)
    means = np.mean(landmarks, axis=0), np.mean(boundaries, axis=0)
    assert means[0].min() < 0  # so that the limits matter
    assert means[0].max() > 1
    return tuple(np.clip(mean, 0, 1) for mean in means)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("clean", [False, True])
def test_the_distilled_loss_equals_a_plain_reference(
    faces: Faces, teachers: tuple[str, str], tmp_path: Path, mirror: bool, clean: bool
) -> None:
    recipe = replace(
        RECIPE,
        augment=replace(STILL, p_color=1.0),
        sources={"ytf": Source(labels=False, weight=0.25), "drawn": Source(weight=0.5)},
        distillation=Distillation(weight=0.7, mirror=mirror, clean=clean),
    )
    trainer = Trainer(config(tmp_path, recipe, *teachers), *faces, CPU)
    batch = next(trainer.feed.batches(recipe.stages[0], 0, 0))
    labelled = batch["labelled"].numpy()
    assert 0 < labelled.sum() < 4
    assert ("clean" in batch) == clean
    if clean:
        assert not torch.equal(batch["clean"], batch["crop"])
    loss = trainer.learner._loss(batch).item()

    def planes(crops: Tensor) -> Tensor:
        return crops.permute(0, 3, 1, 2).float() / 127.5 - 1

    outputs = trainer.learner.network(planes(batch["crop"]))
    attributes = batch["attributes"].numpy().astype(np.float64)
    assert (attributes[~labelled] == 0).all()
    count = attributes.sum(axis=0)
    factor = np.where(count > 0, labelled.sum() / np.maximum(count, 1), 1)
    focal = np.where(attributes > 0, factor, 1).mean(axis=1)
    truth = batch["landmarks"].numpy(), batch["boundaries"].numpy()
    expected = plain_loss(outputs, truth, labelled * 0.5 * focal, recipe.loss)
    seen = plain_targets(teachers, planes(batch["clean" if clean else "crop"]), mirror)
    weights = np.where(labelled, 0.5, 0.25)
    expected += 0.7 * plain_loss(outputs, seen, weights, recipe.loss)
    assert loss == pytest.approx(expected, rel=1e-4)


def test_unlabelled_faces_teach_by_the_teacher_alone(
    faces: Faces, teachers: tuple[str, str], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, augment=STILL, sources={"ytf": Source(labels=False)})

    def first_loss(training: list[Sample]) -> tuple[float, Tensor]:
        trainer = Trainer(config(tmp_path, recipe, teachers[0]), training, faces[1], CPU)
        batch = next(trainer.feed.batches(recipe.stages[0], 0, 0))
        return trainer.learner._loss(batch).item(), batch["labelled"]

    def changed(source: str) -> list[Sample]:
        nothing = np.full((98, 2), np.nan)
        return [
            replace(s, points=nothing if s.source == "ytf" else s.points + 8.0, attributes=(1,) * 6)
            if s.source == source
            else s
            for s in faces[0]
        ]

    loss, labelled = first_loss(faces[0])
    assert not labelled.all()
    assert first_loss(changed("ytf"))[0] == loss
    assert first_loss(changed("drawn"))[0] != loss


def test_a_student_moves_towards_its_teacher(
    faces: Faces, teachers: tuple[str, str], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, augment=STILL, sources={"": Source(labels=False)})
    smooth = teacher_file(tmp_path / "smooth.safetensors", ONE, 5, strength=1)
    trainer = Trainer(config(tmp_path, recipe, smooth), *faces, CPU)
    learner = trainer.learner
    assert learner.teacher is not None
    batch = next(trainer.feed.batches(recipe.stages[0], 0, 0))
    image = batch["crop"].permute(0, 3, 1, 2).float() / 127.5 - 1
    target = learner.teacher(image)[0]

    def distance() -> float:
        with torch.no_grad():
            return float((learner.network.landmarks(image) - target).abs().mean())

    before = distance()
    losses = [learner.step(batch, 3e-3).item() for _ in range(16)]
    assert losses[-1] < 0.5 * losses[0]
    assert distance() < 0.6 * before


def test_a_teacher_costs_the_student_no_gradient_and_stays_what_it_was(
    faces: Faces, teachers: tuple[str, str], tmp_path: Path
) -> None:
    trainer = Trainer(config(tmp_path, RECIPE, teachers[0], epochs=1), *faces, CPU)
    trainer.run()
    assert trainer.learner.teacher is not None
    (network,) = trainer.learner.teacher._networks
    original = load_network(teachers[0])[0].state_dict()
    assert all(torch.equal(value, original[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_killed_run_with_a_teacher_resumes_to_the_same_bits(
    faces: Faces, teachers: tuple[str, str], tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def kill(progress: Progress, done: float) -> None:
        if progress.step == steps + 2:
            raise Killed

    recipe = replace(
        RECIPE, augment=AugmentConfig(), sources={"ytf": Source(labels=False)},
        distillation=Distillation(mirror=True),
    )  # fmt: skip
    # Half of the faces, every source among them: two epochs are what this is about.
    faces = faces[0][:12], faces[1]
    steps = 3  # an epoch in batches of 4
    whole = Trainer(config(tmp_path / "whole", recipe, *teachers, precision="bf16"), *faces, CPU)
    whole.run()
    cut = config(tmp_path / "cut", recipe, *teachers, precision="bf16")
    with pytest.raises(Killed):
        Trainer(cut, *faces, CPU, kill).run()
    resumed = Trainer(replace(cut, workers=1), *faces, CPU)
    assert resumed.progress.step == steps + 1
    resumed.run()
    ours, theirs = (t.learner.network.state_dict() for t in (resumed, whole))
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []
    notes = load_network(str(cut.out / "last.safetensors"))[1].notes
    assert f"taught by {Path(teachers[0]).name}, {Path(teachers[1]).name}" in notes
    with pytest.raises(InputError, match="belongs to a run with another teachers"):
        Trainer(replace(cut, teachers=teachers[:1]), *faces, CPU)


def test_what_cannot_teach_is_refused(
    faces: Faces, teachers: tuple[str, str], tmp_path: Path
) -> None:
    other = teacher_file(tmp_path / "ibug.safetensors", replace(ONE, markup=IBUG), 0)
    with pytest.raises(InputError, match="points of ibug68, not of wflw98: a teacher needs"):
        Teacher((other,), TINY, CPU.device)
    plain = teacher_file(tmp_path / "plain.safetensors", replace(ONE, propagation=False), 0)
    with pytest.raises(InputError, match="no propagation module, so it cannot teach boundary"):
        Teacher((teachers[0], plain), TINY, CPU.device)
    # A student without boundary maps learns from any.
    student = replace(TINY, propagation=False)
    both = Teacher((teachers[0], plain), student, CPU.device)
    assert both(torch.zeros(2, 3, 64, 64))[1] is None


def test_faces_without_labels_need_a_teacher_and_the_setting(
    faces: Faces, teachers: tuple[str, str], tmp_path: Path
) -> None:
    unread = replace(RECIPE, sources={"ytf": Source(labels=False)})
    with pytest.raises(InputError, match="'labels: false' for the source 'ytf', so nothing would"):
        Trainer(config(tmp_path, unread), *faces, CPU)
    bare = [replace(faces[0][0], points=np.full((98, 2), np.nan)), *faces[0][1:]]
    with pytest.raises(InputError, match="has no landmarks: set 'labels: false' for the source"):
        Trainer(config(tmp_path, RECIPE, teachers[0]), bare, faces[1], CPU)


def test_the_command_learns_from_boxes_alone(
    teachers: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = write_faces(tmp_path / "boxes")
    path = root / "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt"
    lines = [line.split() for line in path.read_text().splitlines()]
    path.write_text("\n".join(" ".join(["nan"] * 196 + fields[196:]) for fields in lines) + "\n")
    assert not any(sample.has_points for sample in read_dataset("wflw", root, "train"))
    (tmp_path / "quick.yaml").write_text(
        "stages: [{until: 1.0, size: 64, batch: 8}]\nsources: {ytf: {labels: false}, "
        "drawn: {labels: false}}\ndistillation: {weight: 2.0, mirror: true}\n"
    )
    arguments = [
        "--data", root, "--recipe", tmp_path / "quick.yaml", "--out", tmp_path / "run",
        "--epochs", 1, "--teacher", teachers[0], "--teacher", "propnet-s", "--threads", 1,
        "--model", "tiny",
    ]  # fmt: skip
    monkeypatch.setitem(VARIANTS, "tiny", TINY)
    monkeypatch.setattr(sys, "argv", ["run", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        run_command(app)
    printed = capsys.readouterr()
    assert left.value.code == 0, printed.err
    said = " ".join(printed.out.split())
    size = load_network("propnet-s")[1].input_size
    assert f"note: propnet-s was trained at {size} px and will teach at 64 px" in said
    assert "big.safetensors was trained" not in said
    assert "finished: dev NME" in said


def test_nothing_is_mirrored_that_has_no_mirrored_points(tmp_path: Path) -> None:
    """As in the student's own views: a mirror image is another thing then."""
    markup = replace(WFLW, name="turned", pairs=None)
    network = replace(TINY, markup=markup)
    weights = teacher_file(tmp_path / "one.safetensors", network, 3)
    image = torch.rand(2, 3, 64, 64) * 2 - 1
    plain, mirrored = (
        Teacher((weights,), network, CPU.device, mirror=mirror)(image)[0]
        for mirror in (False, True)
    )
    assert torch.equal(plain, mirrored)
