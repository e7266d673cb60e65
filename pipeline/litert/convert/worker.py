"""The converter's own process: `python -m pipeline.litert.convert.worker REQUEST.json`.

litert_torch traces the model with torch and lowers it through jax and tensorflow, prints a lot to both output
streams, and can end the process when something fails inside. In a separate process, none of that affects the
calling program.
"""

import gc
import json
import sys
from pathlib import Path


def main(request: Path) -> None:
    """Convert a Hugging Face folder to .litertlm.

    Args:
        request: JSON file with model and output (folders), quantizer_rules (of the AI Edge Quantizer; an
            empty list keeps float32), prefill_lengths and cache_length (in tokens), tokenizer (file), and
            lora_rank: the rank of the LoRA tensors that the model takes as inputs; null: no such inputs.
    """
    arguments = json.loads(request.read_text(encoding="utf-8"))
    # The exporter's default is int8: "none" turns quantization off.
    recipe = "none"
    if arguments["quantizer_rules"]:
        # Beside the request, whose path has no comma: the exporter would read a comma as a separator of
        # recipes.
        recipe = str(request.with_name("recipe.json"))
        Path(recipe).write_text(json.dumps(arguments["quantizer_rules"]), encoding="utf-8")
    # Nothing here compiles for a GPU, and libtriton was observed to crash when it is loaded together with jax
    # and tensorflow.
    sys.modules["triton"] = None  # type: ignore[assignment]
    gc.disable()
    from litert_torch.generative.export_hf import export

    if arguments.get("lora_rank") is not None:
        from pipeline.litert.convert.lora_inputs import add_lora_inputs

        add_lora_inputs(arguments["lora_rank"])
    from pipeline.litert.convert.exporter_patches import (
        in_float32,
        leave_weights_in_their_file,
        let_subclasses_load,
    )
    from pipeline.litert.convert.whole_matrices import keep_matrices_whole

    leave_weights_in_their_file()
    let_subclasses_load()
    keep_matrices_whole()
    # The exporter collects garbage after every step, which takes a second each time for the million objects
    # of the imported packages.
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
        # Constants refer to torch's memory instead of being copied; the conversion takes the same time.
        experimental_lightweight_conversion=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
