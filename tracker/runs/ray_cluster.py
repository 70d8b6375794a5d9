"""The jobs of a batch on a Ray cluster, for those who outgrow one machine."""

from __future__ import annotations

import signal
import socket
import threading
import warnings
from collections.abc import Generator, Sequence
from dataclasses import replace
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from model.errors import InputError
from tracker.runs.file_series import Result
from tracker.runs.job import Job
from tracker.runs.worker_processes import work
from tracker.system.closing import Closing
from tracker.system.cores import available_cores

LOCAL = "local"
_AUTO = "auto"
# Where nobody listens, Ray itself looks on for half a minute.
_CONNECT_SECONDS = 5.0
# A node answers once it has started a process and imported the tracker.
_PROBE_SECONDS = 120.0
# After Ctrl-C, for workers to remove what they had begun.
_FAREWELL_SECONDS = 20.0
# A worker may be lost for reasons that have nothing to do with its file (a node that is taken
# away): the file is tried again so often before it is to blame.
_RETRIES = 2
# Files handed to the cluster per processor: enough that one that grows by itself sees the demand.
_WAITING = 4
# Ray's shared memory: results are a few numbers. (Its least is 75 MiB, its default 30 % of all.)
_STORE_BYTES = 100 * 2**20
_LOST = (
    "the worker that had this file was lost, and so were those that tried it again ({}): try it "
    "alone, without --ray."
)


