"""The converter's own process: `python -m pipeline.litert.convert.worker REQUEST.json`.

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
        request: JSON file: model, output (folders), quantizer_rules (of the AI Edge Quantizer; none leave everything in float32),
            prefill_lengths, cache_length (tokens), tokenizer (file), and lora_rank: the rank of LoRA tensors that the model
            is to take as inputs, null for an ordinary one.
    """
    arguments = json.loads(request.read_text(encoding="utf-8"))
    # The exporter's own default is int8: that nothing be quantised must be said in a word.
    recipe = "none"
    if arguments["quantizer_rules"]:
        # Beside the request: the exporter takes a comma in the path for the end of one recipe.
        recipe = str(request.with_name("recipe.json"))
        Path(recipe).write_text(json.dumps(arguments["quantizer_rules"]), encoding="utf-8")
    # Nothing here compiles for a graphics card, and libtriton has been seen to crash when it is loaded beside jax and tensorflow.
    sys.modules["triton"] = None  # type: ignore[assignment]
    gc.disable()
    from litert_torch.generative.export_hf import export

    if arguments.get("lora_rank") is not None:
        from pipeline.litert.convert.lora_inputs import add_lora_inputs

        add_lora_inputs(arguments["lora_rank"])
    from pipeline.litert.convert.exporter_patches import in_float32, leave_weights_in_their_file

    leave_weights_in_their_file()
    # The exporter collects garbage after every step, a second each time over the million objects of the packages just imported.
    gc.freeze()
    gc.enable()
    export.export(
        model=str(in_float32(Path(arguments["model"]), Path(arguments["output"], "float32"))),
        output_dir=arguments["output"],
        prefill_lengths=arguments["prefill_lengths"],
        cache_length=arguments["cache_length"],
        quantization_recipe=recipe,
        tokenizer_path_override=arguments["tokenizer"],
        export_vision_encoder=False,
        export_audio_encoder=False,
        # Constants refer to torch's memory instead of being copied, and the conversion takes no longer.
        experimental_lightweight_conversion=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    # Taking torch, jax and tensorflow down takes a second and may crash; the model is written.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
