"""Reading adapters: ours by any tuning method, and PEFT's."""

from pathlib import Path

from pipeline.errors import InputError
from pipeline.formats.adapter_safetensors import AdapterSafetensors, read_adapter_safetensors
from pipeline.formats.peft import CONFIG, WEIGHTS
from pipeline.formats.tensor_names import natural
from pipeline.run.files import ADAPTER
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Deltas
from pipeline.tuning.peft import read_peft
from pipeline.tuning.registry import method_of
from pipeline.tuning.values import check_finite


def load_adapter(path: Path) -> Adapter:
    """Read an adapter.safetensors.

    Raises:
        InputError: no such file, damaged, truncated, of an unknown method, or not as its method writes it; or
            a value is infinite or NaN.
    """
    file = read_checked(path)
    tensors = {name: tensor.read_all() for name, tensor in file.tensors.items()}
    check_finite(path, tensors)
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
        InputError: no adapter there, one that changes nothing, or one that does more than add to matrices.
    """
    folder, own = find_adapter(path)
    if own is None:
        return read_peft(folder)
    adapter = load_adapter(own)
    return adapter.method.deltas(adapter)


def find_adapter(path: Path) -> tuple[Path, Path | None]:
    """Where the adapter is that a path means.

    Args:
        path: as for `load_deltas`.

    Returns:
        Its folder, and the adapter.safetensors; None: it is a PEFT adapter's folder.

    Raises:
        InputError: a folder without an adapter; names the folders in it that have one.
    """
    folder = path if path.is_dir() else path.parent
    if (folder / CONFIG).is_file() and (path.is_dir() or path.name == WEIGHTS):
        return folder, None
    if not path.is_dir():
        return folder, path
    if (path / ADAPTER).is_file():
        return folder, path / ADAPTER
    inside = {found.parent for name in (CONFIG, ADAPTER) for found in path.glob(f"*/{name}")}
    names = [folder.name for folder in sorted(inside, key=lambda folder: natural(folder.name))]
    advice = f"name one of the folders in it: {', '.join(names)}" if names else ""
    raise InputError(
        f"{path}: no adapter in this folder; "
        + (advice or f"expected {ADAPTER}, or PEFT's {CONFIG} and {WEIGHTS}")
    )


def adapter_files(path: Path) -> list[Path]:
    """The files that are read of the adapter that a path means.

    Args:
        path: as for `load_deltas`.

    Raises:
        InputError: as `find_adapter`.
    """
    folder, own = find_adapter(path)
    return [folder / CONFIG, folder / WEIGHTS] if own is None else [own]