class RayCluster(Closing):
    """A connection to a Ray cluster. A context manager.

    Nodes run the same installed tracker; files travel through storage that they share with this
    machine, under the same paths.

    Args:
        address: "auto" for the cluster that this machine is part of, "ray://HOST:PORT" for one
            that it is not part of, HOST:PORT of its head, or "local" to start one here that ends
            with the connection.
        at_once: files to work on at once on the whole cluster; None for one per processor.

    Attributes:
        threads: processor cores for each file.

    Raises:
        InputError: the package ray is missing, or there is no cluster that can be used.
    """

    def __init__(self, address: str, at_once: int | None = None) -> None:
        try:
            import ray  # noqa: PLC0415
            import ray.exceptions  # noqa: PLC0415
        except ImportError as error:
            raise InputError(
                "--ray needs the package ray: pip install 'propnet-tracker[ray]'."
            ) from error
        self._ray: Any = ray
        self._connect(address)
        try:
            cores = [int(node["Resources"].get("CPU", 0)) for node in self._nodes()]
            if not sum(cores):
                raise InputError(f"the Ray cluster at {address} has no processors to work with.")
            self.threads = max(min(sum(cores) // (at_once or sum(cores)), max(cores)), 1)
            self._window = at_once or _WAITING * sum(cores)
        except BaseException:
            self.close()
            raise

    def _connect(self, address: str) -> None:
        ray = self._ray
        options: dict[str, Any] = {"address": address, "log_to_driver": False}
        if address == LOCAL:
            options["num_cpus"] = available_cores()
            options["object_store_memory"] = _STORE_BYTES
            options["include_dashboard"] = False
        elif address != _AUTO:
            _check_listening(address)
        main = threading.current_thread() is threading.main_thread()
        terminate = signal.getsignal(signal.SIGTERM)
        try:
            with warnings.catch_warnings(action="ignore"):
                ray.init(configure_logging=False, logging_level="error", **options)
        except (OSError, RuntimeError, ValueError, ImportError, AssertionError) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise InputError(f"no Ray cluster can be used at {address}: {reason}") from error
        finally:
            if main:  # Ray takes it for itself
                signal.signal(signal.SIGTERM, terminate)

    def check(self, paths: Sequence[Path]) -> None:
        """Make sure that every node has the tracker and sees the same files.

        Args:
            paths: existing files, of inputs and outputs.

        Raises:
            InputError: a node has not, or does not.
        """
        from ray.util.scheduling_strategies import (  # noqa: PLC0415
            NodeAffinitySchedulingStrategy,
        )

        wanted = [(str(path.absolute()), path.stat().st_size) for path in paths]
        nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in self._nodes()}
        probe = self._ray.remote(_probe)
        asked = {
            probe.options(
                num_cpus=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(identity, soft=False),
            ).remote(wanted): name
            for identity, name in nodes.items()
        }
        for answer, name in asked.items():
            try:
                version, missing = self._ray.get(answer, timeout=_PROBE_SECONDS)
            except self._ray.exceptions.RayError as error:
                reason = str(error).strip().rpartition("\n")[2]
                raise InputError(
                    f"node {name} of the Ray cluster cannot run the tracker ({reason}): install "
                    "propnet-tracker on all nodes, in the environment that Ray uses."
                ) from error
            if version != _version():
                raise InputError(
                    f"node {name} of the Ray cluster has propnet-tracker {version}, this machine "
                    f"{_version()}: install the same version on all of them."
                )
            if missing:
                raise InputError(
                    f"node {name} of the Ray cluster does not see {missing[0]} as this machine "
                    "does: inputs and --out-dir must be on storage that all nodes share, under the "
                    "same path."
                )

    def run(self, jobs: Sequence[Job]) -> Generator[Result, None, None]:
        """Run jobs on the cluster.

        A worker that is lost takes only its file along, which is tried again. Close the generator
        (or let Ctrl-C or SIGTERM go through it) to have the workers give up what they are doing.

        Args:
            jobs: what to do; weights, engine and options are the same in all of them.

        Yields:
            Results as they come, in any order.
        """
        remote = self._ray.remote(work).options(num_cpus=self.threads, max_retries=_RETRIES)
        todo = iter(jobs)
        running: dict[Any, Job] = {}
        try:
            while True:
                for job in islice(todo, self._window - len(running)):
                    running[remote.remote(_absolute(job))] = job
                if not running:
                    return
                (done,), _ = self._ray.wait(list(running), num_returns=1)
                result = self._result(done, running[done])
                del running[done]
                yield result
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            for answer in running:
                self._ray.cancel(answer)
            if running:
                answers = list(running)
                self._ray.wait(answers, num_returns=len(answers), timeout=_FAREWELL_SECONDS)
            raise

    def _result(self, answer: Any, job: Job) -> Result:
        try:
            result: Result = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError:
            raise  # a mistake of the program, as it would be without Ray
        except self._ray.exceptions.RayError as error:
            return Result(job, error=_LOST.format(type(error).__name__))
        # The manifest names the files as the user did.
        return replace(result, job=job)

    def _nodes(self) -> list[dict[str, Any]]:
        return [
            node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")
        ]

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()


def _check_listening(address: str) -> None:
    """Find out quickly that there is nobody.

    Raises:
        InputError: so it is, or the address is none.
    """
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.scheme not in ("", "ray"):
        raise InputError(
            f"'{address}' is no address of a Ray cluster: use auto, local, HOST:PORT or "
            "ray://HOST:PORT."
        )
    try:
        socket.create_connection((host, port), _CONNECT_SECONDS).close()
    except OSError as error:
        raise InputError(
            f"no Ray cluster can be reached at {address}: {error.strerror or error}; start one "
            "with 'ray start --head', or use --ray local."
        ) from error


def _probe(wanted: Sequence[tuple[str, int]]) -> tuple[str, list[str]]:
    """On a node: the version of its tracker, and which files it does not see in that size."""
    found = {path: Path(path).stat().st_size for path, _ in wanted if Path(path).is_file()}
    return _version(), [path for path, size in wanted if found.get(path) != size]


def _version() -> str:
    try:
        return metadata.version("propnet-tracker")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _absolute(job: Job) -> Job:
    """The job for a process that works in another folder."""
    detector, follower = job.options.detector, job.options.follower
    return replace(
        job,
        source=Path(str(job.source)).absolute(),
        out=job.out.absolute() if job.out else None,
        save=job.save.absolute() if job.save else None,
        weights=_as_path(job.weights),
        options=replace(job.options, detector=_as_path(detector), follower=_as_path(follower)),
    )


def _as_path(name: str) -> str:
    """A file's absolute path; a name as it is."""
    path = Path(name)
    return str(path.absolute()) if path.is_file() else name
