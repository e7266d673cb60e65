"""Apache Parquet and Arrow files, as the Hugging Face datasets library writes them."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from pipeline.data.faults import Faults, Place
from pipeline.data.rows import DataFile, Row

SUFFIXES = (".parquet", ".arrow")

HUGGING_FACE = b"huggingface"
"""The key of the schema's metadata in which the datasets library keeps the types of the columns."""


def read(file: DataFile, faults: Faults) -> Iterator[Row]:
    """Yield the rows of a file; all else goes to `faults`.

    Class labels become their names, if the file has them, and bytes that are UTF-8 become text.
    """
    import pyarrow

    try:
        table = _table(file)
    except (pyarrow.ArrowException, OSError) as error:
        faults.add(Place(file.path), f"not a {file.suffix} file: {' '.join(str(error).split())}")
        return
    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        faults.add(Place(file.path), f"two columns are named {twice}; rename or remove one")
        return
    labels = _labels(table.schema)
    number = 0
    for batch in table.to_batches():
        for values in _values(batch):
            number += 1
            place = Place(file.path, number, "row")
            try:
                row = values()
            except UnicodeDecodeError as error:
                faults.add(place, f"not valid UTF-8: {error.reason}")
                continue
            for name, value in row.items():
                if isinstance(value, bytes):
                    row[name] = _text(value)
                elif name in labels:
                    row[name] = _named(value, labels[name])
            yield Row(place, row)


def _table(file: DataFile) -> Any:
    """The whole file as a pyarrow.Table."""
    import pyarrow
    import pyarrow.parquet

    content = pyarrow.BufferReader(file.content)
    if file.suffix == ".parquet":
        return pyarrow.parquet.ParquetFile(content).read()
    try:
        return pyarrow.ipc.open_stream(content).read_all()
    except pyarrow.ArrowInvalid:
        content.seek(0)
        return pyarrow.ipc.open_file(content).read_all()


def _values(batch: Any) -> Iterator[Callable[[], dict[str, Any]]]:
    """For each row of a pyarrow.RecordBatch a function that returns it, or raises what is wrong with it."""
    batch = _convertible(batch)
    try:
        for values in batch.to_pylist():
            yield partial(dict, values)
    except UnicodeDecodeError:
        # Conversion fails as a whole: row by row the fault has a place.
        for index in range(batch.num_rows):
            yield partial(_row, batch, index)


def _row(batch: Any, index: int) -> dict[str, Any]:
    values: dict[str, Any] = batch.slice(index, 1).to_pylist()[0]
    return values


def _convertible(batch: Any) -> Any:
    """The batch with columns as text that Python has no values for, such as times in nanoseconds."""
    import pyarrow

    columns = []
    for column in batch.columns:
        try:
            column.to_pylist()
        except UnicodeDecodeError:
            pass  # Said for each row.
        except (ValueError, OverflowError, pyarrow.ArrowException):
            try:
                column = column.cast(pyarrow.string())
            except pyarrow.ArrowException:
                column = pyarrow.nulls(len(column))
        columns.append(column)
    return pyarrow.record_batch(columns, names=batch.schema.names)


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


Feature = Any
"""What the datasets library writes about a column: an object, or a list of one for lists."""


def _labels(schema: Any) -> dict[str, Feature]:
    """The columns with class labels in them, as the datasets library describes them."""
    try:
        features = json.loads((schema.metadata or {})[HUGGING_FACE])["info"]["features"]
        return {name: feature for name, feature in features.items() if _has_labels(feature)}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _has_labels(feature: Feature) -> bool:
    if isinstance(feature, list):
        return any(map(_has_labels, feature))
    if not isinstance(feature, dict):
        return False
    if feature.get("_type") == "ClassLabel":
        names = feature.get("names")
        return isinstance(names, list) and all(isinstance(name, str) for name in names)
    return any(map(_has_labels, feature.values()))


def _named(value: Any, feature: Feature) -> Any:
    """A value with the names of the class labels in it; -1 stands for no label."""
    if isinstance(feature, list) and isinstance(value, list) and feature:
        return [_named(each, feature[0]) for each in value]
    if not isinstance(feature, dict):
        return value
    if feature.get("_type") == "ClassLabel":
        names = feature["names"]
        if not isinstance(value, int) or not -1 <= value < len(names):
            return value
        return names[value] if value >= 0 else None
    if isinstance(value, list):
        return [_named(each, feature.get("feature")) for each in value]
    if isinstance(value, dict):
        return {key: _named(each, feature.get(key)) for key, each in value.items()}
    return value
