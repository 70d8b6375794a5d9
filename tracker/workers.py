"""Jobs in processes of their own: several at once, and one that dies takes only its file along."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from model.errors import InputError
from tracker.job import Job
from tracker.quiet import native_stderr_hidden
from tracker.series import Result, attempt
from tracker.tracker import Tracker

_DIED = (
    "the process that worked on this file died (out of memory, or a fault in a decoder): try it "
    "alone, or with fewer --jobs."
)


def available_cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_parallel(jobs: Sequence[Job], processes: int) -> Iterator[Result]:
    """Run jobs in worker processes.

    Workers are started afresh (spawned, not forked: the libraries have threads), and each loads the
    network once. If one dies, the files that were being worked on are done again, each by itself,
    to find the one to blame.

    Args:
        jobs: what to do; weights, engine and options are the same in all of them.
        processes: workers, >= 1.

    Yields:
        Results as they come, in any order.
    """
    waiting = list(jobs)
    while waiting:
        suspects: list[Job] = []
        # A copy: the pool goes on through it while finished jobs are struck off.
        for item in _pool(tuple(waiting), processes):
            if isinstance(item, Result):
                waiting.remove(item.job)
                yield item
            else:
                suspects.append(item)
        for job in suspects:
            waiting.remove(job)
            (item,) = _pool([job], 1)
            yield item if isinstance(item, Result) else Result(job, error=_DIED)


def _pool(jobs: Sequence[Job], processes: int) -> Iterator[Result | Job]:
    """Results, and after the death of a worker the jobs that were in work; then it ends."""
    context = multiprocessing.get_context("spawn")
    todo = iter(jobs)
    running: dict[Future[Result], Job] = {}
    with ProcessPoolExecutor(min(processes, len(jobs)), context, _begin) as pool:
        try:
            # Only as many as there are workers: what is running is known then.
            # (`islice` takes no job that it does not serve, as a zip with a range would.)
            for job in islice(todo, processes):
                running[pool.submit(_work, job)] = job
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    del running[future]
                    yield result
                    following = next(todo, None)
                    if following is not None:
                        running[pool.submit(_work, following)] = following
        except BrokenProcessPool:
            if not running:
                # It died before it had taken any: starting again would end the same way.
                raise InputError(
                    "worker processes die as soon as they start: try --jobs 1, or more memory."
                ) from None
            yield from running.values()


_tracker: Tracker | None = None
_busy = False


def _begin() -> None:
    """Once in every worker."""
    signal.signal(signal.SIGINT, _on_interrupt)


def _on_interrupt(number: int, frame: object) -> None:
    # Ctrl-C reaches all processes of the terminal: a file in work is given up and cleaned away, a
    # waiting worker is ended by the main process without a word.
    if _busy:
        raise KeyboardInterrupt


def _work(job: Job) -> Result:
    global _tracker, _busy  # noqa: PLW0603 (a worker's own)
    _busy = True
    try:
        with native_stderr_hidden():
            if _tracker is None:
                _tracker = Tracker(job.weights, job.engine, job.options)
            return attempt(job, _tracker)
    finally:
        _busy = False
