"""Cores, memory and GPU of machines that are made of files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tracker.doctor.gpu import gpu
from tracker.doctor.machine import cores, memory
from tracker.doctor.row import Row
from tracker.doctor.settings import settings

CORES, MEMORY = "control group's limit of cores", "control group's limit of memory"


def machine(root: Path, **files: str) -> Path:
    """A file system; __ in a name is a slash, and _dot_ a dot."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def values(rows: list[Row]) -> dict[str, str]:
    return {row.name: row.value for row in rows}


def test_threads_of_one_core_are_one(tmp_path: Path) -> None:
    for cpu, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        file = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        file.parent.mkdir(parents=True)
        file.write_text(f"{siblings}\n")
    told = values(cores(tmp_path))
    assert told["physical cores"] == "2"
    assert told[CORES] == "none"


def test_limits_of_the_new_control_groups(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        proc__self__cgroup="0::/a.slice/b\n",
        proc__meminfo="MemTotal:  16000000 kB\nMemAvailable:  8000000 kB\nHugePages_Total: 0\n",
        sys__fs__cgroup__a_dot_slice__cpu_dot_max="250000 100000\n",
        sys__fs__cgroup__a_dot_slice__b__cpu_dot_max="max 100000\n",
        sys__fs__cgroup__a_dot_slice__b__memory_dot_max="2000000000\n",
        sys__fs__cgroup__memory_dot_max="max\n",
    )
    assert values(cores(root))[CORES] == "2.5"
    assert values(memory(root)) == {
        "memory": "16.4 GB", "available memory": "8.2 GB", MEMORY: "2.0 GB"
    }  # fmt: skip


def test_limits_of_the_old_control_groups(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        # As in a container: the path is that outside of it, and not there.
        proc__self__cgroup="5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n",
        proc__meminfo="MemTotal:  16000000 kB\n",
        sys__fs__cgroup__cpu__cpu_dot_cfs_quota_us="150000\n",
        sys__fs__cgroup__cpu__cpu_dot_cfs_period_us="100000\n",
        sys__fs__cgroup__memory__memory_dot_limit_in_bytes="9223372036854771712\n",
    )
    assert values(cores(root))[CORES] == "1.5"
    assert values(memory(root))[MEMORY] == "none"  # more than there is
    (root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert values(cores(root))[CORES] == "none"


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    assert values(cores(tmp_path))["physical cores"] == "not told by this system"
    assert values(memory(tmp_path))["available memory"] == "not told by this system"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.parametrize(
    ("script", "row"),
    [
        (
            "echo 'NVIDIA H100 80GB HBM3, 570.86.15, 81559 MiB'",
            Row("GPU 0", "NVIDIA H100 80GB HBM3, 81559 MiB, driver 570.86.15"),
        ),
        (
            "echo 'Failed to initialize NVML' >&2; exit 18",
            Row("GPU", "nvidia-smi fails: Failed to initialize NVML", "failed"),
        ),
    ],
)
def test_what_nvidia_smi_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, row: Row
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert gpu()[1:] == [row]


def test_settings_are_those_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"ORT_DISABLE_TELEMETRY": "1", "HOME": "/home/alice"})
    assert settings() == [Row("settings", "none", "absent")]
    monkeypatch.setattr(
        os,
        "environ",
        {"ORT_DISABLE_TELEMETRY": "0", "OMP_NUM_THREADS": "", "PYTHONPATH": "/secret", "USER": "a"},
    )
    assert settings() == [
        Row("OMP_NUM_THREADS", "(empty)"),
        Row("ORT_DISABLE_TELEMETRY", "0"),
        Row("PYTHONPATH", "is set"),
    ]
