"""What a Gemma family is: one record holds everything that differs from family to family."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.families.chat import ChatFormat
from pipeline.families.computation import Computation
from pipeline.families.terms import Terms

Form = Literal["keras", "transformers"]
"""A KerasHub preset or a Hugging Face folder."""

Layout = Literal["heads_out", "heads_in", "dense"]
"""Axes of a Keras kernel: (heads, in, head_dim), (heads, head_dim, out), or (in, out)."""


@dataclass(frozen=True)
class MatrixKind:
    """One of the matrices of a decoder layer, and what each library calls it.

    Attributes:
        name: in recipes and adapters.
        keras_layer: the EinsumDense layer in KerasHub's decoder block.
        hdf5_path: path of its kernel within a block of a KerasHub .weights.h5.
        module: the Hugging Face module within a layer.
        layout: axes of the Keras kernel.
        shape: (out, in) as functions of the model's shape.
        runtime_letter, runtime_word: how LiteRT-LM names it in the tensors of a run-time adapter; None if the
            runtime takes no adapter for it.
        gguf: llama.cpp's name within a block of a GGUF file.
    """

    name: str
    keras_layer: str
    hdf5_path: str
    module: str
    layout: Layout
    shape: Callable[["GemmaShape"], tuple[int, int]]
    runtime_letter: str | None = None
    runtime_word: str | None = None
    gguf: str = ""

    @property
    def runtime_adapter(self) -> bool:
        """Whether the runtime takes a run-time adapter for it."""
        return self.runtime_letter is not None

    @property
    def input_axes(self) -> tuple[int, ...]:
        """The axes of the Keras kernel that are the matrix's columns; the others are its rows."""
        return {"heads_out": (1,), "heads_in": (0, 1), "dense": (0,)}[self.layout]

    def kernel_shape(self, shape: "GemmaShape") -> tuple[int, ...]:
        """The shape of the Keras kernel in a model of a shape; axes as `layout` says."""
        rows, columns = self.shape(shape)
        if self.layout == "heads_out":
            return rows // shape.head_dim, columns, shape.head_dim
        if self.layout == "heads_in":
            return columns // shape.head_dim, shape.head_dim, rows
        return columns, rows

    def as_matrix(self, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
        """A Keras kernel, or a LoRA delta in its shape, as the matrix that Hugging Face and LiteRT hold.

        Args:
            kernel: axes as `layout` says.

        Returns:
            (out, in); may be a view.
        """
        if self.layout == "heads_out":
            return kernel.transpose(0, 2, 1).reshape(-1, kernel.shape[1])
        if self.layout == "heads_in":
            return kernel.transpose(2, 0, 1).reshape(kernel.shape[2], -1)
        return kernel.T

    def as_kernel(self, matrix: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The inverse of `as_matrix`.

        Args:
            matrix: (out, in).
            shape: of the kernel.
        """
        if self.layout == "heads_out":
            heads, inputs, head_dim = shape
            return matrix.reshape(heads, head_dim, inputs).transpose(0, 2, 1)
        if self.layout == "heads_in":
            return matrix.T.reshape(shape)
        return matrix.T


@dataclass(frozen=True)
class NormKind:
    """One of the norms of a decoder layer, and what each library calls it.

    Attributes:
        keras_layer: the normalization layer in KerasHub's decoder block.
        module: the Hugging Face module within a layer.
        gguf: llama.cpp's name within a block of a GGUF file.
        per_head: whether it normalizes a head instead of the residual stream.
    """

    keras_layer: str
    module: str
    gguf: str
    per_head: bool = False

    def size(self, shape: "GemmaShape") -> int:
        """Number of its scales in a layer of this shape."""
        return shape.head_dim if self.per_head else shape.hidden


@dataclass(frozen=True)
class OtherMatrix:
    """A matrix that belongs to no layer: the token embedding, and what a family has beside it.

    Attributes:
        tensor: its Hugging Face name.
        keras_layer: the layer in KerasHub's backbone.
        hdf5_path: its path in a KerasHub .weights.h5.
        shape: (out, in) as a function of the model's shape.
        lookup: whether it is a table of which each token takes a row; otherwise it is a Dense kernel, (in,
            out).
    """

    tensor: str
    keras_layer: str
    hdf5_path: str
    shape: Callable[["GemmaShape"], tuple[int, int]]
    lookup: bool

    @property
    def keras_variable(self) -> str:
        """The variable of the Keras layer."""
        return "embeddings" if self.lookup else "kernel"

    def as_matrix(self, variable: NDArray[np.float32]) -> NDArray[np.float32]:
        """The Keras variable as (out, in); may be a view."""
        return variable if self.lookup else variable.T

    def as_variable(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inverse of `as_matrix`."""
        return matrix if self.lookup else matrix.T


@dataclass(frozen=True)
class OtherNorm:
    """A norm that belongs to no layer.

    Attributes:
        tensor: its Hugging Face name.
        keras_layer: the layer in KerasHub's backbone.
        size: number of its scales as a function of the model's shape.
    """

    tensor: str
    keras_layer: str
    size: Callable[["GemmaShape"], int]


@dataclass(frozen=True)
class LayerSizes:
    """What one decoder layer has, where the layers of a family differ.

    Attributes:
        head_dim: width of a head.
        ffn: width of the gated feed-forward layer.
        lacks: matrices (by name) and norms (by Keras layer) that the layer does not have.
    """

    head_dim: int
    ffn: int
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class GgufForm:
    """How llama.cpp writes a family into a GGUF file.

    Attributes:
        architecture: value of general.architecture, and prefix of the family's own keys.
        norm_offset: what llama.cpp adds to the scales of norms.
        config: the Hugging Face config.json without model_type and vocab_size, from the file and its
            metadata.
    """

    architecture: str
    norm_offset: float
    config: Callable[[Path, Mapping[str, Any]], dict[str, Any]]


EMBEDDING_MATRIX = OtherMatrix(
    tensor="model.embed_tokens.weight",
    keras_layer="token_embedding",
    hdf5_path="layers/reversible_embedding/vars/0",
    shape=lambda shape: (shape.vocabulary, shape.hidden),
    lookup=True,
)
"""The tied token embedding of every family: also the projection onto the vocabulary."""

FINAL_NORM_KIND = OtherNorm("model.norm.weight", "final_normalization", lambda shape: shape.hidden)
"""The norm after the last layer of every family."""


@dataclass(frozen=True)
class Family:
    """A Gemma family.

    Attributes:
        name: short name, as manifests record it.
        keras_class: KerasHub's backbone class.
        model_types: values of model_type in a Hugging Face config.json.
        chat: its chat format.
        matrices: the matrices of a decoder layer, in the order in which a token meets them.
        norms: the norms of a decoder layer; none if its parameters do not follow from the shape.
        other_matrices: the matrices that belong to no layer, the token embedding first.
        other_norms: the norms that belong to no layer.
        scalars: single numbers of a layer, by their name in both libraries.
        read_keras: reads the shape from the `config` object of a KerasHub preset; gets the file for error
            messages.
        read_transformers: the same from a Hugging Face config.json.
        text_defaults: keys that a multimodal Hugging Face configuration leaves out, and their values.
        as_keras_reads: the keys of a Hugging Face text configuration in the form that KerasHub reads.
        caps_scores: whether attention scores pass through a tanh.
        calls_layers: whether KerasHub calls the layers of all matrices; False: it multiplies by some kernels
            itself.
        computation: what KerasHub computes whatever a Hugging Face configuration says; None: not checked.
        keras_config: the arguments of a KerasHub backbone, from the keys of a Hugging Face text
            configuration; None: KerasHub reads such a folder itself.
        text_class: the class of its text model in transformers.
        transformers_config: the Hugging Face config.json of a KerasHub backbone, from its `config`, without
            the ids of control tokens; None while the family is refused.
        is_variant: for families that share a KerasHub class: whether a `config` object is this family's.
        variant_of: name of the family with the same configuration, from which the tokenizer tells this one.
        own_tokens: tokens that only this family's tokenizer has, if it is a variant.
        refusal: that the pipeline does not take this family, and what to use instead, as an error message
            without the path; None if it does.
        presets: KerasHub's short names of the presets that the pipeline takes, and their addresses.
        example: which of `presets` messages suggest; example_text: which one they suggest instead of a preset
            with a vision tower.
        gguf: how GGUF files hold it; None: they are not read.
        terms: of the weights that Google publishes; None: Apache License 2.0.
    """

    name: str
    keras_class: str
    model_types: tuple[str, ...]
    chat: ChatFormat
    matrices: tuple[MatrixKind, ...]
    norms: tuple[NormKind, ...]
    read_keras: Callable[[Path, dict[str, Any]], "GemmaShape"]
    read_transformers: Callable[[Path, dict[str, Any]], "GemmaShape"]
    other_matrices: tuple[OtherMatrix, ...] = (EMBEDDING_MATRIX,)
    other_norms: tuple[OtherNorm, ...] = (FINAL_NORM_KIND,)
    scalars: tuple[str, ...] = ()
    text_defaults: Mapping[str, Any] = field(default_factory=dict)
    as_keras_reads: Callable[[dict[str, Any]], dict[str, Any]] = lambda text: text
    caps_scores: bool = False
    calls_layers: bool = True
    computation: Computation | None = None
    keras_config: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    text_class: str = ""
    transformers_config: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    is_variant: Callable[[dict[str, Any]], bool] = lambda config: True
    variant_of: str | None = None
    own_tokens: tuple[str, ...] = ()
    refusal: str | None = None
    presets: Mapping[str, str] = field(default_factory=dict)
    example: str = ""
    example_text: str = ""
    gguf: GgufForm | None = None
    terms: Terms | None = None

    @property
    def keras_model(self) -> str:
        """KerasHub's class of the causal language model on the backbone."""
        return self.keras_class.removesuffix("Backbone") + "CausalLM"

    def __repr__(self) -> str:
        return f"Family({self.name!r})"


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
        layer_sizes: of each layer, where they differ; empty: all layers have the sizes above.
        layer_input: width of the vector that each layer gets from a token beside the residual stream; 0: it
            gets none.
        layer_vocabulary: rows of the table with these vectors.
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
    layer_sizes: tuple[LayerSizes, ...] = ()
    layer_input: int = 0
    layer_vocabulary: int = 0

    def in_layer(self, layer: int) -> "GemmaShape":
        """The shape with the sizes of one layer."""
        if not self.layer_sizes:
            return self
        own = self.layer_sizes[layer]
        return replace(self, head_dim=own.head_dim, ffn=own.ffn, layer_sizes=())

    def _has(self, layer: int, name: str) -> bool:
        return not self.layer_sizes or name not in self.layer_sizes[layer].lacks

    def matrices_in(self, layer: int) -> list[MatrixKind]:
        """The matrices that a layer has."""
        return [matrix for matrix in self.family.matrices if self._has(layer, matrix.name)]

    def norms_in(self, layer: int) -> list[NormKind]:
        """The norms that a layer has."""
        return [norm for norm in self.family.norms if self._has(layer, norm.keras_layer)]

    @property
    def other_parameters(self) -> int:
        """Number of parameters in the whole decoder that belong to no matrix: norm scales and scalars.

        Raises:
            ValueError: they do not follow from this shape.
        """
        if not self.family.norms:
            raise ValueError(f"the parameters of {self.family.name} do not follow from this shape")
        in_layers = sum(
            norm.size(self.in_layer(layer)) for layer in range(self.layers) for norm in self.norms_in(layer)
        )
        others = sum(norm.size(self) for norm in self.family.other_norms)
        return in_layers + others + self.layers * len(self.family.scalars)

    @property
    def parameters(self) -> int:
        """Parameters of the text decoder, its tied embedding counted once.

        Raises:
            ValueError: they do not follow from this shape.
        """
        in_layers = sum(
            math.prod(matrix.shape(self.in_layer(layer)))
            for layer in range(self.layers)
            for matrix in self.matrices_in(layer)
        )
        others = sum(math.prod(matrix.shape(self)) for matrix in self.family.other_matrices)
        return others + in_layers + self.other_parameters

    def __str__(self) -> str:
        return (
            f"{self.family.name}: {self.layers} layers, hidden size {self.hidden}, {self.query_heads} query "
            f"and {self.kv_heads} key/value "
            f"heads of {self.head_dim}, feed-forward {self.ffn}, vocabulary {self.vocabulary:,}"
        )
