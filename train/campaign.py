"""`python -m train.campaign`: all that a network needs from a rented GPU, in a given time.

Measures the machine, trains for most of the time, judges, lets the weights out in parts, exports,
and measures the engines. Every phase is one of this project's commands in a process of its own,
under a limit: one that fails costs its own time and nothing else. Run again, with the same folders,
it goes on where it was.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from model.config import VARIANTS, get_variant
from model.errors import InputError, run_command
from model.files import reserve_output
from train.phases.diary import Diary
from train.phases.measurements import MACHINE, engine_timings, gpu_tests
from train.phases.outgoing import Outgoing
from train.phases.steps import Started, Steps
from train.phases.training import plan_training, write_recipe
from train.phases.weight_parts import MIB
from train.recipes.recipe import load_recipe

# In the order in which they run.
PHASES = (
    "machine",
    "pycuda",
    "speed",
    "speed-compiled",
    "train",
    "weights",
    "evaluate",
    "export",
    "agreement",
    "engines",
    "engines-no-graphs",
    "engines-m",
    "engines-s",
    "tests",
    "tensorrt",
)
# Measuring must leave most of the time to training: its limits, as shares of what there is.
_SPEED_SHARE, _COMPILED_SHARE = 0.1, 0.1
# Training gets at least this share of what is left.
_TRAINING_SHARE = 0.06
PYTHON = (sys.executable, "-m")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def campaign(
    *,
    data: Annotated[
        list[Path], typer.Option(help="Folder in WFLW's layout; the first judges. Repeat.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of what is to be kept: a few small files.")],
    work: Annotated[Path, typer.Option(help="Folder of everything else; name it to go on.")],
    minutes: Annotated[float, typer.Option(min=0, help="For everything.")],
    after: Annotated[
        float, typer.Option(min=0, help="Minutes of them for what follows the training.")
    ] = 1.0,
    model: Annotated[str, typer.Option(help=f"One of {', '.join(VARIANTS)}.")] = "propnet",
    init: Annotated[
        str, typer.Option(help="Weights to grow from, as for train.run; 'none' for random ones.")
    ] = "propnet-m",
    recipe: Annotated[
        str, typer.Option(help="Name in train/recipes, or a .yaml file.")
    ] = "gpu-campaign",
    batch: Annotated[
        str, typer.Option(metavar="N,...", help="Views per step to try.")
    ] = "32,64,128",
    workers: Annotated[int, typer.Option(min=0, help="Loading processes.")] = 15,
    precision: Annotated[str, typer.Option(help="Of training: auto, bf16 or f32.")] = "auto",
    engine: Annotated[
        str, typer.Option(help="Engine to time: a name of export.speed.")
    ] = "torch-f16",
    faces: Annotated[
        str, typer.Option(metavar="N,...", help="Faces at once to time the engines with.")
    ] = "1,2,4,8,16,32,64",
    pycuda: Annotated[
        Path | None,
        typer.Option(help="Folder of pycuda's source and what it needs: built beside training."),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help=f"Leave out a phase: {', '.join(PHASES)}. Repeat.")
    ] = None,
    part: Annotated[float, typer.Option(min=0.1, help="Most MiB of a part of the weights.")] = 15.5,
    total: Annotated[float, typer.Option(min=0.1, help="Most MiB of all parts.")] = 60.0,
) -> None:
    """Train, judge and measure within a time, and leave weights and reports behind."""
    unknown = [name for name in skip or () if name not in PHASES]
    if unknown:
        raise InputError(f"unknown phase '{unknown[0]}': use {', '.join(PHASES)}.")
    get_variant(model)
    settings = load_recipe(recipe)
    for folder in data:
        if not folder.is_dir():
            raise InputError(f"the dataset folder {folder} does not exist.")
    reports, best = work / "reports", work / "run" / "best.safetensors"
    for folder in dict.fromkeys((out, work)):
        reserve_output(folder, folder=True)
    try:
        reports.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {reports}: {error.strerror or error}.") from error
    folders = [word for folder in data for word in ("--data", str(folder))]
    common = ("--model", model, "--precision", precision)
    loading = ("--workers", str(workers), *folders)
    site = work / "site"
    outgoing = Outgoing(best, out, part=int(part * MIB), total=int(total * MIB))
    with Steps(Diary(out, reports), skip or (), monotonic() + 60 * minutes) as steps:
        steps.run("machine", (sys.executable, "-c", MACHINE), 30)
        building = _start_pycuda(steps, pycuda, site)
        compiler = {"TORCHINDUCTOR_CACHE_DIR": str(work / "inductor")}
        size = str(settings.stages[-1].size)
        options = (*common, "--recipe", recipe, "--input-size", size)
        _measure_speed(steps, options, batch, loading, compiler)
        if steps.wanted("train"):
            # Should measuring have taken what was meant for training.
            seconds = max(steps.left() - 60 * after, _TRAINING_SHARE * steps.left())
            plan = plan_training(steps.diary, settings, seconds)
            steps.say(f"training with {plan['batch']} views a step: {plan['why']}")
            write_recipe(reports / "recipe.yaml", settings, plan["batch"])
            words = [
                *("--recipe", str(reports / "recipe.yaml"), "--out", str(best.parent)),
                *("--max-minutes", str(plan["minutes"]), "--judging-counts"),
                *(["--compile"] if plan["compile"] else []),
                *(["--init", init] if init != "none" else []),
            ]
            command = (*PYTHON, "train.run", *common, *loading, *words)
            steps.run("train", command, seconds, environment=compiler, tick=outgoing.follow)
            _copy_metrics(best.parent, reports)
            _take_last(best)
        if steps.wanted("weights", best):
            outgoing.follow()
            steps.diary.facts["weights"] = outgoing.state
            steps.diary.write()
            steps.say(f"weights: {outgoing.state}")
        steps.finish(building, steps.left())
        paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
        built = {"PYTHONPATH": os.pathsep.join(paths)} if site.is_dir() else {}
        _measure_result(steps, data[0], best, engine=engine, faces=faces, built=built)
        steps.say(f"the end; {out} holds what is kept")


def _start_pycuda(steps: Steps, sources: Path | None, site: Path) -> Started | None:
    """Install what lies in a folder beside the other phases: a source takes minutes to compile."""
    if sources is None:
        return None
    options = ("--no-index", "--no-build-isolation", "--no-deps", "--target", str(site))
    files = sorted(str(path) for path in sources.iterdir())
    return steps.start("pycuda", (*PYTHON, "pip", "install", *options, *files))


def _copy_metrics(run: Path, reports: Path) -> None:
    """Take a run's history into the reports."""
    for name in ("metrics.csv", "metrics.png"):
        if (run / name).is_file():
            shutil.copyfile(run / name, reports / name)


