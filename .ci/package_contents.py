"""What must be in wheel and sdist: python .ci/package_contents.py SOURCE WHEEL SDIST."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

# Data that setuptools takes along only where it is told to.
_DATA = (
    "model/markups/*",
    "model/weights/*",
    "tracker/assets/*",
    "train/recipes/*.yaml",
    "train/recipes/sweeps/*.yaml",
    "*/py.typed",
)
_LICENCES = ("LICENSE", "NOTICE", "LICENSE.mediapipe")


def _wanted(source: Path) -> set[str]:
    """Every module and every data file, as the wheel names them."""
    found = {path for pattern in _DATA for path in source.glob(pattern) if path.is_file()}
    for package in ("model", "tracker", "train", "export"):
        found |= set((source / package).rglob("*.py"))
    return {str(path.relative_to(source)) for path in found if "__pycache__" not in path.parts}


def main(source: Path, wheel: Path, sdist: Path) -> int:
    """Print what is missing and what is too much; exit code 1 if there is anything."""
    wanted = _wanted(source)
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    ours = {name for name in in_wheel if ".dist-info/" not in name}
    licences = {Path(name).name for name in in_wheel if "/licenses/" in name}
    faults = [
        *(f"not in the wheel: {name}" for name in sorted(wanted - in_wheel)),
        *(f"too much in the wheel: {name}" for name in sorted(ours - wanted)),
        *(f"not in the sdist: {name}" for name in sorted(wanted - in_sdist)),
        *(f"no licence in the wheel: {name}" for name in _LICENCES if name not in licences),
    ]
    print("\n".join(faults) or f"{wheel.name} and {sdist.name}: {len(wanted)} files, all there")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(*(Path(argument) for argument in sys.argv[1:])))
