"""What the methods have in common that train weights of the base themselves instead of added factors.

Their adapter file holds the trained weights W, not W - W0: in float32, W0 + (W - W0) is not always W, and W0
would have to stay in memory during training. The tensors have the names and the axes of a Hugging Face
folder. The header has the shape of the model, so that a missing tensor is found without the base.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.family import GemmaShape, LayerSizes
from pipeline.families.registry import FAMILIES
from pipeline.formats.adapter_safetensors import AdapterSafetensors
from pipeline.formats.peft import PeftContent
from pipeline.gemma.causal_lm import shape_of
from pipeline.gemma.keras_weights import KerasWeight, keras_weights
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Deltas
from pipeline.tuning.merge import merge
from pipeline.tuning.method import Attachment, Change, Cost, MethodSettings
from pipeline.tuning.runtime_factors import RuntimeFactors

if TYPE_CHECKING:
    import keras_hub

Shapes = Mapping[str, tuple[int, ...]]
"""The shapes of tensors by their Hugging Face name."""

Tensors = Mapping[str, NDArray[np.float32]]
"""Tensors by their Hugging Face name."""

METHOD, SHAPE = "method", "shape"
"""The entries of the header."""

FLOAT32_BYTES = 4


class BaseWeightTuning:
    """A tuning method that trains some weights of the base.

    Args:
        name: the method's.
        title: its name for users of the app.
        changes_what: which weights, in words, for messages.
        trained: the shapes of the weights that it trains, from the shape of a model.
        in_peft: its tensors in PEFT's form; raises InputError if there is none.
        rate: the highest learning rate where a recipe sets none.
    """

    low_rank = False
    has_runtime_form = False
    format = "pocketgemma-weights-1"

    def __init__(
        self,
        name: str,
        title: str,
        changes_what: str,
        trained: Callable[[GemmaShape], Shapes],
        in_peft: Callable[[Tensors], PeftContent],
        rate: float,
    ) -> None:
        self.name, self.title = name, title
        self._changes_what, self._trained, self._in_peft = changes_what, trained, in_peft
        self._rate = rate

    def wrote(self, file: AdapterSafetensors) -> bool:
        return bool(file.settings.get(METHOD) == self.name)

    def check(self, file: AdapterSafetensors) -> None:
        try:
            shape = _read_shape(file.settings[SHAPE], at_most=len(file.tensors))
            expected = self._trained(shape)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InputError(
                f"{file.path}: damaged: its header lacks a usable {SHAPE}; copy it again, or train again"
            ) from None
        found = {name: tensor.shape for name, tensor in file.tensors.items()}
        problem = _difference(found, expected)
        if problem:
            raise InputError(f"{file.path}: {problem}; copy the file again, or train again")

    def attach(self, backbone: "keras_hub.models.Backbone", settings: MethodSettings) -> Attachment:
        backbone.trainable = True
        shape = shape_of(backbone)
        weights = {weight.tensor: weight for weight in keras_weights(backbone, shape)}
        if len(weights) != len(backbone.weights):
            raise PocketGemmaError(
                f"{type(backbone).__name__} has {len(backbone.weights)} weights, but only {len(weights)} "
                f"are known; use a method other than {self.name}"
            )
        trained = {name: weights[name] for name in self._trained(shape)}
        for name, weight in weights.items():
            weight.variable.trainable = name in trained
        other = next((name for name, each in trained.items() if each.variable.dtype != "float32"), None)
        if other:
            raise PocketGemmaError(
                f"{other} is stored as {trained[other].variable.dtype}, which would lose small updates; "
                "load the backbone with float32 variables"
            )
        header = {METHOD: self.name, SHAPE: shape_document(shape)}
        return Attachment(settings, trained, header=header)

    def collect(self, attachment: Attachment, base_digest: str) -> Adapter:
        """See the protocol; tensors share the memory of the backbone where that is possible."""
        weights: Mapping[str, KerasWeight] = attachment.layers
        tensors = {name: weight.read_all() for name, weight in weights.items()}
        return Adapter(self, base_digest, attachment.header, tensors)

    def apply(self, adapter: Adapter, backbone: "keras_hub.models.Backbone") -> None:
        merge(backbone, adapter)

    def changes(self, adapter: Adapter, backbone: "keras_hub.models.Backbone") -> Iterator[Change]:
        shape, tensors = shape_of(backbone), adapter.tensors
        problem = _difference({name: tensor.shape for name, tensor in tensors.items()}, self._trained(shape))
        if problem:
            raise InputError(f"the adapter belongs to another base: compared with this model, it {problem}")
        for weight in keras_weights(backbone, shape):
            if weight.tensor in tensors:
                yield _change(weight, tensors[weight.tensor])

    def deltas(self, adapter: Adapter) -> Deltas:
        raise InputError(
            f"{self.title} changes {self._changes_what}, but a graft writes only matrices; convert the whole "
            "merged model"
        )

    def formula(self, adapter: Adapter) -> str:
        return "the trained W"

    def runtime_factors(self, adapter: Adapter) -> RuntimeFactors:
        raise InputError(
            f"{self.title} changes {self._changes_what}, but the runtime accepts only low-rank adapters of "
            "attention matrices; set convert.adapters: merged"
        )

    def peft_content(self, adapter: Adapter) -> PeftContent:
        return self._in_peft(adapter.tensors)

    def cost(self, shape: GemmaShape, settings: MethodSettings) -> Cost:
        parameters = sum(map(math.prod, self._trained(shape).values()))
        return Cost(parameters, FLOAT32_BYTES * parameters)

    def learning_rate(self, settings: MethodSettings) -> float:
        return self._rate


def _change(weight: KerasWeight, tensor: NDArray[np.float32]) -> Change:
    return Change(
        weight.tensor,
        weight.variable,
        lambda: weight.as_variable(tensor - weight.read_all()),
        lambda: weight.as_variable(tensor),
    )


def _difference(found: Shapes, expected: Shapes) -> str:
    """What is wrong with a list of tensors, in words that follow its name; empty: nothing."""
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    if missing:
        return f"lacks {missing[0]}"
    if unknown:
        return f"has an unexpected tensor {unknown[0]}"
    for name, shape in expected.items():
        if found[name] != shape:
            return f"has {name} of shape {found[name]}, expected {shape}"
    return ""


def shape_document(shape: GemmaShape) -> dict[str, Any]:
    """The shape of a model in JSON types."""
    plain = {field.name: getattr(shape, field.name) for field in fields(shape)}
    layers = [asdict(sizes) | {"lacks": sorted(sizes.lacks)} for sizes in shape.layer_sizes]
    return plain | {"family": shape.family.name, "layer_sizes": layers}


def _read_shape(document: Mapping[str, Any], *, at_most: int) -> GemmaShape:
    """The inverse of `shape_document`.

    Args:
        document: from a file.
        at_most: layers.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it is not such a document.
    """
    layers = tuple(
        LayerSizes(**{**sizes, "lacks": frozenset(sizes["lacks"])}) for sizes in document["layer_sizes"]
    )
    shape = GemmaShape(**{**document, "family": FAMILIES[document["family"]], "layer_sizes": layers})
    if not 0 < shape.layers <= at_most or len(layers) not in (0, shape.layers):
        raise ValueError("more layers than tensors")
    return shape
