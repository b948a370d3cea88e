"""The results of a study on disk: a journal of finished points, and the Parquet dataset that it becomes.

A finished point is first one line of ``journal.jsonl``, which a kill of the process cannot take back. Every few
thousand lines become one more file of the dataset ``points/``, written under another name and swapped in; the journal
then begins anew. All files of the dataset have the same columns, so that pandas, DuckDB and polars read the folder as
one table. What cannot be read is set aside beside it, and its points are simulated again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.errors import RunError
from dcsim.results import whole
from dcsim.results.rows import Cell, Row, from_json

if TYPE_CHECKING:
    import pyarrow as pa

JOURNAL, FOLDER = "journal.jsonl", "points"
_LINES_A_FILE = 5_000
FIXED = ("number", "key", "status", "reason", "digest", "replications", "wall_s", "rests_on")
_LATER = ("rests_on",)  # columns that files of earlier versions do not have


class Dataset:
    """The rows of a study in ``folder``; ``axes`` are its paths, ``notes`` says what was set aside."""

    def __init__(self, folder: Path, axes: Sequence[str], lines_a_file: int = _LINES_A_FILE) -> None:
        self.folder, self._axes, self._lines_a_file = folder, tuple(axes), lines_a_file
        self.notes: list[str] = []
        self.done: set[str] = set()
        self.failed, self.wall_s = 0, 0.0
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        self._schema = self._read_parts()
        self._waiting = self._read_journal()
        self._journal = (folder / JOURNAL).open("a", encoding="utf-8")

    def append(self, row: Row) -> None:
        """Keep a finished point; once this returns, killing the process does not lose it.

        Raises
        ------
        RunError
            If it cannot be written, as on a full disk; what was kept before is unharmed.
        """
        if row.key in self.done:
            return
        try:
            self._journal.write(row.to_json() + "\n")
            self._journal.flush()
        except OSError as error:
            raise _unwritten(self.folder / JOURNAL, error) from error
        self._count(row)
        self._waiting += 1
        if self._waiting >= self._lines_a_file:
            self.seal()

    def seal(self) -> None:
        """Turn the journal into one more file of the dataset.

        Raises
        ------
        RunError
            If it cannot be written; the journal then stays.
        """
        rows, _ = _lines(self.folder / JOURNAL)
        if not rows:
            return
        try:
            self._write(rows)
            self._journal.close()
            (self.folder / JOURNAL).unlink()
            self._journal = (self.folder / JOURNAL).open("a", encoding="utf-8")
        except OSError as error:
            raise _unwritten(self.folder / FOLDER, error) from error
        self._waiting = 0

    def close(self) -> None:
        """Close the journal."""
        with suppress(OSError):  # of a line that could not be written, as was told then
            self._journal.close()

    def _count(self, row: Row) -> None:
        self.done.add(row.key)
        self.failed += row.status == "failed"
        self.wall_s += row.wall_s

    def _read_journal(self) -> int:
        path = self.folder / JOURNAL
        rows, torn = _lines(path)
        fresh = [row for row in rows if row.key not in self.done]
        for row in fresh:
            self._count(row)
        if torn or len(fresh) < len(rows):
            # A crash between writing a file and emptying the journal leaves lines that the file has already.
            whole.write(path, "".join(row.to_json() + "\n" for row in fresh))
        if torn:
            self.notes.append(f"{path}: {torn} unreadable line{'s' * (torn > 1)} dropped, their points run again")
        return len(fresh)

    def _read_parts(self) -> pa.Schema | None:
        """Count the points in the dataset's files, set broken files aside, and return the columns."""
        schema = None
        for path in parts(self.folder):
            try:
                found = _read_part(path)
            except (OSError, ValueError) as error:  # pyarrow's errors of bad files are ValueErrors
                aside = _aside(path)
                told = f"cannot be read ({_first_line(error)}); set aside as {aside.name}, its points run again"
                self.notes.append(f"{path}: {told}")
                continue
            self.done.update(found["key"].to_pylist())
            self.failed += sum(status == "failed" for status in found["status"].to_pylist())
            self.wall_s += sum(found["wall_s"].to_pylist())
            schema = found.schema if schema is None or len(found.schema) > len(schema) else schema
        return schema

    def _write(self, rows: Sequence[Row]) -> None:
        import pyarrow.parquet as pq

        schema = _columns(rows, self._axes, self._schema)
        if self._schema is not None and not schema.equals(self._schema):
            for path in parts(self.folder):
                _write_part(_widened(pq.read_table(path, partitioning=None), schema), path)
        numbers = [int(path.stem.partition("-")[2]) for path in parts(self.folder)]
        path = self.folder / FOLDER / f"part-{max(numbers, default=-1) + 1:06d}.parquet"
        _write_part(_table(rows, schema), path)
        self._schema = schema


def parts(folder: Path) -> list[Path]:
    """Return the files of the dataset, in order."""
    return sorted((folder / FOLDER).glob("part-*.parquet"))


