"""What a campaign did so far: written after every phase, read when it goes on."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.errors import InputError
from model.files import replacing, write_json
from train.phases.child import Outcome

_FORMAT = "propnet-campaign-1"


class Diary:
    """The record of a campaign.

    Args:
        out: folder of what is kept: campaign.json, and reports.zip with every report.
        reports: folder of the reports and logs.

    Attributes:
        reports: that folder.
        facts: what was found out and decided, by name.

    Raises:
        InputError: `out` holds another campaign's record.
    """

    def __init__(self, out: Path, reports: Path) -> None:
        self._out, self.reports = out, reports
        self.facts: dict[str, Any] = {}
        self._phases: dict[str, dict[str, Any]] = {}
        path = reports / "campaign.json"
        if path.is_file():
            try:
                known = json.loads(path.read_text(encoding="utf-8"))
                if known["format"] != _FORMAT:
                    raise ValueError
                self.facts, self._phases = dict(known["facts"]), dict(known["phases"])
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{path} is no record of a campaign: name another --work."
                ) from error

    def finished(self, name: str) -> bool:
        """Whether a phase is done."""
        return bool(self._phases.get(name, {}).get("status") == "done")

    def report(self, name: str) -> dict[str, Any]:
        """Figures that a phase wrote as NAME.json; empty if it did not."""
        path = self.reports / f"{name}.json"
        try:
            figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return figures

    def note(self, name: str, outcome: Outcome) -> None:
        """Enter how a phase ended."""
        self._phases[name] = {**asdict(outcome), "report": self.report(name)}
        self.write()

    def skip(self, name: str, why: str) -> None:
        """Enter why a phase was not run."""
        self._phases[name] = {"status": "not run", "why": why}
        self.write()

    def write(self) -> None:
        """Write the record and pack the reports."""
        content = {"format": _FORMAT, "facts": self.facts, "phases": self._phases}
        for folder in (self.reports, self._out):
            write_json(folder / "campaign.json", content)
        # One file: what leaves a rented machine is often counted in files.
        with (
            replacing(self._out / "reports.zip") as partial,
            zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for path in sorted(self.reports.iterdir()):
                if path.is_file():
                    archive.write(path, path.name)
