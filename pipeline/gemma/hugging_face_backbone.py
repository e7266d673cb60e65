"""A Keras backbone from a Hugging Face folder.

KerasHub reads the configuration of most families, and could read their weights too. It has two more copies of
the embedding in memory then, which is most of a small Gemma.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError
from pipeline.families.config import read_json
from pipeline.families.decoder import text_part
from pipeline.families.registry import read_shape
from pipeline.formats.safetensors import SafetensorsTensor, float_tensors
from pipeline.gemma.keras_weights import keras_weights
from pipeline.gemma.presets import weight_files

if TYPE_CHECKING:
    import keras_hub


def read_backbone(preset: Path, dtype: str, dropout: float) -> "keras_hub.models.Backbone":
    """The backbone that a folder describes, with the folder's weights.

    Args:
        preset: a text-only Hugging Face folder.
        dtype: of weights and computation.
        dropout: share of attention weights and residual updates dropped during training.

    Raises:
        InputError: a weight is missing, has another shape, or is no float; names it.
    """
    import keras_hub

    path = preset / "config.json"
    shape = read_shape(preset)
    family = shape.family
    if family.keras_config is None:
        backbone = keras_hub.models.Backbone.from_preset(
            str(preset), load_weights=False, dtype=dtype, dropout=dropout
        )
    else:
        config = family.keras_config(text_part(path, read_json(path), family))
        kind = getattr(keras_hub.models, family.keras_class)
        backbone = kind(**config, dtype=dtype, dropout=dropout)
    tensors: dict[str, SafetensorsTensor] = {}
    for file in weight_files(preset):
        tensors |= float_tensors(file)
    for weight in keras_weights(backbone, shape):
        tensor = tensors.get(weight.tensor)
        if tensor is None or tensor.shape != weight.shape:
            found = "missing" if tensor is None else f"of shape {tensor.shape}"
            raise InputError(f"{preset}: {weight.tensor} is {found}, config.json requires {weight.shape}")
        weight.assign(tensor)
    return backbone
