"""What kind of file it is, by its content: a name proves nothing."""

import struct
import zipfile
import zlib
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.formats.litertlm import MAGIC, map_file
from pipeline.formats.task import METADATA_ENTRY, MODEL_ENTRY, TOKENIZER_ENTRY
from pipeline.formats.tflite_summary import IDENTIFIER
from pipeline.inspect.adapter import is_runtime_adapter, report_peft, report_runtime, report_safetensors
from pipeline.inspect.apk import ANDROID_MANIFEST, report_apk
from pipeline.inspect.bundle import report_litertlm, report_task
from pipeline.inspect.facts import Report
from pipeline.inspect.model import read_tflite

ZIP_ERRORS = (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, zlib.error, struct.error)
"""What reading a damaged zip may raise; a RuntimeError says that it is encrypted or of a version to come."""

KINDS = ".litertlm, .task, .tflite, an adapter (.tflite, .safetensors or PEFT's folder) or .apk"


def inspect_file(path: Path) -> Report:
    """Everything there is to tell about a file.

    Raises:
        InputError: no such file, of an unknown kind, truncated or damaged; one line that says which.
    """
    if path.is_dir():
        return report_peft(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: neither a file nor a folder; expected {KINDS}")
    try:
        mapped = map_file(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{path}: an empty file; expected {KINDS}") from None
    if mapped[: len(MAGIC)] == MAGIC:
        return report_litertlm(path)
    if mapped[4:8] == IDENTIFIER:
        return _tflite(path, mapped)
    if mapped[:2] == b"PK" or mapped[4:6] == b"PK":
        return _zip(path)
    # safetensors: the length of the JSON header, then the header.
    if mapped[8:9] == b"{" and int.from_bytes(mapped[:8], "little") < len(mapped):
        return report_safetensors(path)
    raise InputError(
        f"{path}: an unknown kind of file, it starts with {bytes(mapped[:8])!r}; expected {KINDS}"
    )


def _tflite(path: Path, mapped: memoryview) -> Report:
    if is_runtime_adapter(path, mapped):
        return report_runtime(path, mapped)
    model = read_tflite(mapped, "model", str(path))
    return Report("tflite", path.name, path.stat().st_size, sha256_of_file(path), models=(model,))


def _zip(path: Path) -> Report:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
        if ANDROID_MANIFEST in names:
            return report_apk(path)
        if {MODEL_ENTRY, TOKENIZER_ENTRY, METADATA_ENTRY} <= names:
            return report_task(path)
    except ZIP_ERRORS as error:
        raise InputError(
            f"{path}: a .task or .apk that is truncated or damaged: {str(error).lower() or 'it ends too early'}; copy it again"
        ) from None
    raise InputError(
        f"{path}: a zip, but neither a .task nor an .apk: it holds {', '.join(map(repr, sorted(names)[:5])) or 'nothing'}"
    )
