"""KerasHub's causal language models, loaded from a preset folder, and access to their matrices."""

import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.console import waiting, without_native_chatter
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.family import GemmaShape, OtherMatrix
from pipeline.families.names import MATRICES, OTHER_MATRICES, adapter_name, keras_block
from pipeline.families.registry import family_of_class, read_family, read_form
from pipeline.gemma.hugging_face_backbone import read_backbone
from pipeline.gemma.tokenizer import tokenizer_file

if TYPE_CHECKING:
    import keras
    import keras_hub

Backend = Literal["jax", "torch", "tensorflow"]


def use_backend(backend: Backend) -> None:
    """Load Keras on a backend. Call it before anything else imports Keras: a process keeps its backend.

    Raises:
        PocketGemmaError: Keras already runs on another backend here.
    """
    if "keras" in sys.modules:
        active = sys.modules["keras"].config.backend()
        if active != backend:
            raise PocketGemmaError(
                f"Keras already runs on {active} in this process, but {backend} is needed; run the stages in "
                "separate commands"
            )
        return
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow only serves KerasHub's tokenizers; by default it would take all of a GPU's memory from the
    # backend.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with waiting(f"loading Keras on {backend}"), without_native_chatter():
        # PyTorch first: loading its Triton after TensorFlow, as transformers would later, crashes the
        # process.
        for package in ("torch", "keras_hub"):
            importlib.import_module(package)


def load_causal_lm(
    preset: Path, dtype: str = "float32", *, with_preprocessor: bool = False
) -> "keras_hub.models.CausalLM":
    """Load a preset folder (KerasHub's layout or Hugging Face's) with its weights.

    Args:
        preset: the folder.
        dtype: of weights and computation.
        with_preprocessor: also load the tokenizer into the model; without it the model takes token ids.

    Raises:
        InputError: KerasHub does not recognize a text-only causal language model in the folder.
    """
    import keras_hub

    # Not CausalLM itself: there may be several on the same backbone, of which it takes any.
    name = read_family(preset).keras_model
    kind = getattr(keras_hub.models, name)
    with _loading(preset):
        if read_form(preset) == "keras":
            options = {} if with_preprocessor else {"preprocessor": None}
            model = kind.from_preset(str(preset), dtype=dtype, **options)
        else:
            preprocessor = None
            if with_preprocessor:
                # KerasHub would want files that a text-only folder does not need.
                tokenizer_class = getattr(keras_hub.models, name.replace("CausalLM", "Tokenizer"))
                preprocessor_class = getattr(keras_hub.models, f"{name}Preprocessor")
                preprocessor = preprocessor_class(tokenizer=tokenizer_class(str(tokenizer_file(preset))))
            model = kind(backbone=_backbone(preset, dtype), preprocessor=preprocessor)
    _check_text_only(preset, model.backbone)
    return model


def load_backbone(
    preset: Path, dtype: str = "float32", *, dropout: float = 0.0
) -> "keras_hub.models.Backbone":
    """Load only the decoder, for training.

    Args:
        preset: as for `load_causal_lm`.
        dtype: of weights and computation.
        dropout: share of attention weights and residual updates dropped during training.

    Raises:
        InputError: KerasHub does not recognize a text-only backbone in the folder.
    """
    with _loading(preset):
        backbone = _backbone(preset, dtype, dropout)
    _check_text_only(preset, backbone)
    return backbone


def _backbone(preset: Path, dtype: str, dropout: float = 0.0) -> "keras_hub.models.Backbone":
    import keras_hub

    if read_form(preset) == "transformers":
        return read_backbone(preset, dtype, dropout)
    return keras_hub.models.Backbone.from_preset(str(preset), dtype=dtype, dropout=dropout)


@contextmanager
def _loading(preset: Path) -> Iterator[None]:
    try:
        with without_native_chatter(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ValueError, KeyError, OSError) as error:
        first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"{preset}: KerasHub cannot load this preset: {first_line}") from error


def _check_text_only(preset: Path, backbone: "keras_hub.models.Backbone") -> None:
    if getattr(backbone, "vision_encoder", None) is not None:
        raise InputError(
            f"{preset}: has a vision encoder; use the text-only preset of the same size (its name ends in "
            "_text)"
        )


