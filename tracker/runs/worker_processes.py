"""Jobs in processes of their own: several at once, and one that dies takes only its file along."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

from model.errors import InputError
from model.files import give_up_all, remove_all_unfinished
from model.stop_signals import SIGNALS
from tracker.runs.file_series import Result, attempt
from tracker.runs.job import Job
from tracker.system.end_of_parent import end_of_parent, leave_with_parent
from tracker.system.native_stderr import native_stderr_hidden
from tracker.tracking.face_tracker import Tracker

_DIED = (
    "the process that worked on this file died (out of memory, or a fault in a decoder): try it "
    "alone, or with fewer --jobs."
)


def run_parallel(jobs: Sequence[Job], processes: int) -> Generator[Result, None, None]:
    """Run jobs in worker processes.

    Workers are started afresh (spawned, not forked: the libraries have threads), and each loads the
    network once. They end with this process, also where it is killed. If one dies, the files that
    were being worked on are done again, each by itself, to find the one to blame. Close the
    generator (or let Ctrl-C or SIGTERM go through it) to have the workers give up what they are
    doing.

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
        with closing(_pool(tuple(waiting), processes)) as items:
            for item in items:
                if isinstance(item, Result):
                    waiting.remove(item.job)
                    yield item
                else:
                    suspects.append(item)
        for job in suspects:
            waiting.remove(job)
            (item,) = _pool([job], 1)
            yield item if isinstance(item, Result) else Result(job, error=_DIED)


def _pool(jobs: Sequence[Job], processes: int) -> Generator[Result | Job, None, None]:
    """Results, and after the death of a worker the jobs that were in work; then it ends."""
    context = multiprocessing.get_context("spawn")
    todo = iter(jobs)
    others = multiprocessing.active_children()
    running: dict[Future[Result], Job] = {}
    count = min(processes, len(jobs))
    _start_keeper()
    with end_of_parent(context) as end, ProcessPoolExecutor(count, context, _begin, (end,)) as pool:
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
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            # The end of the block waits for the workers, and `kill` has not reached them.
            _dismiss(others)
            raise
        except BrokenProcessPool:
            if not running:
                # It died before it had taken any: starting again would end the same way.
                raise InputError(
                    "worker processes die as soon as they start: try --jobs 1, or more memory."
                ) from None
            yield from running.values()


def _start_keeper() -> None:
    """Start the process in which multiprocessing keeps account of resources, deaf to a hang-up.

    Python has it ignore Ctrl-C and SIGTERM, but a closed terminal would end it, and who then asks
    it fails.
    """
    if sys.platform == "win32":
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _dismiss(others: Sequence[object]) -> None:
    """Have the workers give up their files."""
    if os.name == "nt":  # where this would kill them: they finish their files instead
        return
    for child in multiprocessing.active_children():
        if child not in others:
            child.terminate()


_tracker: Tracker | None = None


def work(job: Job) -> Result:
    """Do a job in a process that does nothing else; the network is loaded for the first one.

    Args:
        job: weights, engine and options are the same in all jobs of a process.
    """
    global _tracker  # noqa: PLW0603 (the process's own)
    with native_stderr_hidden():
        if _tracker is None:
            _tracker = Tracker(job.weights, job.engine, job.options)
        return attempt(job, _tracker)


_busy = _leaving = False


def _begin(end: Connection) -> None:
    """Once in every worker."""
    leave_with_parent(end, remove_all_unfinished)
    for number in SIGNALS:
        # Under nohup SIGHUP is ignored, and stays so.
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT:
            signal.signal(number, _on_signal)


def _on_signal(number: int, frame: object) -> None:
    # Ctrl-C and a hang-up reach all processes of the terminal, and the main one sends SIGTERM when
    # it ends: a file in work is given up and cleaned away, once; a waiting worker is ended by the
    # main process without a word.
    global _leaving  # noqa: PLW0603
    if _busy and not _leaving:
        _leaving = True
        raise KeyboardInterrupt
    if number == signal.SIGTERM and not _leaving:
        os._exit(128 + number)


def _work(job: Job) -> Result:
    global _busy  # noqa: PLW0603
    _busy = True
    try:
        return work(job)
    except KeyboardInterrupt:
        # The main process has had its own signal. If it was only this one's, the file is done again
        # like that of any worker that dies.
        give_up_all()
        os._exit(128 + signal.SIGINT)
    finally:
        _busy = False
