"""What each of two processes does for test_distributed.py, started by torchrun.

    torchrun --nproc-per-node 2 tests/support/ddp_program.py DATA OUT

Writes OUT/rank{0,1}.pt with what this process saw.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tests.support.face_files import RECIPE, STILL, TINY, read_faces
from train.learning.checkpoint import Progress
from train.learning.learner import Learner
from train.learning.loader_signals import Interrupted
from train.learning.processes import World, join_world
from train.learning.trainer import Trainer
from train.recipes.augment_config import AugmentConfig
from train.recipes.recipe import Stage
from train.recipes.run_config import RunConfig

# A comparison with one process needs steps that are linear in the batch: no focal weights (they
# depend on who shares a batch), no clipping, and batch normalisation as in evaluation.
LINEAR = replace(RECIPE, augment=STILL, clip_norm=0.0, loss=replace(RECIPE.loss, focal=False))


def gradients_after_one_step(samples: Any, world: World, out: Path) -> dict[str, torch.Tensor]:
    """Gradient of the first batch: 4 faces per process, or 8 in a process alone."""
    recipe = replace(LINEAR, stages=(Stage(1.0, 64, 8 // world.size),))
    config = RunConfig("tiny", TINY, recipe, out, epochs=1, max_minutes=None, precision="f32")
    trainer = Trainer(config, *samples, world)
    trainer.learner.network.eval()
    batch = next(trainer.feed.batches(recipe.stages[0], 0, 0))
    trainer.learner.step(batch, 1e-3)
    named = trainer.learner.network.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


def learned(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in learner.network.named_parameters()}


def main() -> None:
    """Run the parts one after the other."""
    torch.set_num_threads(1)
    data, out = map(Path, sys.argv[1:3])
    samples = read_faces(data)
    with join_world("cpu") as world:
        seen: dict[str, Any] = {"world": (world.rank, world.size, world.leads)}
        seen["gradients"] = gradients_after_one_step(samples, world, out / "gradients")
        seen["mean"] = world.mean(torch.tensor([float(world.rank), 4.0])).tolist()
        seen["agree"] = world.agree(10.0 + world.rank)

        # The largest variant's configuration: its last attention gets no gradient. The second
        # process is given a folder of its own, to see that it writes nothing.
        network = replace(TINY, last_attention=True)
        recipe = replace(RECIPE, augment=AugmentConfig())
        config = RunConfig(
            "tiny", network, recipe, out / f"run{world.rank}", epochs=2, max_minutes=None
        )
        trainer = Trainer(config, *samples, world)
        finished = trainer.run()
        seen["learned"] = learned(trainer.learner)
        seen["steps"] = (finished.step, finished.images, finished.epoch)
        seen["losses"] = [row.loss for row in finished.rows]

        # Only the second process gets the signal; both must stop after the same step.
        def report(progress: Progress, done: float) -> None:
            if progress.step == 1 and world.rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)

        config = replace(config, out=out / "stopped")
        try:
            trainer = Trainer(config, *samples, world, report)
            trainer.run()
        except Interrupted as error:
            seen["stopped"] = (trainer.progress.step, error.number)
        # The leading process wrote the checkpoint before it left the last step's exchange.
        world.mean(torch.zeros(1))
        trainer = Trainer(config, *samples, world)
        seen["resumed at"] = trainer.progress.step
        trainer.run()
        seen["resumed"] = learned(trainer.learner)

        # By time, with clocks that differ: the second process believes that it is much later.
        if world.rank == 1:
            clock = time.monotonic
            time.monotonic = lambda: 1000 * clock()
        stages = (Stage(0.001, 64, 4), Stage(1.0, 128, 4))
        config = replace(
            config,
            recipe=replace(recipe, stages=stages),
            out=out / f"timed{world.rank}",
            epochs=None,
            max_minutes=0.04,
        )
        timed = Trainer(config, *samples, world).run()
        seen["timed"] = [(row.epoch, row.step, row.size, row.minutes) for row in timed.rows]
        torch.save(seen, out / f"rank{world.rank}.pt")


if __name__ == "__main__":
    main()