def _take_last(best: Path) -> None:
    """Where a run was cut off before its first epoch was judged, the last weights are the best."""
    last = best.with_stem("last")
    if last.is_file() and not best.exists():
        shutil.copyfile(last, best)


def _measure_speed(
    steps: Steps,
    options: Sequence[str],
    batch: str,
    loading: Sequence[str],
    compiler: dict[str, str],
) -> None:
    """Time training eager and compiled, and the loading of views."""
    command = (*PYTHON, "train.speed", *options)
    sizes = batch.split(",")
    # The compiler works on the processor while the eager steps are timed on the GPU.
    words = ("--batch", sizes[len(sizes) // 2], "--compile")
    name = "speed-compiled"
    compiled = steps.start(name, (*command, *words, *steps.json(name)), compiler)
    share = _SPEED_SHARE * steps.left()
    steps.run("speed", (*command, "--batch", batch, *loading, *steps.json("speed")), share)
    steps.finish(compiled, _COMPILED_SHARE * steps.left())


def _measure_result(
    steps: Steps,
    data: Path,
    best: Path,
    *,
    engine: str,
    faces: str,
    built: dict[str, str],
) -> None:
    """Judge the weights, and run them in every engine that this machine has."""
    weights, onnx = ("--weights", str(best)), best.with_suffix(".onnx")
    judge = ("train.evaluate", "--dataset", "wflw", "--data", str(data), *weights)
    steps.run("evaluate", (*PYTHON, *judge, *steps.json("evaluate")), needs=best)
    export = ("export.run", *weights, "--out", str(onnx), "--overwrite")
    steps.run("export", (*PYTHON, *export), needs=best)
    check = ("export.check", *weights, "--onnx", str(onnx), "--data", str(data))
    only = ("--engines", engine, *steps.json("agreement"))
    steps.run("agreement", (*PYTHON, *check, *only), needs=onnx)
    for name, command in engine_timings(str(best), engine, faces).items():
        own = onnx if str(best) in command else None
        steps.run(name, (*PYTHON, *command, *steps.json(name)), needs=own)
    if tests := gpu_tests():
        steps.run("tests", (*PYTHON, *tests), environment=built)
    # Where it cannot run, this says in one sentence why.
    answer = ("export.speed", "--engines", "tensorrt-f16", "--batch", "1")
    steps.run("tensorrt", (*PYTHON, *answer, *steps.json("tensorrt")), environment=built)


def main() -> None:
    """Entry point."""
    run_command(app)


if __name__ == "__main__":
    main()
