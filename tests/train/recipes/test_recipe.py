"""Recipes: the shipped ones load, the paper's holds the paper's constants, mistakes are named."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from model.config import VARIANTS
from model.errors import InputError
from train.recipes.augment_config import AugmentConfig
from train.recipes.recipe import RECIPES, LossConfig, Recipe, Source, Stage, load_recipe

NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_recipe_loads(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe == load_recipe(str(RECIPES / f"{name}.yaml"))
    assert recipe.stages[-1].until == 1
    for stage in recipe.stages:
        assert all(stage.size % (4 * 2**v.depth) == 0 for v in VARIANTS.values())


def test_there_is_one_for_each_purpose() -> None:
    assert {"cpu", "gpu", "paper"} <= set(NAMES)


def test_the_papers_recipe_holds_the_papers_constants() -> None:
    paper = load_recipe("paper")
    assert (paper.optimizer, paper.learning_rate, paper.schedule) == ("adam", 1e-4, "constant")
    assert (paper.warmup_steps, paper.weight_decay, paper.clip_norm) == (0, 0, 0)
    assert [stage.size for stage in paper.stages] == [256]
    assert paper.loss == LossConfig(
        alpha=2.1, omega=14, epsilon=1, theta=0.5, beta=0.5, focal=True, foreground=0
    )
    augment = paper.augment
    assert (augment.rotation, augment.scale, augment.translation, augment.flip) == (
        30, 0.15, 25, 0.5,
    )  # fmt: skip
    assert all(
        getattr(augment, f.name) == 0 for f in fields(AugmentConfig) if f.name.startswith("p_")
    )
    assert paper.ema_decay == 0


def test_nested_settings_replace_defaults_one_by_one(tmp_path: Path) -> None:
    recipe = load_recipe(
        write(
            tmp_path,
            """
            learning_rate: 2
            loss: {foreground: 3}
            augment: {flip: 0}
            stages:
              - {until: 0.25, size: 64, batch: 3}
              - {until: 1, size: 128, batch: 2}
            sources:
              ytf: {rate: 0.5}
            """,
        )
    )
    assert recipe.learning_rate == 2.0
    assert recipe.loss == LossConfig(foreground=3.0)
    assert recipe.augment == AugmentConfig(flip=0.0)
    assert recipe.stages == (Stage(0.25, 64, 3), Stage(1.0, 128, 2))
    assert recipe.sources == {"ytf": Source(rate=0.5)}


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, "# nothing\n")) == Recipe()


def test_stages_follow_the_share_of_the_run() -> None:
    first, second = Stage(0.4, 64, 8), Stage(1.0, 128, 4)
    recipe = Recipe(stages=(first, second))
    shares = [0, 0.39, 0.4, 0.99, 1.0]
    assert [recipe.stage_at(share) for share in shares] == [first, first, second, second, second]


def test_the_longest_prefix_of_a_source_counts() -> None:
    recipe = Recipe(sources={"300w": Source(rate=2), "300w/afw": Source(rate=3)})
    assert [recipe.source(name).rate for name in ("300w/helen", "300w/afw", "ytf")] == [2, 3, 1]


STAGE = "stages: [{{until: {}, size: {}, batch: {}}}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat: 1", ": unknown setting 'learning_rat'; known are optimizer, learning_rate"),
        ("loss: {gamma: 1}", ", loss: unknown setting 'gamma'; known are alpha"),
        ("loss: 3", ", loss: expected named settings, found 3."),
        ("learning_rate: fast", ", learning_rate: 'fast' is not a number"),
        ("learning_rate: 1e-4", ", learning_rate: '1e-4' is not a number (with an exponent write"),
        ("learning_rate: true", ", learning_rate: True is not a number"),
        ("warmup_steps: 1.5", ", warmup_steps: 1.5 is not a whole number."),
        ("warmup_steps: yes", ", warmup_steps: True is not a whole number."),
        ("loss: {focal: 1}", ", loss, focal: 1 is not true or false."),
        ("optimizer: sgd", ", optimizer: 'sgd' is not one of adam, adamw."),
        ("stages: 3", ", stages: 3 is not a list."),
        ("sources: [ytf]", ", sources: ['ytf'] is not a table of names."),
        ("sources: {ytf: {rate: -1}}", ", sources, ytf: a source's 'rate' and 'weight' must not"),
        ("sources: {ytf: {labels: 0}}", ", sources, ytf, labels: 0 is not true or false."),
        ("distillation: {weight: 0}", ", distillation: 'weight' of distillation must be a number"),
        ("distillation: {weight: .nan}", ", distillation: 'weight' of distillation must be a"),
        ("stages: [{until: 1.0, size: 64}]", ", stages[0]: the setting 'batch' is missing."),
        ("stages: []", ": the stages' 'until' must rise from above 0 and end with 1.0."),
        (STAGE.format(0.9, 64, 8), ": the stages' 'until' must rise from above 0 and end with"),
        (
            "stages: [{until: 1.0, size: 64, batch: 8}, {until: 0.5, size: 64, batch: 8}]",
            ": the stages' 'until' must rise from above 0 and end with 1.0.",
        ),
        (
            "stages: [{until: 1.0, size: 64, batch: 8}, {until: 1.0, size: 64, batch: 8}]",
            ": the stages' 'until' must rise from above 0 and end with 1.0.",
        ),
        (STAGE.format(1.0, 100, 8), ", stages[0]: a stage's 'size' must be a multiple of 64."),
        (STAGE.format(1.0, 0, 8), ", stages[0]: a stage's 'size' must be a multiple of 64."),
        (STAGE.format(1.0, 64, 0), ", stages[0]: a stage's 'batch' must be at least 1."),
        ("learning_rate: 0", ": learning_rate must be above 0."),
        ("ema_decay: 1", ": ema_decay must be from 0 to below 1."),
        ("augment: {p_blur: 2}", ", augment: 'p_blur' is a probability"),
        ("loss: {alpha: 1.5}", ", loss: the loss's 'alpha' must be above 2."),
        ("learning_rate: .inf", ": 'learning_rate' must be a finite number, not inf."),
        ("learning_rate: .nan", ": learning_rate must be above 0."),
        ("learning_rate: -1", ": learning_rate must be above 0."),
        ("learning_rate: 1.0e+999", ": 'learning_rate' must be a finite number, not inf."),
        (f"learning_rate: 0x{'f' * 900}", ", learning_rate: 5104866514"),
        ("weight_decay: .inf", ": 'weight_decay' must be a finite number, not inf."),
        ("clip_norm: .inf", ": 'clip_norm' must be a finite number, not inf."),
        ("landmark_sigma: .inf", ": 'landmark_sigma' must be a finite number, not inf."),
        ("landmark_sigma: 1.0e+6", ": 'landmark_sigma' must be from 0 to 100."),
        ("augment: {p_blur: .nan}", ", augment: 'p_blur' is a probability"),
        ("augment: {scale: .nan}", ", augment: 'scale' must not be negative."),
        ("augment: {rotation: .inf}", ", augment: 'rotation' must be a finite number, not inf."),
        ("augment: {translation: 1.0e+9}", ", augment: 'translation' must be from 0 to 256."),
        ("loss: {omega: .inf}", ", loss: 'omega' must be a finite number, not inf."),
        ("sources: {ytf: {rate: .inf}}", ", sources, ytf: 'rate' must be a finite number"),
        ("sources: {ytf: {rate: 1.0e+12}}", ", sources, ytf: 'rate' must be from 0 to 1000."),
        ("closed_eyes: {rate: 1.0e+12}", ", closed_eyes: 'rate' must be from 0 to 1000."),
        (STAGE.format(1.0, 64000000, 8), ", stages[0]: 'size' must be from 0 to 2048."),
        (STAGE.format(1.0, 64, 10**12), ", stages[0]: 'batch' must be from 0 to 65536."),
        ("[1, 2]", ": expected named settings, found [1, 2]."),
        ("0", ": expected named settings, found 0."),
        ("a: [1", " is not a YAML file: "),
    ],
)
def test_mistakes_are_named_by_file_and_place(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(path + message)
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"no recipe fast: give a .yaml file or one of correct, cpu, cpu-128, cpu-blink",
    ):
        load_recipe("fast")
    with pytest.raises(InputError, match=r"no recipe .*none\.yaml"):
        load_recipe(str(tmp_path / "none.yaml"))


def test_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="is not a YAML file"):
        load_recipe(str(tmp_path / "mine.yaml"))


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate: " + "[" * 20_000 + "]" * 20_000, " is nested more than 20 deep"),
        ("learning_rate: " + "[" * 20_000, " is nested more than 20 deep"),
        ("{a: " * 5_000, " is nested more than 20 deep"),
        (BOMB, " stands for more than 10000 values"),
        ("a: &a [x, *a]", ": *a stands within itself"),
        ("a: [*b]", " is not a YAML file: found undefined alias"),
        (f"learning_rate: {'9' * 5000}", " holds a value of 5000 characters"),
        ("learning_rate: 2026-13-45", " is not a YAML file: month must be in 1..12"),
        ("learning_rate: !!binary 'a'", " is not a YAML file: "),
        ("learning_rate: !!python/name:os.system", " is not a YAML file: could not determine"),
        ("? [a, b]\n: 1", " is not a YAML file: "),
        ("#" * (1 << 20) + "\n", " has 1048577 bytes, too many for settings."),
        (f"optimizer: [{', '.join(['sgd'] * 9_000)}]", ", optimizer: ['sgd', 'sgd', "),
    ],
)
def test_files_that_stand_for_more_than_settings(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(path + message)
    assert len(str(caught.value)) <= 500
    assert len(caught.value.args[0]) < 2000  # and was never longer


def test_anchors_may_be_used(tmp_path: Path) -> None:
    text = "sources: {a: &few {rate: 0.5}, b: *few, c: {<<: *few, weight: 2}}"
    recipe = load_recipe(write(tmp_path, text))
    assert recipe.sources == {"a": Source(0.5), "b": Source(0.5), "c": Source(0.5, 2.0)}


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1.0])
@pytest.mark.parametrize("setting", [f.name for f in fields(Recipe) if f.type == "float"])
def test_no_number_of_a_recipe_may_be_none(setting: str, value: float) -> None:
    with pytest.raises(InputError, match=setting):
        Recipe(**{setting: value})


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1.0])
@pytest.mark.parametrize("setting", [f.name for f in fields(AugmentConfig)])
def test_no_number_of_an_augmentation_may_be_none(setting: str, value: float) -> None:
    with pytest.raises(InputError, match=setting):
        AugmentConfig(**{setting: value})
