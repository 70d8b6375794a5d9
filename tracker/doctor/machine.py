"""Processor, cores, memory and cameras."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tracker.doctor.row import Row, Status
from tracker.system.cores import available_cores
from tracker.system.processor import has_dot_products, processor_name, vector_features

_ROOT = Path("/")


def processor() -> list[Row]:
    """Its name and the instructions that matter."""
    features = ", ".join(vector_features())
    return [
        Row("processor", processor_name()),
        Row("instructions", features or "none that matter are known", _there(bool(features))),
        Row(
            "8-bit networks are faster",
            "yes" if has_dot_products() else "no: no dot products of 8-bit numbers",
        ),
    ]


def cores(root: Path = _ROOT) -> list[Row]:
    """How many there are, and how many this process may use.

    Args:
        root: of the file system.
    """
    physical, quota = _physical_cores(root), _cpu_quota(root)
    return [
        Row("logical cores", str(os.cpu_count() or "unknown")),
        Row("physical cores", str(physical) if physical else "not told by this system"),
        Row("allowed to this process", str(available_cores())),
        Row("control group's limit of cores", f"{quota:g}" if quota is not None else "none"),
    ]


def memory(root: Path = _ROOT) -> list[Row]:
    """How much there is, how much is free, and how much may be taken.

    Args:
        root: of the file system.
    """
    told = {}
    with suppress(OSError):
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            told[name] = int(value.split()[0]) * 1024
    total = told.get("MemTotal") or _physical_memory()
    limit = _memory_limit(root, total)
    return [
        Row("memory", _gigabytes(total)),
        Row("available memory", _gigabytes(told.get("MemAvailable"))),
        Row("control group's limit of memory", _gigabytes(limit) if limit is not None else "none"),
    ]


def cameras() -> list[Row]:
    """The cameras that `--source N` opens. Elsewhere than on Linux they are tried, and light up."""
    from tracker.sources.camera_list import list_cameras  # noqa: PLC0415  (OpenCV)

    found = list_cameras()
    if not found:
        return [Row("cameras", "none is connected", "absent")]
    return [Row(f"camera {camera.index}", camera.name) for camera in found]


def _there(is_there: bool) -> Status:
    return "ok" if is_there else "absent"


def _gigabytes(count: int | None) -> str:
    return f"{count / 1e9:.1f} GB" if count else "not told by this system"


def _physical_memory() -> int | None:
    with suppress(AttributeError, ValueError, OSError):  # not on Windows
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _physical_cores(root: Path) -> int | None:
    """Cores that are not a second thread of another; None where that is not told."""
    siblings = set()
    for cpu in (root / "sys/devices/system/cpu").glob("cpu[0-9]*"):
        with suppress(OSError):
            listed = (cpu / "topology/thread_siblings_list").read_text(encoding="ascii")
            siblings.add(listed.strip())
    return len(siblings) or None


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control groups, its own and those above, of both versions."""
    mounted = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, names, path = line.split(":", maxsplit=2)
        if names and controller not in names.split(","):
            continue
        top = mounted / controller if names else mounted
        own = top / path.lstrip("/")
        # In a container the path is often that outside of it: what is mounted there is its own.
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))
        # Both versions at once: the new one lies below.
        if not names:
            yield from (mounted / "unified" / path.lstrip("/"), mounted / "unified")


def _numbers(file: Path) -> list[int] | None:
    """The whole numbers in a file; None if it is not there, or says "max" or a negative one."""
    try:
        words = file.read_text(encoding="ascii").split()
        numbers = [int(word) for word in words]
    except (OSError, ValueError):
        return None
    return numbers if numbers and min(numbers) >= 0 else None


def _cpu_quota(root: Path) -> float | None:
    """Cores' worth of time that a control group gives; None for no limit."""
    quotas = []
    for group in _groups(root, "cpu"):
        new = _numbers(group / "cpu.max")
        time, period = _numbers(group / "cpu.cfs_quota_us"), _numbers(group / "cpu.cfs_period_us")
        pair = new or ([time[0], period[0]] if time and period else None)
        if pair and len(pair) == 2 and pair[1]:
            quotas.append(pair[0] / pair[1])
    return min(quotas, default=None)


def _memory_limit(root: Path, total: int | None) -> int | None:
    """Bytes that a control group gives; None for no limit, or for more than there is."""
    limits = []
    for group in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += _numbers(group / name) or []
    least = min(limits, default=None)
    return None if least is None or (total and least >= total) else least
