"""The training loop: epochs over random crops, evaluated and checkpointed, resumable anywhere."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from model.errors import InputError
from model.stop_signals import StopFlag, interrupt_flag
from model.weights import Metadata, save_network
from tracker.engines.base import ModelInfo
from tracker.engines.torch import TorchEngine
from train.data.sample import Sample
from train.evaluation.landmark_errors import check_comparable, evaluate
from train.learning.checkpoint import Progress, load_checkpoint, save_checkpoint
from train.learning.feed import Feed
from train.learning.history import HistoryRow, plot_history, write_history
from train.learning.learner import Learner
from train.learning.loader_signals import Interrupted
from train.learning.memory import memory_suffices
from train.learning.processes import World
from train.recipes.recipe import Recipe, Stage
from train.recipes.run_config import RunConfig

_ADVICE = (
    "give a smaller batch in the recipe (another --out then), or fewer --workers; the run resumes "
    "from its last checkpoint."
)


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Learning rate of a step.

    Args:
        recipe: peak, warm-up and shape.
        step: optimiser steps done.
        progress: share of the run done, 0 to 1.
    """
    warmup = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    shape = (1 + math.cos(math.pi * min(progress, 1.0))) / 2 if recipe.schedule == "cosine" else 1
    return recipe.learning_rate * warmup * shape


