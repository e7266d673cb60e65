"""The shape of a Gemma, read from the config.json of a KerasHub preset or of a Hugging Face folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import InputError

Family = Literal["gemma", "gemma2", "gemma3", "gemma3n", "gemma4"]

KERAS_CLASSES: dict[str, Family] = {
    "GemmaBackbone": "gemma",
    "Gemma3Backbone": "gemma3",
    "Gemma3nBackbone": "gemma3n",
    "Gemma4Backbone": "gemma4",
}
"""Backbone classes of KerasHub 0.32. Gemma 2 is a GemmaBackbone with norms after attention and feed-forward."""

TRANSFORMERS_TYPES: dict[str, Family] = {
    "gemma": "gemma",
    "gemma2": "gemma2",
    "gemma3": "gemma3",
    "gemma3_text": "gemma3",
    "gemma3n": "gemma3n",
    "gemma3n_text": "gemma3n",
    "gemma4": "gemma4",
    "gemma4_text": "gemma4",
}
"""Values of model_type in a Hugging Face config."""


@dataclass(frozen=True)
class GemmaShape:
    """The shape of a Gemma's text decoder.

    Attributes:
        family: which Gemma.
        layers: number of decoder blocks.
        hidden: width of the residual stream.
        query_heads: attention heads.
        kv_heads: heads of key and value, shared by the query heads.
        head_dim: width of a head.
        ffn: width of the gated feed-forward layer.
        vocabulary: rows of the token embedding.
        sliding_window: tokens that a local attention layer sees; None when every layer sees all.
        vision: whether there is a vision tower beside the decoder.
    """

    family: Family
    layers: int
    hidden: int
    query_heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocabulary: int
    sliding_window: int | None = None
    vision: bool = False

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of every matrix of one decoder block."""
        query, kv = self.query_heads * self.head_dim, self.kv_heads * self.head_dim
        return [
            (query, self.hidden),
            (kv, self.hidden),
            (kv, self.hidden),
            (self.hidden, query),
            (self.ffn, self.hidden),
            (self.ffn, self.hidden),
            (self.hidden, self.ffn),
        ]

    @property
    def norms(self) -> int:
        """Scales of all norms: before (and from Gemma 2 on after) attention and feed-forward, in Gemma 3 on query and key."""
        per_block = {"gemma": 2 * self.hidden, "gemma2": 4 * self.hidden}.get(
            self.family, 4 * self.hidden + 2 * self.head_dim
        )
        return self.layers * per_block + self.hidden

    @property
    def parameters(self) -> int:
        """Parameters of the text decoder, its tied embedding counted once.

        Raises:
            ValueError: for Gemma 3n and 4, whose per-layer embeddings and shared keys this shape does not describe.
        """
        if self.family in ("gemma3n", "gemma4"):
            raise ValueError(f"the parameters of {self.family} do not follow from this shape")
        block = sum(outputs * inputs for outputs, inputs in self.matrices)
        return self.vocabulary * self.hidden + self.layers * block + self.norms

    def __str__(self) -> str:
        return (
            f"{self.family}: {self.layers} layers, hidden {self.hidden}, {self.query_heads} query and {self.kv_heads} key/value "
            f"heads of {self.head_dim}, feed-forward {self.ffn}, vocabulary {self.vocabulary:,}"
        )


def read_shape(preset: Path) -> GemmaShape:
    """The shape that a preset's config.json tells.

    Raises:
        InputError: there is no config.json, it is no Gemma's, or a value is missing; names the file and the key.
    """
    path = preset / "config.json"
    document = read_json(path)
    if "class_name" in document:
        return _keras_shape(path, document)
    if "model_type" in document:
        return _transformers_shape(path, document)
    raise InputError(
        f"{path}: has neither class_name (KerasHub) nor model_type (Hugging Face): not a preset's configuration"
    )


def _keras_shape(path: Path, document: dict[str, Any]) -> GemmaShape:
    family = KERAS_CLASSES.get(document["class_name"])
    if family is None or document.get("registered_name") != f"keras_hub>{document['class_name']}":
        raise InputError(
            f"{path}: holds a {document['class_name']}, expected one of {', '.join(KERAS_CLASSES)}"
        )
    config = section(path, document, "config")
    if family == "gemma3n":  # KerasHub keeps Hugging Face's words for this one.
        text = config | {
            "hidden_size": config.get("text_hidden_size"),
            "vocab_size": config.get("text_vocab_size"),
        }
        return _text_shape(path, family, text, vision=config.get("vision_encoder_config") is not None)
    gemma_2 = family == "gemma" and config.get("use_post_ffw_norm") is True
    # The first two Gemmas count gate and up together (keras_hub GemmaDecoderBlock halves the value).
    halves = 2 if family == "gemma" else 1
    return GemmaShape(
        family="gemma2" if gemma_2 else family,
        layers=_number(path, config, "num_layers"),
        hidden=_number(path, config, "hidden_dim"),
        query_heads=_number(path, config, "num_query_heads"),
        kv_heads=_number(path, config, "num_key_value_heads"),
        head_dim=_number(path, config, "head_dim"),
        ffn=_number(path, config, "intermediate_dim") // halves,
        vocabulary=_number(path, config, "vocabulary_size"),
        sliding_window=config.get("sliding_window_size")
        if config.get("use_sliding_window_attention")
        else None,
        vision=config.get("vision_encoder") is not None,
    )


def _transformers_shape(path: Path, document: dict[str, Any]) -> GemmaShape:
    kind = document["model_type"]
    family = TRANSFORMERS_TYPES.get(kind)
    if family is None:
        raise InputError(f"{path}: is of type {kind!r}, expected one of {', '.join(TRANSFORMERS_TYPES)}")
    text = document
    if "text_config" in document:
        # Gemma 3's multimodal configurations leave out what equals the defaults of Hugging Face's Gemma3TextConfig.
        text = {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262208}
        text |= section(path, document, "text_config")
    return _text_shape(path, family, text, vision="vision_config" in document)


def _text_shape(path: Path, family: Family, text: dict[str, Any], *, vision: bool) -> GemmaShape:
    ffn = text.get("intermediate_size")
    if isinstance(ffn, list) and ffn:  # Gemma 3n may give one width for each layer.
        text = text | {"intermediate_size": max(ffn)}
    window = text.get("sliding_window")
    return GemmaShape(
        family=family,
        layers=_number(path, text, "num_hidden_layers"),
        hidden=_number(path, text, "hidden_size"),
        query_heads=_number(path, text, "num_attention_heads"),
        kv_heads=_number(path, text, "num_key_value_heads"),
        head_dim=_number(path, text, "head_dim"),
        ffn=_number(path, text, "intermediate_size"),
        vocabulary=_number(path, text, "vocab_size"),
        sliding_window=window if isinstance(window, int) and family != "gemma" else None,
        vision=vision,
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a preset.

    Raises:
        InputError: no such file, or no JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; is {path.parent} a preset's folder?") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(document).__name__}")
    return document


def section(path: Path, document: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under a key.

    Raises:
        InputError: there is none; names file and key.
    """
    value = document.get(key)
    if not isinstance(value, dict):
        raise InputError(f"{path}: {key} is missing")
    return value


def _number(path: Path, document: dict[str, Any], key: str) -> int:
    value = document.get(key)
    if not isinstance(value, int) or value < 1:
        raise InputError(f"{path}: {key} is {value!r}, expected a whole number above 0")
    return value
