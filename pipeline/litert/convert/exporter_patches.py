"""How the converter gets by with little memory: its weights stay in their file.

torch maps a float32 checkpoint instead of reading it, MLIR refers to torch's memory, and the writer and the quantizer of a large model
go through files: in principle no weight is ever copied. Three things stand in the way, and are put right here. None changes a byte of
the result. At Gemma 3 1B's shapes the peak falls from 8.4 to 5.3 GB, of which 4 GB are pages of files, which the kernel can take back.
"""

import ctypes
import mmap
import re
import shutil
from pathlib import Path
from typing import Any

from pipeline.formats.safetensors import SafetensorsTensor, float_tensors, write_float32
from pipeline.gemma.presets import weight_files

LARGE = 1 << 20
"""Elements of a tensor whose pages are given back as soon as it was looked at."""

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
    tensors: dict[str, SafetensorsTensor] = {}
    for path in weight_files(folder):
        tensors |= float_tensors(path)
    if all(tensor.dtype == "F32" for tensor in tensors.values()):
        return folder
    work.mkdir(parents=True)
    for path in folder.iterdir():
        if path.is_file() and ".safetensors" not in path.name:
            shutil.copyfile(path, work / path.name)
    write_float32(tensors, work / "model.safetensors")
    return work
