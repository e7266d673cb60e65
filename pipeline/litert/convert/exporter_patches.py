"""How the converter gets by with little memory: its weights stay in their file.

torch maps a float32 checkpoint instead of reading it, MLIR refers to torch's memory, and the writer and the quantizer of a large model
go through files: in principle no weight is ever copied. Three things stand in the way, and are put right here. None changes a byte of
the result. At Gemma 3 1B's shapes the peak falls from 8.4 to 5.3 GB, of which 4 GB are pages of files, which the kernel can take back.
"""

import ctypes
import json
import mmap
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.gemma.matrices import SAFETENSORS_TYPES, StoredTensor, stored_tensors
from pipeline.gemma.presets import weight_files

LARGE = 1 << 20
"""Elements of a tensor whose pages are given back as soon as it was looked at."""

ROWS_AT_A_TIME = 1 << 23
"""Elements that are widened at a time: 32 MB in float32."""

MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r([w-])[x-]p [0-9a-f]+ [0-9a-f:]+ (\d+) *(.*)")
"""A private, readable mapping in /proc/self/smaps: begin, end, writable, inode (0 for memory without a file), file."""


def leave_weights_in_their_file() -> None:
    """Patch the exporter: weights are not written to, and pages are given back before the steps that take most.

    - Each constant is clamped in place to keep infinities out, which makes a private copy of every page of the mapped checkpoint (4 GB
      for 1B). A tensor without infinities is left alone instead.
    - Pages of files that were read once stay resident: those of the libraries, and before quantising those of the checkpoint.
    """
    from litert_torch._convert.litert_converter import LazyModelExporter
    from litert_torch.backend import inline_consts
    from litert_torch.generative.export_hf.core import export_lib

    clamp, write, quantize = (
        inline_consts._clamp_inf_values,
        LazyModelExporter.to_file,
        export_lib.quantize_model,
    )

    def clamp_if_needed(tensor: Any) -> Any:
        if not tensor.is_floating_point() or not tensor.numel():
            return clamp(tensor)
        finite = all(bool(limit.isfinite()) for limit in tensor.aminmax())
        if tensor.numel() >= LARGE:
            release_file_pages()
        return tensor if finite else clamp(tensor)

    def write_released(self: Any, path: str) -> None:
        release_file_pages()
        write(self, path)

    def quantize_released(*arguments: Any, **settings: Any) -> Any:
        release_file_pages()
        return quantize(*arguments, **settings)

    inline_consts._clamp_inf_values = clamp_if_needed
    LazyModelExporter.to_file = write_released
    export_lib.quantize_model = quantize_released


def release_file_pages() -> int:
    """Give back resident pages of mapped files; who reads them again gets them from the file.

    What was written to a private mapping is in no file: only mappings that cannot be written to, and checkpoints that nobody wrote to.

    Returns:
        Bytes given back; 0 where the kernel does not tell what is mapped.
    """
    try:
        lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    advise = ctypes.CDLL(None).madvise
    released = begin = end = resident = 0
    for line in lines:
        mapping = MAPPING.match(line)
        if mapping:
            clean = mapping[4] != "0" and (mapping[3] == "-" or mapping[5].endswith(".safetensors"))
            begin, end = (int(bound, 16) for bound in mapping.group(1, 2)) if clean else (0, 0)
        elif line.startswith("Rss:"):
            resident = int(line.split()[1]) * 1024
        elif line.startswith("Anonymous:") and begin and resident and line.split()[1] == "0":
            size = ctypes.c_size_t(end - begin)
            if not advise(ctypes.c_void_p(begin), size, ctypes.c_int(mmap.MADV_DONTNEED)):
                released += resident
    return released


def in_float32(folder: Path, work: Path) -> Path:
    """A Hugging Face folder whose weights can be mapped as they are: the same, or a copy in float32.

    The exporter computes in float32; a checkpoint in another type would be converted as a whole in memory.

    Args:
        folder: with one or several *.safetensors.
        work: where the copy goes.

    Returns:
        `folder` when all its weights are float32, else `work`, with everything but the weights' type the same.
    """
    tensors: dict[str, StoredTensor] = {}
    for path in weight_files(folder):
        tensors |= stored_tensors(path)
    if all(tensor.dtype == SAFETENSORS_TYPES["F32"] for tensor in tensors.values()):
        return folder
    work.mkdir(parents=True)
    for path in folder.iterdir():
        if path.is_file() and ".safetensors" not in path.name:
            shutil.copyfile(path, work / path.name)
    write_float32(tensors, work / "model.safetensors")
    return work


class Readable(Protocol):
    """A tensor that gives entries start..stop of its first axis, float32."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self, start: int, stop: int, /) -> NDArray[np.float32]: ...


def write_float32(tensors: Mapping[str, Readable], path: Path) -> None:
    """Copy tensors into one safetensors file in float32, in pieces.

    The format is eight bytes with the length of a JSON header, the header, and the tensors in its order
    (https://github.com/huggingface/safetensors#format).
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + 4 * int(np.prod(tensor.shape, dtype=np.int64))
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            length = tensor.shape[0] if tensor.shape else 1
            rows = max(1, ROWS_AT_A_TIME * length // max(1, int(np.prod(tensor.shape, dtype=np.int64))))
            for start in range(0, length, rows):
                tensor.read(start, min(start + rows, length)).tofile(file)