def shape_of(backbone: "keras_hub.models.Backbone") -> GemmaShape:
    """The shape of a backbone, by its class and its configuration.

    Raises:
        PocketGemmaError: it is no Gemma.
    """
    name, config = type(backbone).__name__, backbone.get_config()
    family = family_of_class(name, config)
    if family is None:
        raise PocketGemmaError(f"{name} is not a Gemma that PocketGemma knows")
    return family.read_keras(Path(name), config)


def matrix_layers(
    backbone: "keras_hub.models.Backbone", target: str
) -> "Iterator[tuple[str, keras.layers.EinsumDense]]":
    """Yield (name, layer) of one kind of matrix through all decoder blocks; names are those in our adapters.

    Args:
        backbone: a Gemma backbone.
        target: a key of MATRICES.
    """
    for index in range(backbone.num_layers):
        block = backbone.get_layer(keras_block(index))
        for layer in block._flatten_layers(include_self=False):
            if layer.name == MATRICES[target].keras_layer:
                yield adapter_name(index, target), layer


def other_matrices(
    backbone: "keras_hub.models.Backbone",
) -> "Iterator[tuple[OtherMatrix, keras.layers.Layer, keras.Variable]]":
    """The matrices of a backbone that belong to no layer, the embedding first: each with its layer and the
    layer's variable."""
    names = {layer.name for layer in backbone.layers}
    for matrix in OTHER_MATRICES.values():
        if matrix.keras_layer in names:
            layer = backbone.get_layer(matrix.keras_layer)
            yield matrix, layer, getattr(layer, matrix.keras_variable)


class _LayerProducts:
    """The operations of Keras, but a product with the kernel of one of some layers is that layer's own."""

    def __init__(self, layers: "Mapping[int, keras.layers.Layer]") -> None:
        self.layers = layers

    def __getattr__(self, name: str) -> Any:
        from keras import ops

        return getattr(ops, name)

    def matmul(self, left: Any, right: Any) -> Any:
        from keras import ops

        layer = self.layers.get(id(right))
        return ops.matmul(left, right) if layer is None else layer(left)


def use_layers_for_products(backbone: "keras_hub.models.Backbone") -> None:
    """Let every product with a matrix go through the layer that has the matrix, so that changes to the layer
    take effect. In some families, KerasHub multiplies by the kernel of a layer without calling it.

    This changes the modules of KerasHub for the rest of the process. The layers must stay without LoRA.
    """
    layers = {id(layer.kernel): layer for target in MATRICES for _, layer in matrix_layers(backbone, target)}
    module = sys.modules[type(backbone.get_layer(keras_block(0))).__module__]
    vars(module)["ops"] = _LayerProducts(layers)


def hidden_states(backbone: "keras_hub.models.Backbone", token_ids: Any, padding_mask: Any) -> Any:
    """The last hidden states, (batch, length, hidden), of token ids and their mask, (batch, length)."""
    from keras import ops

    inputs = {"token_ids": token_ids, "padding_mask": padding_mask}
    if "position_ids" in backbone.input:
        inputs["position_ids"] = ops.cumsum(ops.ones_like(token_ids), axis=1) - 1
    return backbone(inputs)


def logits_of(backbone: "keras_hub.models.Backbone", hidden: Any) -> Any:
    """Project hidden states (…, hidden) onto the vocabulary with the tied embedding, whose layer also applies
    the family's soft cap, if it has one."""
    return backbone.token_embedding(hidden, reverse=True)


@contextmanager
def last_logits_only(backbone: "keras_hub.models.Backbone") -> Iterator[None]:
    """Project only the last position onto the vocabulary.

    When KerasHub reads a prompt, it projects every position and never uses the result: 8.6 GB for 128 prompts
    of 64 tokens with Gemma 3's vocabulary. In later steps there is one position.
    """
    embedding = backbone.token_embedding
    lookup_or_project = embedding.call

    def call(inputs: Any, reverse: bool = False) -> Any:
        return lookup_or_project(inputs[:, -1:] if reverse else inputs, reverse=reverse)

    embedding.call = call
    try:
        yield
    finally:
        embedding.call = lookup_or_project


@contextmanager
def exact_inference() -> Iterator[None]:
    """Compute products in full float32, without gradients. By default JAX rounds the inputs of a product to
    bfloat16 on a TPU, and to TF32 on a GPU."""
    import keras

    with ExitStack() as settings:
        if keras.config.backend() == "torch":
            import torch

            settings.enter_context(torch.no_grad())
        elif keras.config.backend() == "jax":
            import jax

            settings.enter_context(jax.default_matmul_precision("highest"))
        yield
