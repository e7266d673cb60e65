"""Apache Parquet."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.data.faults import Faults, Place
from pipeline.data.rows import Row

SUFFIXES = (".parquet",)


def read(path: Path, faults: Faults) -> Iterator[Row]:
    """Yield the rows of a file; whatever is not a row goes to `faults`."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        faults.add(Place(path), f"not a Parquet file: {' '.join(str(error).split())}")
        return
    if len(set(table.column_names)) < len(table.column_names):
        faults.add(Place(path), f"two columns have the same name: {', '.join(table.column_names)}")
        return
    for index in range(table.num_rows):
        place = Place(path, index + 1)
        try:
            yield Row(place, {name: table[name][index].as_py() for name in table.column_names})
        except UnicodeDecodeError as error:
            faults.add(place, f"not valid UTF-8: {error.reason}")
