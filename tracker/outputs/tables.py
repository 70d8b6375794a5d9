"""Tables of landmarks: CSV, JSON lines and Parquet, all with `table_schema`s columns."""

from __future__ import annotations

import csv
import json
import os
from abc import abstractmethod
from pathlib import Path
from typing import Any

from model.errors import InputError
from tracker.outputs.output import OutputFrame
from tracker.outputs.table_schema import TableLayout
from tracker.system.closing import Committing
from tracker.system.output_file import OutputFile

# Rows gathered before they are written as a row group: 30 s of a face at 30 frames/s, 1.5 MB.
_GROUP = 1000


def write_failure(path: Path, error: OSError) -> InputError:
    """What to tell the user when an output cannot be written any more."""
    # pyarrow's errors have no strerror of their own.
    reason = os.strerror(error.errno) if error.errno else str(error)
    return InputError(f"{path} cannot be written on: {reason}.")


class Table(Committing):
    """A table being written. A context manager.

    The file has its final name once it is complete. An exception in the block leaves no file.

    Args:
        file: where to write.
        layout: what is in it.
    """

    def __init__(self, file: OutputFile, layout: TableLayout) -> None:
        self._file = file
        self._layout = layout
        self._finished = False

    def write(self, frame: OutputFrame) -> None:
        """Add a frame.

        Raises:
            InputError: the disk is full or the file has become unwritable.
        """
        try:
            self._write(frame)
        except OSError as error:
            raise write_failure(self._file.path, error) from error

    def close(self, early: bool = False) -> None:
        """Complete the file and give it its name. A second call does nothing.

        Raises:
            InputError: the disk is full or the file has become unwritable; nothing is left then.
        """
        if self._finished:
            return
        self._finished = True
        try:
            self._finish()
            self._file.commit()
        except OSError as error:
            self.abort()
            raise write_failure(self._file.path, error) from error
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Give up: remove what was written."""
        self._finished = True
        try:
            self._release()
        except OSError:
            pass  # what could not be flushed is not wanted any more
        finally:
            self._file.discard()

    @abstractmethod
    def _write(self, frame: OutputFrame) -> None: ...

    @abstractmethod
    def _finish(self) -> None:
        """Write what is held back, and close the file."""

    @abstractmethod
    def _release(self) -> None:
        """Close the file, whatever is in it. Must allow a second call."""


class CsvTable(Table):
    """A row per face and frame, as text, with OpenFace's names."""

    def __init__(self, file: OutputFile, layout: TableLayout) -> None:
        super().__init__(file, layout)
        self._stream = file.partial.open("w", encoding="utf-8", newline="\n")
        header = layout.columns
        # Only numbers: nothing to quote. One format string for a line is fast.
        self._line = ",".join(f"%.{column.decimals}f" for column in header) + "\n"
        csv.writer(self._stream, lineterminator="\n").writerow(column.name for column in header)

    def _write(self, frame: OutputFrame) -> None:
        for row in self._layout.rows(frame):
            self._stream.write(self._line % tuple(row))

    def _finish(self) -> None:
        self._stream.close()

    _release = _finish


class JsonLines(Table):
    """An object per frame, with the list of its faces, one to a line."""

    def __init__(self, file: OutputFile, layout: TableLayout) -> None:
        super().__init__(file, layout)
        self._stream = file.partial.open("w", encoding="ascii", newline="\n")

    def _write(self, frame: OutputFrame) -> None:
        item = self._layout.frame_object(frame)
        self._stream.write(json.dumps(item, separators=(",", ":"), allow_nan=False) + "\n")

    def _finish(self) -> None:
        self._stream.close()

    _release = _finish


class ParquetTable(Table):
    """The rows of the CSV table in columns of numbers, compressed. Needs pyarrow.

    Whole numbers are int64, the timestamp float64, all others float32.
    """

    def __init__(self, file: OutputFile, layout: TableLayout) -> None:
        super().__init__(file, layout)
        try:
            import pyarrow  # noqa: PLC0415
            import pyarrow.parquet  # noqa: PLC0415
        except ImportError as error:
            raise InputError(
                f"{file.path}: Parquet needs pyarrow: pip install 'propnet-tracker[parquet]', or "
                "save to .csv or .jsonl."
            ) from error
        self._arrow: Any = pyarrow
        fields = []
        for column in layout.columns:
            kind = pyarrow.float32() if column.decimals else pyarrow.int64()
            fields.append((column.name, pyarrow.float64() if column.name == "timestamp" else kind))
        self._schema = pyarrow.schema(fields)
        self._pending: list[list[float]] = []
        self._writer = pyarrow.parquet.ParquetWriter(
            str(file.partial), self._schema, compression="zstd"
        )

    def _write(self, frame: OutputFrame) -> None:
        self._pending += self._layout.rows(frame)
        if len(self._pending) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            arrays = [
                self._arrow.array(values, type=field.type)
                for values, field in zip(
                    zip(*self._pending, strict=True), self._schema, strict=True
                )
            ]
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
            self._pending = []

    def _finish(self) -> None:
        self._flush()
        self._writer.close()

    def _release(self) -> None:
        self._writer.close()


_KINDS: dict[str, type[Table]] = {".csv": CsvTable, ".jsonl": JsonLines, ".parquet": ParquetTable}
TABLE_SUFFIXES = tuple(_KINDS)


def open_table(
    path: Path, layout: TableLayout, *, overwrite: bool = False, source: Path | None = None
) -> Table:
    """Begin a table of the kind that its name says.

    Args:
        path: output, ending in one of `TABLE_SUFFIXES`.
        layout: what is in it.
        overwrite: replace an existing file.
        source: file being read, which must not be replaced.

    Raises:
        InputError: the output cannot be written (see `OutputFile`), or pyarrow is missing.
    """
    file = OutputFile(path, TABLE_SUFFIXES, overwrite=overwrite, source=source)
    try:
        return _KINDS[file.path.suffix.lower()](file, layout)
    except BaseException as error:
        file.discard()
        if isinstance(error, OSError):
            raise write_failure(path, error) from error
        raise