def rows(folder: Path) -> Iterator[Row]:
    """Yield the rows of the journal, which are not in the dataset yet."""
    yield from _lines(folder / JOURNAL)[0]


def stored(folder: Path) -> Iterator[Row]:
    """Yield every finished point, without its changes."""
    for path in parts(folder):
        found = _read_part(path)
        units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in found.schema}
        metrics = [name for name, unit in units.items() if unit]
        for cells in found.to_pylist():
            fixed = {name: cells[name] for name in FIXED if name in cells and name != "status"}
            kept = {name: _cell(cells, name, units[name]) for name in metrics if cells[name] is not None}
            yield Row(**fixed, changes={}, metrics=kept)
    yield from rows(folder)


def _cell(cells: dict[str, Any], name: str, unit: str) -> Cell:
    return cells[name], unit, cells.get(f"{name}.low"), cells.get(f"{name}.high")


def table(folder: Path, axes: Sequence[str]) -> pa.Table:
    """Return all finished points, those of the journal too, in the order of the study."""
    import pyarrow as pa

    found, waiting = [_read_part(path) for path in parts(folder)], list(rows(folder))
    schema = found[-1].schema if found else None
    if waiting or schema is None:
        schema = _columns(waiting, axes, schema)
    tables = [_widened(each, schema) for each in found] + [_table(waiting, schema)] * bool(waiting)
    whole = pa.concat_tables(tables) if tables else schema.empty_table()
    return whole.sort_by("number")


def _lines(path: Path) -> tuple[list[Row], int]:
    """Return the readable rows of a journal, each key once, and how many lines could not be read."""
    if not path.is_file():
        return [], 0
    found, torn = dict[str, Row](), 0
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = from_json(line)
            except ValueError:
                torn += 1
            else:
                found.setdefault(row.key, row)
    return list(found.values()), torn


def _read_part(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    found = pq.read_table(path, partitioning=None)
    missing = [name for name in FIXED if name not in (*found.schema.names, *_LATER)]
    if missing:
        raise ValueError(f"no column {missing[0]}")
    return found


def _columns(found: Sequence[Row], axes: Sequence[str], known: pa.Schema | None) -> pa.Schema:
    """Return the columns of known files and new rows: fixed ones, axes, metrics by name with their unit."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    kinds = {"number": pa.int64(), "replications": pa.int64(), "wall_s": number}
    fixed = [pa.field(name, kinds.get(name, text)) for name in FIXED]
    fields = {field.name: field for field in [*fixed, *(_axis(path, found, known) for path in axes)]}
    ours = set(fields)
    metrics = {} if known is None else {field.name: field for field in known if field.name not in ours}
    for row in found:
        for name, (_, unit, low, _) in row.metrics.items():
            bounds = (f"{name}.low", f"{name}.high") if low is not None else ()
            for column in (name, *bounds):
                if column not in metrics:
                    metrics[column] = pa.field(column, number, metadata={"unit": unit})
    return pa.schema([*fields.values(), *(metrics[name] for name in sorted(metrics))])


def _axis(path: str, found: Sequence[Row], known: pa.Schema | None) -> pa.Field:
    """Return the column of an axis: numbers where all its values are numbers, else text as in a scenario file."""
    import pyarrow as pa

    values = [row.changes[path] for row in found if row.changes.get(path) is not None]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    was_text = known is not None and path in known.names and known.field(path).type == pa.string()
    return pa.field(path, pa.float64() if numeric and not was_text else pa.string())


def _table(found: Sequence[Row], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    arrays = [pa.array([_value(row, field) for row in found], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _value(row: Row, field: pa.Field) -> Any:
    name: str = field.name
    if name in FIXED:
        return getattr(row, name)
    if name in row.changes:
        return _written(row.changes[name], field)
    if name in row.metrics:
        return row.metrics[name][0]
    stem, _, bound = name.rpartition(".")
    if bound in ("low", "high") and stem in row.metrics:
        return row.metrics[stem][2 if bound == "low" else 3]
    return None


def _written(value: Any, field: pa.Field) -> Any:
    if str(field.type) == "double":
        return float(value)
    return value if isinstance(value, str) else json.dumps(value)


def _widened(old: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns of ``schema``, empty where it has none."""
    import pyarrow as pa

    columns = []
    for field in schema:
        column = old[field.name] if field.name in old.schema.names else pa.nulls(len(old), field.type)
        columns.append(column.cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _write_part(content: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    temporary = path.with_name(f".{path.name}.tmp")
    try:
        pq.write_table(content, temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    names = (path.with_name(f"{path.stem}.broken-{number}") for number in range(1, 10_000))
    aside = next(name for name in names if not name.exists())
    return path.replace(aside)


def _unwritten(path: Path, error: OSError) -> RunError:
    kept = "what is finished is kept; make room and sweep again"
    return RunError(f"{path}: cannot be written ({error.strerror or error}); {kept}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
