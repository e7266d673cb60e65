"""The report on any file. Its content decides which kind it is, not its name."""

import struct
import zipfile
import zlib
from pathlib import Path

from pipeline.errors import InputError
from pipeline.formats.litertlm import MAGIC, map_file
from pipeline.formats.runtime_adapter import is_runtime_adapter
from pipeline.formats.task import METADATA_ENTRY, MODEL_ENTRY, TOKENIZER_ENTRY
from pipeline.formats.tflite import IDENTIFIER, read_tflite
from pipeline.formats.zip_bounds import check_sizes
from pipeline.inspect.adapter import report_peft, report_runtime, report_safetensors
from pipeline.inspect.apk import ANDROID_MANIFEST, report_apk
from pipeline.inspect.facts import Report
from pipeline.inspect.litertlm import report_litertlm
from pipeline.inspect.task import report_task
from pipeline.inspect.tflite import report_tflite

ZIP_ERRORS = (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, zlib.error, struct.error)
"""What reading a damaged zip may raise; a RuntimeError means that it is encrypted or of a later version."""

KINDS = ".litertlm, .task, .tflite, an adapter (.tflite, .safetensors or a PEFT folder) or .apk"


def inspect_file(path: Path) -> Report:
    """Everything that is known about a file.

    Raises:
        InputError: no such file, of an unknown kind, truncated or damaged.
    """
    if path.is_dir():
        return report_peft(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not path.is_file():
        raise InputError(f"{path}: neither a file nor a folder; expected {KINDS}")
    try:
        mapped = map_file(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{path}: empty file; expected {KINDS}") from None
    start = bytes(mapped[:9])
    if mapped[: len(MAGIC)] == MAGIC:
        return report_litertlm(path)
    if mapped[4:8] == IDENTIFIER:
        tflite = read_tflite(mapped, str(path))
        return report_runtime(path, tflite) if is_runtime_adapter(tflite) else report_tflite(path, tflite)
    if start[:2] == b"PK" or start[4:6] == b"PK":
        return _zip(path)
    # safetensors: the length of the JSON header, then the header.
    if start[8:] == b"{" and int.from_bytes(mapped[:8], "little") < len(mapped):
        return report_safetensors(path)
    raise InputError(f"{path}: unknown kind of file, it starts with {bytes(mapped[:8])!r}; expected {KINDS}")


def _zip(path: Path) -> Report:
    try:
        with zipfile.ZipFile(path) as archive:
            check_sizes(archive)
            names = set(archive.namelist())
        if ANDROID_MANIFEST in names:
            return report_apk(path)
        if {MODEL_ENTRY, TOKENIZER_ENTRY, METADATA_ENTRY} <= names:
            return report_task(path)
    except ZIP_ERRORS as error:
        raise InputError(
            f"{path}: truncated or damaged .task or .apk: {str(error).lower() or 'it ends too early'}; copy "
            "it again"
        ) from None
    raise InputError(
        f"{path}: a zip file, but neither a .task nor an .apk: it contains "
        f"{', '.join(map(repr, sorted(names)[:5])) or 'nothing'}"
    )
