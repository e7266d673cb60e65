"""Write an adapter for the runtime, from files to a file."""

from pathlib import Path

from pipeline.console import console
from pipeline.litert.runtime_adapters import write_for_base
from pipeline.run.outputs import check_output
from pipeline.tuning.load import adapter_files


def adapter_file(adapter: Path, base: Path, output: Path) -> None:
    """Write the adapter file and print its rank and size.

    Args:
        adapter: an adapter.safetensors, or the folder of a PEFT adapter.
        base: the .litertlm with LoRA inputs that the adapter is for.
        output: the .tflite to write.

    Raises:
        InputError: a file is unusable, they do not belong together, or the output is one of them.
    """
    check_output(output, [base, *adapter_files(adapter)], "--out")
    written = write_for_base(adapter, base, output)
    console.print(f"{output}: rank {written.rank}, {output.stat().st_size / 1e6:.2f} MB")
