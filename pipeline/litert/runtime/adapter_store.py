"""Adapters for an open model: each is checked once and copied to where nothing changes it."""

import shutil
from pathlib import Path

from pipeline.errors import InputError
from pipeline.formats.runtime_adapter import write_adapter_file
from pipeline.litert.runtime_adapters import check_adapter_file, lora_base


class AdapterStore:
    """The adapter files that the engine opens.

    The engine identifies an adapter by its path and keeps it in memory; without an adapter it would continue
    with the last one. So each adapter is copied to a name made from its content, and "no adapter" is an
    adapter of zeros.

    Args:
        model: the .litertlm or .task file that is opened.
        folder: for the copies; it must exist as long as the engine.

    Raises:
        InputError: the model's metadata and its LoRA inputs contradict each other.
    """

    def __init__(self, model: Path, folder: Path) -> None:
        self.base = lora_base(model) if model.suffix != ".task" else None
        self._model = model
        self._folder = folder
        self._copies: dict[tuple[Path, int, int], Path] = {}
        self._none: Path | None = None
        if self.base:
            self._none = folder / "none.tflite"
            write_adapter_file(
                self._none, {}, rank=self.base.rank, base_digest=self.base.base_digest, name="none"
            )

    def path(self, adapter: Path | None) -> Path | None:
        """The file for the engine to open; None only if the model takes no adapters.

        Raises:
            InputError: the adapter is missing, damaged or belongs to another base, or the model takes no
                adapters.
        """
        if adapter is None:
            return self._none
        try:
            status = adapter.stat()
        except OSError as error:
            raise InputError(
                f"{adapter}: cannot be read: {error.strerror}; expected an adapter file (.tflite)"
            ) from None
        key = (adapter.resolve(), status.st_size, status.st_mtime_ns)
        if key not in self._copies:
            found = check_adapter_file(adapter, self.base or self._model)
            copy = self._folder / f"{found.sha256}.tflite"
            shutil.copyfile(adapter, copy)
            self._copies[key] = copy
        return self._copies[key]