class Trainer:
    """A run: what learns, what it learns from, and where it is.

    Args:
        config: what to do.
        train: faces to learn from.
        dev: faces to judge by.
        world: this process among all.
        report: called after every step with the progress and the share of the run done.

    Raises:
        InputError: no faces, dev faces whose errors cannot be told, or a checkpoint in `config.out`
            that cannot be resumed.
    """

    def __init__(
        self,
        config: RunConfig,
        train: Sequence[Sample],
        dev: Sequence[Sample],
        world: World,
        report: Callable[[Progress, float], object] = lambda progress, done: None,
    ) -> None:
        if not train or not dev:
            raise InputError("a run needs training faces and dev faces: check --data.")
        # Now, not when the first epoch has been learned.
        check_comparable(config.network.markup, dev)
        self.config, self.world, self.report = config, world, report
        self.dev_samples = dev
        self.feed = Feed(config, train, world)
        self.learner = Learner(config, world)
        self.progress = Progress()
        self.checkpoint = config.out / "checkpoint.pt"
        self._settings = config.settings(train, dev, world.size)
        self._notes = config.notes(train)
        self._stop = StopFlag()
        if self.checkpoint.is_file():
            self.progress, states = load_checkpoint(self.checkpoint, self._settings)
            self.learner.restore(states)
        if self.world.agree(self.progress.step) != self.progress.step:
            raise InputError(
                f"{self.checkpoint} is not the same file for every process: "
                "--out must be a folder that all machines share."
            )

    def run(self) -> Progress:
        """Train to the end of the configured length.

        SIGTERM, Ctrl-C and a closed terminal end the run after the current step and a checkpoint.

        Raises:
            InputError: the loss is no longer finite, memory does not suffice, or files cannot be
                written.
            Interrupted: a signal came; the same command resumes.
        """
        with interrupt_flag(held=True) as self._stop, memory_suffices(_ADVICE):
            while self._done() < 1:
                self._epoch()
        return self.progress

    def _done(self, batches: int = 0) -> float:
        """Share of the run done, 0 to 1; `batches` is the length of the epoch, where known."""
        progress = self.progress
        if self.config.epochs is not None:
            part = progress.batch / batches if batches else 0.0
            return (progress.epoch + part) / self.config.epochs
        assert self.config.max_minutes is not None
        return progress.seconds / 60 / self.config.max_minutes

    def _epoch_start(self) -> float:
        """Share of the run done when this epoch started: a resumed epoch keeps its stage."""
        if self.config.epochs is not None:
            return self.progress.epoch / self.config.epochs
        assert self.config.max_minutes is not None
        minutes = self.progress.rows[-1].minutes if self.progress.rows else 0.0
        return minutes / self.config.max_minutes

    def _epoch(self) -> None:
        """Serve what is left of the current epoch, then evaluate."""
        progress = self.progress
        recipe = self.config.recipe
        stage = recipe.stage_at(self._epoch_start())
        if progress.rows and not progress.batch and progress.rows[-1].size != stage.size:
            # Weights for the old size spoil the average for long: 1.4 points of NME after 600
            # steps, in the run that this was first seen in (decay 0.999).
            self.learner.average.restart()
        batches = self.feed.length(stage, progress.epoch)
        done = self._done(batches)
        saved = last = time.monotonic()
        for batch in self.feed.batches(stage, progress.epoch, progress.batch):
            rate = learning_rate(recipe, progress.step, done)
            number = self._account(self.learner.step(batch, rate), len(batch["crop"]))
            now = time.monotonic()
            # Clocks differ and decisions must not: the leading process's time is everybody's.
            progress.seconds = self.world.agree(progress.seconds + now - last)
            last = now
            done = self._done(batches)
            self.report(progress, done)
            if done >= 1:
                break
            if number or now - saved > 60 * self.config.checkpoint_minutes:
                self._save()
                if self.world.leads:
                    # What is cut off before the end of its first epoch has weights too.
                    self._save_weights("last", stage)
                saved = now
            if number:
                raise Interrupted(number)
        self._finish_epoch(stage)
        if self.config.judging_counts:
            progress.seconds = self.world.agree(progress.seconds + time.monotonic() - last)

    def _account(self, loss: Tensor, faces: int) -> int:
        """Count a step.

        Args:
            loss: this process's mean loss.
            faces: this process's faces.

        Returns:
            The signal that ends the run, 0 if there is none. It is the same decision in every
            process: one that left alone would leave the others waiting.
        """
        own = self._stop.number
        flag = torch.tensor(float(own > 0), device=loss.device)
        value, stop = self.world.mean(torch.stack([loss, flag])).tolist()
        progress = self.progress
        if not np.isfinite(value):
            raise InputError(
                f"the loss became {value} at step {progress.step}: lower the recipe's "
                "learning_rate and start again with another --out."
            )
        progress.loss_sum += value
        progress.step += 1
        progress.batch += 1
        progress.images += faces * self.world.size
        return (own or int(signal.SIGTERM)) if stop > 0 else 0

    def _finish_epoch(self, stage: Stage) -> None:
        """Evaluate, record, save."""
        progress, out = self.progress, self.config.out
        batches, progress.batch = progress.batch, 0
        progress.epoch += 1
        loss, progress.loss_sum = progress.loss_sum / max(batches, 1), 0.0
        if not self.world.leads:
            progress.rows.append(self._row(stage, loss, float("nan")))
            return
        # Before they are judged: a run that is killed meanwhile has them.
        self._save_weights("last", stage)
        # Judged at the size of the stage: the time spent here is not training time.
        nme = self._dev_nme(stage)
        progress.rows.append(self._row(stage, loss, nme))
        write_history(out / "metrics.csv", progress.rows)
        plot_history(out / "metrics.png", progress.rows)
        self._save_weights("last", stage, nme)
        # A larger input starts a new contest: scores at 128 pixels say little about 256.
        if len(progress.rows) > 1 and progress.rows[-2].size != stage.size:
            progress.best = float("inf")
        if nme < progress.best:
            progress.best = nme
            self._save_weights("best", stage, nme)
        self._save()

    def _dev_nme(self, stage: Stage) -> float:
        """Mean NME of the averaged weights from the true boxes, percent."""
        config = self.config
        info = ModelInfo(config.name, config.network.markup, stage.size, weights_sha256="")
        engine = TorchEngine(self.learner.average.network, info)
        return 100 * float(evaluate(engine, self.dev_samples).errors.mean())

    def _row(self, stage: Stage, loss: float, nme: float) -> HistoryRow:
        p = self.progress
        minutes = p.seconds / 60
        return HistoryRow(
            p.epoch, p.step, p.images, minutes, stage.size, self.learner.rate, loss, nme
        )

    def _save_weights(self, label: str, stage: Stage, nme: float | None = None) -> None:
        judged = "not judged" if nme is None else f"dev NME {nme:.3f} %"
        notes = (
            f"{self._notes}, {self.progress.images} views in "
            f"{self.progress.seconds / 60:.1f} minutes, {judged} at {stage.size} px"
        )
        metadata = Metadata(self.config.name, self.config.network, stage.size, notes)
        save_network(
            self.config.out / f"{label}.safetensors", self.learner.average.network, metadata
        )

    def _save(self) -> None:
        if self.world.leads:
            save_checkpoint(self.checkpoint, self._settings, self.progress, self.learner.state())
