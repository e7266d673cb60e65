"""Write an adapter for another program, from files to a file or folder: for the runtime, or for PEFT."""

import shutil
from pathlib import Path

from pipeline.console import console
from pipeline.errors import InputError
from pipeline.litert.runtime_adapters import write_for_base
from pipeline.run.finished import refuse_finished_stage
from pipeline.run.outputs import check_output
from pipeline.tuning.load import adapter_files, find_adapter, load_adapter
from pipeline.tuning.peft import write_peft


def adapter_file(adapter: Path, base: Path | None, output: Path) -> None:
    """Write the file of a run-time adapter and print its rank and size.

    Args:
        adapter: an adapter.safetensors, or the folder of a PEFT adapter.
        base: the .litertlm with LoRA inputs that the adapter is for.
        output: the .tflite to write.

    Raises:
        InputError: no base is named, a file is unusable, they do not belong together, or the output is one of
            them.
    """
    if base is None:
        raise InputError("--base: missing; name the .litertlm that the adapter is for, or use --format peft")
    check_output(output, [base, *adapter_files(adapter)], "--out")
    written = write_for_base(adapter, base, output)
    console.print(f"{output}: rank {written.rank}, {output.stat().st_size / 1e6:.2f} MB")


def peft_folder(adapter: Path, base: Path | None, output: Path) -> None:
    """Write the folder of a PEFT adapter and print its method and size.

    Args:
        adapter: an adapter.safetensors, or the folder of a finetune stage.
        base: must be None: PEFT gets the base from Hugging Face's model.
        output: the folder to write; it may exist if it is empty.

    Raises:
        InputError: a base is named, the adapter is unusable or PEFT's already, PEFT has no form for its
            method, or the folder is not empty or cannot be written.
    """
    if base is not None:
        raise InputError("--base: not used with --format peft; remove it")
    _, own = find_adapter(adapter)
    if own is None:
        raise InputError(f"{adapter}: is already a PEFT adapter; use this folder")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: already exists and is not an empty folder; choose another with --out")
    refuse_finished_stage(output)
    read, folder = load_adapter(own), output.resolve()
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        write_peft(read, partial)
        if folder.exists():  # It is kept: it may be the working directory.
            for path in partial.iterdir():
                path.replace(folder / path.name)
        else:
            partial.replace(folder)
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}; choose another --out") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    size = sum(path.stat().st_size for path in output.iterdir())
    console.print(f"{output}: {read.method.title}, {size / 1e6:.2f} MB")
