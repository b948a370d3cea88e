"""The run folder: written under a temporary name and swapped in when complete."""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.errors import InputError, RunError
from dcsim.results.known_errors import of_result
from dcsim.results.result import Metric, Result

if TYPE_CHECKING:
    import pandas as pd

_NEEDED_BYTES = 64 * 2**20  # a run of the quickstart's size keeps about 2 MiB; the rest is room for long series
_OURS = ("scenario.yaml", "manifest.json", "metrics.json", "tables", "figures", "report.html", "timeline.json.gz")


def prepare(folder: Path | str) -> Path:
    """Check before a run that its folder can be written, and return it resolved; nothing is created.

    Raises
    ------
    InputError
        If the folder is a file, holds something that is no run, cannot be written, or its disk is full.
    """
    folder = Path(folder).expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder for the run")
    if folder.is_dir() and not (folder / "manifest.json").is_file() and any(folder.iterdir()):
        raise InputError(f"{folder}: holds files that are no run of dcsim; name an empty or a new folder")
    place = _existing(folder.parent)
    _try(place, f"{folder}: cannot be written", "; name another folder by --out")
    free = shutil.disk_usage(place).free
    if free < _NEEDED_BYTES:
        raise InputError(
            f"{folder}: only {free // 2**20} MiB are free on its disk, {_NEEDED_BYTES // 2**20} MiB are needed"
        )
    return folder


def prepare_file(path: Path) -> None:
    """Check before a run that a file beside its folder can be written; nothing is created.

    Raises
    ------
    InputError
        If it is a folder, or its folder does not exist or cannot be written.
    """
    place = path.expanduser().resolve().parent
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    if not place.is_dir():
        raise InputError(f"{path}: there is no folder {place}")
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"{path}: cannot be written")
    _try(place, f"{path}: cannot be written")


def save(result: Result, folder: Path | str, also: Callable[[Path], None] | None = None) -> Path:
    """Write ``result`` as a run folder and return where it lies, ``<folder>-partial`` for a partial run.

    ``also`` is called with the temporary folder before it is swapped in, to add the report, the figures and the
    timeline. A run that was there before is replaced as a whole; files in it that no run writes are kept.

    Raises
    ------
    RunError
        If the disk fills or the folder cannot be written.
    """
    folder = Path(folder).expanduser().resolve()
    target = folder.with_name(folder.name + "-partial") if result.partial else folder
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(target, "new")
        temporary.mkdir()
        _write(result, temporary)
        if also is not None:
            also(temporary)
        _swap(temporary, target)
    except OSError as error:
        raise RunError(f"{target}: the run could not be written ({error.strerror or error})") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def load(folder: Path | str) -> Result:
    """Read a run folder; its tables are read when they are first asked for.

    Raises
    ------
    InputError
        If the folder is no run folder or a file of it is missing or broken.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder}: no such run folder")
    manifest = _read_json(folder / "manifest.json")
    metrics = _read_metrics(folder / "metrics.json")
    text = folder / "scenario.yaml"
    return Result(
        name=str(manifest.get("name", folder.name)),
        digest=str(manifest.get("digest", "")),
        metrics=metrics,
        tables=_StoredTables(folder / "tables"),
        manifest=manifest,
        scenario_text=text.read_text("utf-8") if text.is_file() else "",
        partial=bool(manifest.get("partial", False)),
    )


def metrics_json(result: Result) -> str:
    """Return the text of ``metrics.json``: sorted by name, floats in full, null for a value that is no number.

    Numbers of a kind that was measured say how far off such numbers were, in ``measured_error``.
    """
    rows = {name: _row(metric) for name, metric in result.metrics.items()}
    for name, row in rows.items():
        error = of_result(result, name).error
        row |= {"measured_error": asdict(error)} if error else {}
    return _json({"metrics": rows})


def _row(metric: Metric) -> dict[str, Any]:
    return {key: _finite(value) for key, value in asdict(metric).items()}


def _try(place: Path, otherwise: str, hint: str = "") -> None:
    """Write a file that no one sees to the folder ``place``."""
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise InputError(f"{otherwise} ({error.strerror or error}){hint}") from error


def _existing(folder: Path) -> Path:
    """Return ``folder`` or its nearest ancestor that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    """Turn NumPy scalars and paths into what JSON knows."""
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def _write(result: Result, folder: Path) -> None:
    manifest = {**result.manifest, "name": result.name, "digest": result.digest, "partial": result.partial}
    (folder / "scenario.yaml").write_text(result.scenario_text, "utf-8")
    (folder / "manifest.json").write_text(_json(_without_nan(manifest)), "utf-8")
    (folder / "metrics.json").write_text(metrics_json(result), "utf-8")
    (folder / "tables").mkdir()
    for name, frame in result.tables.items():
        _write_table(frame, folder / "tables" / f"{name}.parquet")


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return _finite(value)


def _write_table(frame: pd.DataFrame, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    units = frame.attrs.get("units", {})
    table = pa.Table.from_pandas(frame, preserve_index=False)
    # The unit is metadata of the column, where every reader of Parquet finds it.
    fields = [
        field.with_metadata({"unit": units[field.name]}) if units.get(field.name) else field for field in table.schema
    ]
    pq.write_table(table.cast(pa.schema(fields)), path, compression="zstd")


def _read_table(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: cannot be read as Parquet ({error})") from error
    frame: pd.DataFrame = table.to_pandas()
    frame.attrs["units"] = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in table.schema}
    return frame


class _StoredTables(Mapping[str, "pd.DataFrame"]):
    """The tables of a run folder, each read once, when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            self._read[name] = _read_table(self._paths[name])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path.parent}: is no run folder, it has no {path.name}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: found a JSON {type(found).__name__}, expected an object")
    return found


def _read_metrics(path: Path) -> dict[str, Metric]:
    rows = _read_json(path).get("metrics")
    try:
        return {name: _metric(row) for name, row in rows.items()}  # type: ignore[union-attr]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f'{path}: expected {{"metrics": {{name: {{"value", "unit", ...}}}}}} ({error!r})') from error


def _metric(row: Mapping[str, Any]) -> Metric:
    value = math.nan if row["value"] is None else float(row["value"])
    rest = {key: row[key] for key in ("low", "high", "provenance", "bound_by") if key in row}
    return Metric(value, str(row["unit"]), **rest)


def _swap(temporary: Path, target: Path) -> None:
    """Put ``temporary`` in the place of ``target``; two renames, so a crash never leaves half a run under its name."""
    if not target.exists():
        temporary.rename(target)
        return
    old = _beside(target, "old")
    target.rename(old)
    temporary.rename(target)
    for entry in old.iterdir():
        if entry.name not in _OURS and not (target / entry.name).exists():
            entry.rename(target / entry.name)
    shutil.rmtree(old, ignore_errors=True)


def _beside(target: Path, word: str) -> Path:
    """Return an unused hidden name in the folder of ``target``, hence on the same file system."""
    return target.with_name(f".{target.name[:80]}-{word}-{os.getpid()}-{secrets.token_hex(4)}")
