"""Write landmarks as a CSV table with OpenFace's column names."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from model.errors import InputError
from tracker.output import OutputFile
from tracker.results import Face

TABLE_SUFFIXES = (".csv",)


def column_names(points: int) -> list[str]:
    """Header of the table for K landmarks: frame .. success, x_0 .. x_{K-1}, y_0 .. y_{K-1}."""
    axes = [f"{axis}_{index}" for axis in "xy" for index in range(points)]
    return ["frame", "face_id", "timestamp", "confidence", "success", *axes]


class CsvTable:
    """A table being written. A context manager: an exception in its block leaves no file.

    Columns and conventions are OpenFace 2's (its `RecorderCSV`), so scripts made for it read this
    table: `frame` counts from 1 (timestamps begin at 0 all the same), every cell is a number, and a
    frame without a face has one row with face_id, confidence, success and all coordinates 0. With
    several faces there is a row per face, as from OpenFace's FaceLandmarkVidMulti. Select by
    `success` before grouping by `face_id`, since 0 is also the id of the first face.

    Coordinates are the smoothed landmarks in pixels, (0, 0) the centre of the top left pixel, with
    two decimals (OpenFace: one); timestamps are in seconds with six decimals (OpenFace: three).

    Args:
        path: output, one of `TABLE_SUFFIXES`.
        points: landmarks per face.
        overwrite: replace an existing file.
        source: file being read, which must not be replaced.

    Raises:
        InputError: the output cannot be written (see `OutputFile`).
    """

    def __init__(
        self, path: Path, points: int, *, overwrite: bool = False, source: Path | None = None
    ) -> None:
        self._file = OutputFile(path, TABLE_SUFFIXES, overwrite=overwrite, source=source)
        self._points = points
        self._finished = False
        # The csv module ends lines itself, and wants no translation below it.
        self._stream = self._file.partial.open("w", encoding="ascii", newline="")
        self._rows = csv.writer(self._stream, lineterminator="\n")
        self._rows.writerow(column_names(points))

    def write(self, index: int, timestamp: float, faces: Sequence[Face]) -> None:
        """Add a frame.

        Args:
            index: number of the frame, from 0.
            timestamp: seconds.
            faces: faces of the frame; may be empty.

        Raises:
            InputError: the disk is full or the file has become unwritable.
        """
        time = f"{timestamp:.6f}"
        rows: list[list[object]] = [
            [
                index + 1,
                face.id,
                time,
                f"{face.confidence:.3f}",
                1,
                *(f"{value:.2f}" for value in face.landmarks.T.ravel()),
            ]
            for face in faces
        ] or [[index + 1, 0, time, 0, 0, *([0] * (2 * self._points))]]
        try:
            self._rows.writerows(rows)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Complete the file and give it its name. A second call does nothing."""
        if self._finished:
            return
        self._finished = True
        try:
            self._stream.close()
            self._file.commit()
        except OSError as error:
            self.abort()
            raise self._failure(error) from error

    def abort(self) -> None:
        """Give up: remove what was written."""
        self._finished = True
        try:
            self._stream.close()
        except OSError:
            pass  # what could not be flushed is not wanted any more
        finally:
            self._file.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _failure(self, error: OSError) -> InputError:
        return InputError(f"{self._file.path} cannot be written on: {error.strerror}.")
