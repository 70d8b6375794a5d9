"""No command opens a socket of the internet but those that its user asked for.

The real commands run under strace, as a user would start them: what is set for tests and for CI
(where some libraries report nothing) is not in their environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.face_files import write_faces
from tests.support.paths import PORTRAIT_CLIP, ROOT
from tests.support.small_network import save_small
from tracker.assets import ASSETS

# Only what is needed to start Python: this process has switched telemetry off in its own.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR")
_TRACE = ("strace", "-f", "--seccomp-bpf", "-e", "trace=socket,connect,sendto,sendmsg,sendmmsg")
_SHORT = ("--max-frames", "3")
_PORT = 11573
# Files that commands keep for their next start: none but those of OpenVINO, and not of the many
# networks that quantising tries.
_KEPT_NETWORKS = {
    "track openvino": (1, 2),
    "batch": (1, 2),
    "doctor": (2, 3, 4),
}


@dataclass(frozen=True)
class Traced:
    """A command that has ended.

    Attributes:
        code: its exit code.
        printed: what it printed.
        network: its calls that have to do with the internet.
        files: what it left in the user's home and cache.
    """

    code: int
    printed: str
    network: list[str]
    files: list[str]


def traced(folder: Path, *arguments: object) -> Traced:
    """Run `python -m ...` with a home of its own, made in `folder`."""
    home, trace = folder / "home", folder / "trace"
    (home / "cache").mkdir(parents=True)
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment["OMP_NUM_THREADS"] = "1"  # two commands on two cores
    # Its list of fonts takes seconds to make: once for all commands, and not in their homes.
    environment["MPLCONFIGDIR"] = str(folder.parent / "matplotlib")
    done = subprocess.run(
        [*_TRACE, "-o", str(trace), sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False, timeout=600,
    )  # fmt: skip
    calls = trace.read_text(encoding="utf-8").splitlines()
    return Traced(
        done.returncode,
        done.stdout,
        [call for call in calls if "AF_INET" in call],
        [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()],
    )


@pytest.fixture(scope="module")
def commands(
    tmp_path_factory: pytest.TempPathFactory, network: Path
) -> Iterator[dict[str, Future[Traced]]]:
    """The commands by name, two at a time: a minute together, a minute and a half in a row."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace, which shows the calls of a command: apt install strace")
    may = subprocess.run([*_TRACE, "true"], capture_output=True, text=True, check=False)
    if may.returncode:
        pytest.skip(f"strace may not look into processes here: {may.stderr.strip()}")
    root = tmp_path_factory.mktemp("leaves")
    # So many are the least that quantising takes.
    faces = write_faces(root / "faces", train=49, test=1)
    few = write_faces(root / "few", train=4, test=1)
    weights = save_small(root / "small.safetensors")
    recipe = root / "quick.yaml"
    recipe.write_text("stages: [{until: 1.0, size: 64, batch: 4}]\nwarmup_steps: 1\n")
    exported = root / "small.onnx"
    track = ("tracker.cli", PORTRAIT_CLIP, "--weights", network, *_SHORT)
    programs: dict[str, tuple[object, ...]] = {
        "export.run": ("export.run", "--weights", weights, "--out", exported),
        "export.quantize": (
            "export.quantize", "--onnx", exported, "--data", faces, "--crops", 1,
            "--out", root / "small-int8.onnx",
            # The weights are random: what 8 bits do to them is chance.
            "--max-loss", 1e6, "--float-share", 0,
        ),
        "train.run": (
            "train.run", "--data", few, "--out", root / "run", "--recipe", recipe, "--epochs", 1,
        ),
        "train.evaluate": (
            "train.evaluate", "--dataset", "wflw", "--data", few, "--weights", network,
            "--engine", "onnxruntime", "--box", "detector",
        ),
        "track openvino": (*track, "--engine", "openvino", "--out", root / "openvino.mp4"),
        "track onnxruntime": (*track, "--engine", "onnxruntime", "--out", root / "ort.mp4"),
        # Its workers are processes that import everything again.
        "batch": (
            "tracker.cli", "batch", PORTRAIT_CLIP, ASSETS / "portrait.jpg", "--jobs", 2,
            "--out-dir", root / "many", "--weights", network, *_SHORT,
        ),
        "doctor": ("tracker.cli", "doctor"),
        "track --opensee": (*track, "--opensee", f"127.0.0.1:{_PORT}"),
    }  # fmt: skip
    with ThreadPoolExecutor(1) as exporting, ThreadPoolExecutor(1) as others:
        yield {
            # One after the other: quantising needs the exported file.
            name: (exporting if name.startswith("export") else others).submit(
                traced, root / name.replace(" ", "-"), *arguments
            )
            for name, arguments in programs.items()
        }
        for pool in (exporting, others):
            pool.shutdown(wait=False, cancel_futures=True)


@pytest.mark.parametrize(
    "name",
    [
        "track openvino",
        "track onnxruntime",
        "batch",
        "doctor",
        "train.run",
        "train.evaluate",
        "export.run",
        "export.quantize",
    ],
)
def test_no_command_reports(commands: dict[str, Future[Traced]], name: str) -> None:
    done = commands[name].result()
    assert done.code == 0, done.printed
    assert done.network == []
    # Neither OpenVINO's id of the user nor ONNX Runtime's of the device, nor its queue.
    # What OpenVINO compiled is kept; for one thread, and for all where one is slow.
    assert all(map(_is_compiled_network, done.files)), done.files
    assert len(done.files) in _KEPT_NETWORKS.get(name, (0,)), done.files


def test_what_the_user_asks_for_is_seen(commands: dict[str, Future[Traced]]) -> None:
    """Without this the tests above might see nothing because the trace shows nothing."""
    done = commands["track --opensee"].result()
    assert done.code == 0, done.printed
    assert any("socket(AF_INET," in call for call in done.network)
    hosts = re.findall(r'htons\((\d+)\).*?inet_addr\("([^"]+)"\)', "\n".join(done.network))
    assert set(hosts) == {(str(_PORT), "127.0.0.1")}
    assert done.files
    assert all(map(_is_compiled_network, done.files))


def _is_compiled_network(name: str) -> bool:
    """What is kept for the next start, see `tracker.engines.compiled_store`."""
    return re.fullmatch(r"cache/propnet/openvino-[0-9a-f]{32}\.blob", name) is not None
