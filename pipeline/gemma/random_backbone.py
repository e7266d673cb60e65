"""Backbones with random weights and fewer layers, to measure what a layer takes before a model is there."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.families.config import read_json, section
from pipeline.families.decoder import text_part
from pipeline.families.registry import read_family, read_form

if TYPE_CHECKING:
    import keras_hub


def random_backbone(preset: Path, layers: int, dtype: str) -> "keras_hub.models.Backbone":
    """A backbone of a preset's shape, apart from the number of its layers.

    Args:
        preset: a folder with at least config.json, in KerasHub's layout or Hugging Face's; a family whose
            layers all have the same sizes.
        layers: how many it gets.
        dtype: of weights and computation.
    """
    import keras_hub

    path, family = preset / "config.json", read_family(preset)
    kind = getattr(keras_hub.models, family.keras_class)
    config = read_json(path)
    if read_form(preset) == "keras":
        arguments: dict[str, Any] = dict(section(path, config, "config"))
        for name in ("name", "dtype", "trainable", "vision_encoder"):
            arguments.pop(name, None)
        return kind(**arguments | {"num_layers": layers, "dtype": dtype})
    text = text_part(path, config, family) | {"num_hidden_layers": layers}
    if "layer_types" in text:
        text["layer_types"] = text["layer_types"][:layers]
    if family.keras_config:
        return kind(**family.keras_config(text), dtype=dtype)
    with tempfile.TemporaryDirectory(prefix="pocketgemma-") as folder:
        Path(folder, "config.json").write_text(json.dumps(text), encoding="utf-8")
        return keras_hub.models.Backbone.from_preset(folder, load_weights=False, dtype=dtype)
