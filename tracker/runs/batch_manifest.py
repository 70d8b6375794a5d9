"""The record of a batch: one line of JSON for each file, from which it can be resumed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import InputError
from model.files import replacing
from tracker.runs.file_series import Result
from tracker.runs.job import Job
from tracker.system.settings_digest import settings_digest

NAME = "manifest.jsonl"


@dataclass(frozen=True)
class Identity:
    """What makes a result still valid.

    Attributes:
        input: absolute path.
        size: of the file, bytes; -1 if it cannot be asked.
        modified: nanoseconds since 1970; -1 likewise.
        settings: digest of everything else that decides the outputs.
    """

    input: str
    size: int
    modified: int
    settings: str


def identify(job: Job) -> Identity:
    """Identity of a job over a file."""
    path = _input(job)
    try:
        stat = path.stat()
        size, modified = stat.st_size, stat.st_mtime_ns
    except OSError:  # whoever opens it says why
        size = modified = -1
    made = [path.stat().st_mtime_ns if path.is_file() else None for path in job.networks]
    return Identity(str(path), size, modified, settings_digest(job, *made))


class Manifest:
    """The manifest of an output folder.

    Each line has: input, size, modified, settings (see `Identity`), status ("done" or "failed"),
    outputs, frames, frames_with_face, faces, seconds, engine, warnings and error. A line is added
    when its file is finished, so a batch that was killed loses only what it was working on.

    Args:
        folder: where it is, as `NAME`; it exists.

    Raises:
        InputError: it cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._lines: dict[str, dict[str, Any]] = {}
        try:
            text = self.path.read_text("utf-8") if self.path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path} cannot be read: remove it to begin anew.") from error
        # Names may hold what `splitlines` takes for the end of a line, too.
        for line in text.split("\n"):
            try:
                entry = json.loads(line)
                self._lines[entry["input"]] = entry
            except (ValueError, KeyError, TypeError):
                continue  # cut off when the batch was killed: that file is done again

    @property
    def exists(self) -> bool:
        """Whether an earlier run left one."""
        return self.path.exists()

    def is_done(self, job: Job) -> bool:
        """Whether an earlier run has made this job's outputs, from the same input and settings."""
        identity = identify(job)
        entry = self._lines.get(identity.input)
        return (
            entry is not None
            and entry.get("status") == "done"
            and all(entry.get(name) == value for name, value in vars(identity).items())
            and all(path.is_file() for path in _outputs(job))
        )

    def check_owners(self, planned: Iterable[Job]) -> None:
        """Find out that no result of an earlier batch would be replaced by that of another file.

        Args:
            planned: all jobs of this batch.

        Raises:
            InputError: an output is there, made from another input; or it is this file.
        """
        owners = {
            _key(output): entry["input"]
            for entry in self._lines.values()
            for output in entry.get("outputs", ())
        }
        for job in planned:
            for path in _outputs(job):
                if _key(path) == _key(self.path):
                    raise InputError(
                        f"the table of {job.source} would be {path}, which is the batch's own "
                        "record: rename the input, or choose another --save-format."
                    )
                owner = owners.get(_key(path))
                if owner not in (None, str(_input(job))) and path.exists():
                    raise InputError(
                        f"{path} is what an earlier batch made of {owner}, and {job.source} would "
                        "have the same name: choose another folder, or remove that file."
                    )

    def begin(self, forget: Iterable[Job]) -> None:
        """Rewrite the file without the jobs that are about to be done (again)."""
        for job in forget:
            self._lines.pop(str(_input(job)), None)
        with replacing(self.path) as partial:
            partial.write_text("".join(map(_line, self._lines.values())), "utf-8")

    def add(self, result: Result) -> None:
        """Add the line of a finished job."""
        entry = _entry(result)
        self._lines[entry["input"]] = entry
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(entry))
        except OSError as error:
            raise InputError(f"{self.path} cannot be written on: {error.strerror}.") from error


def _input(job: Job) -> Path:
    return Path(str(job.source)).absolute()


def _outputs(job: Job) -> list[Path]:
    return [path for path in (job.out, job.save) if path is not None]


def _key(path: str | Path) -> str:
    """The name in the folder, the same on disks that know no upper case.

    The folder itself may have been named, or moved, in another way.
    """
    return Path(path).name.casefold()


def _entry(result: Result) -> dict[str, Any]:
    job, summary = result.job, result.summary
    outputs = [str(path) for path in _outputs(job)]
    return {
        **vars(identify(job)),
        "status": "failed" if summary is None else "done",
        "outputs": outputs if summary is not None else [],
        "frames": summary.frames if summary else 0,
        "frames_with_face": summary.frames_with_face if summary else 0,
        "faces": summary.faces if summary else 0,
        "seconds": round(summary.seconds, 3) if summary else 0,
        "engine": summary.engine if summary else None,
        "notes": list(summary.source_notes) if summary else [],
        "warnings": list(summary.warnings) if summary else [],
        "error": result.error,
    }


def _line(entry: dict[str, Any]) -> str:
    line = json.dumps(entry, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # file names need not be UTF-8
        line = json.dumps(entry)
    return line + "\n"
