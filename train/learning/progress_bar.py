"""Training with a progress bar, for commands."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from train.data.sample import Sample
from train.learning.checkpoint import Progress as RunProgress
from train.learning.processes import World
from train.learning.trainer import Trainer
from train.recipes.run_config import RunConfig


def run_shown(
    config: RunConfig, samples: list[Sample], dev: list[Sample], world: World
) -> RunProgress:
    """Train behind a progress bar; only the leading process shows one.

    Args:
        config: what to do.
        samples: faces to learn from.
        dev: faces to judge by.
        world: this process among all.

    Returns:
        Where the run ended.

    Raises:
        InputError, Interrupted: see `Trainer`.
    """
    console = Console(quiet=not world.leads)
    console.print(
        f"{config.name}: {len(samples)} training faces, {len(dev)} dev faces, "
        f"{world.size} x {world.device}"
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>5.1f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("start", total=1.0)
        shown = [0]

        def report(progress: RunProgress, done: float) -> None:
            if len(progress.rows) > shown[0]:
                shown[0] = len(progress.rows)
                row = progress.rows[-1]
                bar.console.print(
                    f"epoch {row.epoch}: {row.size} px, loss {row.loss:.4f}, "
                    f"dev NME {row.dev_nme:.3f} %, {row.minutes:.1f} min"
                )
            loss = progress.loss_sum / max(progress.batch, 1)
            bar.update(
                task, completed=done, description=f"epoch {progress.epoch + 1} loss {loss:.4f}"
            )

        trainer = Trainer(config, samples, dev, world, report)
        _warn_of_sizes(trainer, bar.console)
        if trainer.progress.step:
            bar.console.print(f"resumed at step {trainer.progress.step}")
        finished = trainer.run()
    last = finished.rows[-1]
    console.print(
        f"finished: dev NME {last.dev_nme:.3f} % (best {finished.best:.3f} %), "
        f"{last.images} faces in {last.minutes:.1f} minutes; weights in {config.out}"
    )
    return finished


def _warn_of_sizes(trainer: Trainer, console: Console) -> None:
    """Say where a teacher will look at crops of a size that it was not trained for."""
    teacher = trainer.learner.teacher
    sizes = {stage.size for stage in trainer.config.recipe.stages}
    for name, size in teacher.sizes.items() if teacher else ():
        if sizes != {size}:
            console.print(
                f"note: {name} was trained at {size} px and will teach at "
                f"{', '.join(map(str, sorted(sizes)))} px; it is best at its own size"
            )
