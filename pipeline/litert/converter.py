"""The converter's own process: `python -m pipeline.litert.converter REQUEST.json`.

litert_torch traces the model with torch and lowers it through jax and tensorflow, writes a great deal to both output streams, and
can end the process when something is wrong inside. Apart, all of that stays away from the program that asked.
"""

import gc
import json
import os
import sys
from pathlib import Path


def main(request: Path) -> None:
    """Convert a Hugging Face folder to .litertlm.

    Args:
        request: JSON file: model, output (folders), quantization_recipe (a recipe's name, a .json file, or "none"),
            prefill_lengths, cache_length (tokens), tokenizer (file).
    """
    arguments = json.loads(request.read_text(encoding="utf-8"))
    # Nothing here compiles for a graphics card, and libtriton has been seen to crash when it is loaded beside jax and tensorflow.
    sys.modules["triton"] = None  # type: ignore[assignment]
    gc.disable()
    from litert_torch.generative.export_hf import export

    # The exporter collects garbage after every step, a second each time over the million objects of the packages just imported.
    gc.freeze()
    gc.enable()
    export.export(
        model=arguments["model"],
        output_dir=arguments["output"],
        prefill_lengths=arguments["prefill_lengths"],
        cache_length=arguments["cache_length"],
        quantization_recipe=arguments["quantization_recipe"],
        tokenizer_path_override=arguments["tokenizer"],
        export_vision_encoder=False,
        export_audio_encoder=False,
        # Cuts the converter's peak memory (280M shapes: 6.4 to 4.7 GB) and takes no longer.
        experimental_lightweight_conversion=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    # Taking torch, jax and tensorflow down takes a second and may crash; the model is written.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
