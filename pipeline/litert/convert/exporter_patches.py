"""Patches that make the converter use little memory: the weights stay in their file.

torch maps a float32 checkpoint instead of reading it, MLIR refers to torch's memory, and the writer and the
quantizer of a large model work on files: in principle no weight is ever copied. Three details prevent this,
and are fixed here. None of the fixes changes a byte of the result. At Gemma 3 1B's shapes, peak memory drops
from 8.4 to 5.3 GB, of which 4 GB are pages of files that the kernel can reclaim.
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
"""Number of elements from which a tensor's pages are released as soon as it was checked."""

MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r([w-])[x-]p [0-9a-f]+ [0-9a-f:]+ (\d+) *(.*)")
"""A private, readable mapping in /proc/self/smaps: begin, end, writable, inode (0 for memory without a file),
file."""


def leave_weights_in_their_file() -> None:
    """Patch the exporter: it does not write to the weights, and releases pages before the steps that need
    most memory.

    - The exporter clamps each constant in place to remove infinities, which makes a private copy of every
      page of the mapped checkpoint (4 GB for 1B). The patch skips tensors without infinities.
    - Pages of files that were read once stay resident: those of libraries, and before quantization those of
      the checkpoint. The patch releases them.
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


def let_subclasses_load() -> None:
    """Patch transformers: a model class of the exporter loads like the class of transformers that it extends.

    transformers (5.23) looks into the source of a class's module to see whether its experts can be computed
    in more than one way, and refuses to load a class from another module if the configuration can have
    experts.
    """
    from transformers import PreTrainedModel

    ordinary = PreTrainedModel._can_set_experts_implementation.__func__

    def of_any_base(kind: Any) -> bool:
        return any(
            ordinary(base)
            for base in kind.__mro__
            if issubclass(base, PreTrainedModel) and base is not PreTrainedModel
        )

    PreTrainedModel._can_set_experts_implementation = classmethod(of_any_base)


def release_file_pages() -> int:
    """Release resident pages of mapped files; the next access reads them from the file again.

    Data written to a private mapping is in no file, so only read-only mappings and unmodified checkpoints are
    released.

    Returns:
        The number of bytes released; 0 on systems without /proc/self/smaps.
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
    """A Hugging Face folder whose weights can be mapped as they are: the folder itself, or a copy in float32.

    The exporter computes in float32; it would convert a checkpoint of another type as a whole in memory.

    Args:
        folder: with one or more *.safetensors.
        work: where to write the copy.

    Returns:
        `folder` if all its weights are float32, otherwise `work`, which differs only in the type of the
        weights.
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
