"""Recipes: everything that decides how a network is trained, one YAML file each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from model.errors import InputError
from model.heatmap import LANDMARK_SIGMA
from train.recipes.augment_config import AugmentConfig
from train.recipes.finite import check_finite, check_range
from train.recipes.yaml_settings import build, read_settings

RECIPES = Path(__file__).parent

# Bounds where a slip of the finger would take all memory instead of training badly: pixels, faces
# of a step, how often a face is served per epoch, pixels of a heatmap.
_LARGEST_SIZE, _LARGEST_BATCH, _MOST_OFTEN, _WIDEST = 2048, 65_536, 1000, 100


@dataclass(frozen=True)
class LossConfig:
    """Constants of the loss; the defaults are the paper's (section 4.3).

    Attributes:
        alpha: exponent of Eq. 1 where the target is 0; must exceed 2, so that the exponent
            alpha - y stays above 1 and the loss is smooth at 0.
        omega: height of the logarithmic part.
        epsilon: width of the logarithmic part.
        theta: error at which the loss turns linear.
        beta: weight of the boundary maps (Eq. 5).
        focal: weigh samples by the focal factor (Eq. 2); False gives plain Adaptive Wing.
        foreground: added weight of pixels on or beside a response. 0 is the paper's text; 10 is the
            weighted loss map of Adaptive Wing (Wang et al., ICCV 2019, Eq. 8), without which a
            2 x 64 network spends long on learning that most pixels are empty.
    """

    alpha: float = 2.1
    omega: float = 14.0
    epsilon: float = 1.0
    theta: float = 0.5
    beta: float = 0.5
    focal: bool = True
    foreground: float = 10.0

    def __post_init__(self) -> None:
        # The comparisons are false for NaN as well.
        if not self.alpha > 2:
            raise InputError("the loss's 'alpha' must be above 2.")
        if not (self.omega > 0 and self.epsilon > 0 and self.theta > 0):
            raise InputError("the loss's 'omega', 'epsilon' and 'theta' must be above 0.")
        if not (self.beta >= 0 and self.foreground >= 0):
            raise InputError("the loss's 'beta' and 'foreground' must not be negative.")
        check_finite(self)


@dataclass(frozen=True)
class Stage:
    """Part of a training run at one input size (progressive resizing).

    Attributes:
        until: share of the run at which the stage ends, 0 to 1; the last stage's is 1.
        size: side of the input, pixels.
        batch: faces per step and process.
    """

    until: float
    size: int
    batch: int

    def __post_init__(self) -> None:
        # 64: an hourglass of depth 4 halves a quarter of the size four times.
        if self.size < 64 or self.size % 64:
            raise InputError("a stage's 'size' must be a multiple of 64.")
        if self.batch < 1:
            raise InputError("a stage's 'batch' must be at least 1.")
        check_finite(self)
        check_range(self, size=_LARGEST_SIZE, batch=_LARGEST_BATCH)


@dataclass(frozen=True)
class Source:
    """How faces of one source are used.

    Attributes:
        rate: share of them served per epoch; 2 serves each twice.
        weight: factor on their loss.
        labels: False leaves their landmarks and attributes unread: they are learned from a teacher
            alone. Where labels are worse than the teacher, or there is only a box.
        offset: how far all its labels lie to the right of and below the points that they name, in
            the markup's normaliser (`train.evaluate` prints it in percent); it is taken out.
    """

    rate: float = 1.0
    weight: float = 1.0
    labels: bool = True
    offset: tuple[float, ...] = (0.0, 0.0)

    def __post_init__(self) -> None:
        # The comparisons are false for NaN as well.
        if len(self.offset) != 2 or not all(abs(share) < 1 for share in self.offset):
            raise InputError("a source's 'offset' must be two numbers, x and y, between -1 and 1.")
        if not (self.rate >= 0 and self.weight >= 0):
            raise InputError("a source's 'rate' and 'weight' must not be negative.")
        check_finite(self)
        check_range(self, rate=_MOST_OFTEN)


@dataclass(frozen=True)
class ClosedEyes:
    """More of the faces whose eyes are closed, of which data sets hold few.

    Without them a network learns that lids never quite meet, and no blink is seen.

    Attributes:
        below: mean opening of the eyes under which they count as closed; see
            `tracker.measures.openings.eye_openings`.
        rate: how many times as often such a face is served as its source's others.
    """

    below: float = 0.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        # The comparisons are false for NaN as well.
        if not (self.below >= 0 and self.rate >= 0):
            raise InputError("'below' and 'rate' of closed_eyes must not be negative.")
        check_finite(self)
        check_range(self, rate=_MOST_OFTEN)


@dataclass(frozen=True)
class Distillation:
    """How much a run with teachers learns from them; see `train.learning.teacher`.

    Attributes:
        weight: factor on the teacher's term, which is added to that of the labels.
        mirror: the teacher also looks at the mirrored crop, which costs it twice the time and
            takes out its preference for one side.
        clean: the teacher sees the crop before its look was changed (colour, blur, noise, JPEG,
            occlusion), the student after: what the teacher still sees, the student learns to infer.
            False shows both the same crop.
    """

    weight: float = 1.0
    mirror: bool = False
    clean: bool = True

    def __post_init__(self) -> None:
        # The comparison is false for NaN as well.
        if not 0 < self.weight < float("inf"):
            raise InputError("'weight' of distillation must be a number above 0.")


@dataclass(frozen=True)
class Recipe:
    """A training recipe; unknown keys in a file are errors.

    Attributes:
        optimizer: "adam" (paper) or "adamw".
        learning_rate: peak.
        weight_decay: AdamW's.
        warmup_steps: steps of linear growth to the peak: batch statistics settle first.
        schedule: "cosine" to zero, or "constant" (paper).
        clip_norm: limit on the norm of the gradient; 0 for none.
        ema_decay: decay of the averaged weights that are evaluated and shipped; 0 for none.
        landmark_sigma: width of the target Gaussians, heatmap pixels.
        stages: input sizes over the run.
        loss: constants of the loss.
        augment: strength of the augmentation.
        sources: by prefix of a sample's source; the longest prefix wins, others count fully.
        closed_eyes: how often faces with closed eyes are served.
        distillation: what a run with teachers does with them.
        least_views: an epoch serves about so many views at least, small sets more than once: it
            ends with judging, which takes longer than an epoch of some dozen faces.
    """

    optimizer: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 200
    schedule: Literal["cosine", "constant"] = "cosine"
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    landmark_sigma: float = LANDMARK_SIGMA
    stages: tuple[Stage, ...] = (Stage(1.0, 256, 16),)
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    sources: dict[str, Source] = field(default_factory=dict)
    closed_eyes: ClosedEyes = field(default_factory=ClosedEyes)
    distillation: Distillation = field(default_factory=Distillation)
    least_views: int = 0

    def __post_init__(self) -> None:
        ends = [0.0, *(stage.until for stage in self.stages)]
        rises = all(first < second for first, second in pairwise(ends))
        problems = {
            "the stages' 'until' must rise from above 0 and end with 1.0": rises and ends[-1] == 1,
            "learning_rate must be above 0": self.learning_rate > 0,
            "weight_decay must not be negative": self.weight_decay >= 0,
            "warmup_steps must not be negative": self.warmup_steps >= 0,
            "least_views must not be negative": self.least_views >= 0,
            "clip_norm must not be negative": self.clip_norm >= 0,
            "ema_decay must be from 0 to below 1": 0 <= self.ema_decay < 1,
            "landmark_sigma must be above 0": self.landmark_sigma > 0,
        }
        for problem, fine in problems.items():
            if not fine:
                raise InputError(f"{problem}.")
        check_finite(self)
        check_range(self, landmark_sigma=_WIDEST)

    def stage_at(self, progress: float) -> Stage:
        """The stage at a share of the run, 0 to 1."""
        return next((s for s in self.stages if progress < s.until), self.stages[-1])

    def source(self, name: str) -> Source:
        """How samples of that source are used."""
        matches = [prefix for prefix in self.sources if name.startswith(prefix)]
        return self.sources[max(matches, key=len)] if matches else Source()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for files."""
        return asdict(self)


def load_recipe(name: str) -> Recipe:
    """Read a recipe by name (`train/recipes/NAME.yaml`) or from a path.

    Raises:
        InputError: no such file, not YAML, an unknown key or a value of the wrong type.
    """
    path, values = read_settings(name, RECIPES, "recipe")
    recipe: Recipe = build(Recipe, {} if values is None else values, str(path))
    return recipe
