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
    """Yield the rows of a file; whatever is not a row goes to `faults`.

    A column of class labels becomes their names, if the file has them; bytes become text.
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
        faults.add(Place(file.path), f"two columns have the name {twice}; rename or remove one")
        return
    labels = _labels(table.schema)
    number = 0
    for batch in table.to_batches():
        for values in _values(batch):
            number += 1
            place = Place(file.path, number, "row")
            try:
                row = values()
                for name, value in row.items():
                    if isinstance(value, bytes):
                        row[name] = value.decode("utf-8")
                    elif name in labels and isinstance(value, int) and 0 <= value < len(labels[name]):
                        row[name] = labels[name][value]
                yield Row(place, row)
            except UnicodeDecodeError as error:
                faults.add(place, f"not valid UTF-8: {error.reason}")


def _table(file: DataFile) -> Any:
    """The whole file as a pyarrow.Table."""
    import pyarrow
    import pyarrow.parquet

    content = pyarrow.BufferReader(file.content)
    if file.suffix == ".parquet":
        return pyarrow.parquet.read_table(content)
    try:
        return pyarrow.ipc.open_stream(content).read_all()
    except pyarrow.ArrowInvalid:
        content.seek(0)
        return pyarrow.ipc.open_file(content).read_all()


def _values(batch: Any) -> Iterator[Callable[[], dict[str, Any]]]:
    """For each row of a pyarrow.RecordBatch a function that returns it, or raises what is wrong with it."""
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


def _labels(schema: Any) -> dict[str, list[str]]:
    """The names of the classes in each column of class labels."""
    try:
        features = json.loads((schema.metadata or {})[HUGGING_FACE])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {
        name: feature["names"]
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and "names" in feature
    }
