"""Reading adapters: ours by any tuning method, and PEFT's."""

from pathlib import Path

from pipeline.errors import InputError
from pipeline.formats.adapter_safetensors import AdapterSafetensors, read_adapter_safetensors
from pipeline.formats.peft import CONFIG, WEIGHTS
from pipeline.run.files import ADAPTER
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Deltas
from pipeline.tuning.peft import read_peft
from pipeline.tuning.registry import method_of


def load_adapter(path: Path) -> Adapter:
    """Read an adapter.safetensors.

    Raises:
        InputError: no such file, damaged, truncated, of an unknown method, or not as its method writes it.
    """
    file = read_checked(path)
    tensors = {name: tensor.read_all() for name, tensor in file.tensors.items()}
    return Adapter(method_of(file), file.base_digest, file.settings, tensors)


def read_checked(path: Path) -> AdapterSafetensors:
    """Read the header of an adapter.safetensors and have its method check it; reads no tensor.

    Raises:
        InputError: as `load_adapter`.
    """
    file = read_adapter_safetensors(path)
    method_of(file).check(file)
    return file


def load_deltas(path: Path) -> Deltas:
    """Read an adapter as additions to matrices.

    Args:
        path: an adapter.safetensors or the finetune folder that holds it; or a PEFT adapter's folder or
            weight file.

    Raises:
        InputError: no adapter there, or one that does more than add to matrices.
    """
    folder = path if path.is_dir() else path.parent
    if (folder / CONFIG).is_file() and (path.is_dir() or path.name == WEIGHTS):
        return read_peft(folder)
    if path.is_dir() and not (path / ADAPTER).is_file():
        raise InputError(
            f"{path}: no adapter in this folder; expected {ADAPTER}, or PEFT's {CONFIG} and {WEIGHTS}"
        )
    adapter = load_adapter(path / ADAPTER if path.is_dir() else path)
    return adapter.method.deltas(adapter)
