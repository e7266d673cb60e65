"""Write an adapter for the runtime, from files to a file."""

from pathlib import Path

from pipeline.console import console
from pipeline.litert.runtime_adapters import write_for_base
from pipeline.run.finished import refuse_finished_stage


def adapter_file(adapter: Path, base: Path, output: Path) -> None:
    """Write the adapter file and print its rank and size.

    Args:
        adapter: an adapter.safetensors, or the folder of a PEFT adapter.
        base: the .litertlm with LoRA inputs that the adapter is for.
        output: the .tflite to write.

    Raises:
        InputError: a file is unusable, or they do not belong together.
    """
    refuse_finished_stage(output)
    written = write_for_base(adapter, base, output)
    console.print(f"{output}: rank {written.rank}, {output.stat().st_size / 1e6:.2f} MB")
