"""What a tuning method is: the protocol that each file in `methods/` implements, and the values that it takes
and returns.

Everything else in the pipeline asks the method of an adapter: training, evaluation, merging, grafting, the
export for the runtime and for PEFT. Importing a method loads neither Keras nor PyTorch; only the functions
that get a backbone use Keras.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.families.family import GemmaShape
from pipeline.formats.adapter_safetensors import AdapterSafetensors
from pipeline.formats.lora_scale import CLASSIC
from pipeline.formats.peft import PeftContent
from pipeline.tuning.deltas import Deltas
from pipeline.tuning.runtime_factors import RuntimeFactors

if TYPE_CHECKING:
    import keras_hub

    from pipeline.tuning.adapter import Adapter


@dataclass(frozen=True)
class MethodSettings:
    """What a recipe decides about a method; a method ignores what it does not use.

    Attributes:
        rank: of low-rank factors.
        alpha: the numerator of their scale.
        targets: short names of the matrices to adapt.
        recipe: quantization recipe to train for, a name in SCHEMES.
        scaling: how their scale follows from alpha and rank, a name in DIVISORS.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    recipe: str = ""
    scaling: str = CLASSIC


@dataclass(frozen=True)
class Attachment:
    """A method attached to a backbone, ready for training.

    Attributes:
        settings: as given to `attach`.
        layers: what is trained, by name: the adapted layers, such as `decoder_block_0.query`, or weights of
            the base.
        constants: tensors that belong in the adapter file but are not trained, by their name in the file;
            float32.
        header: what the adapter file's header says of the model, in JSON types.
    """

    settings: MethodSettings
    layers: Mapping[str, Any]
    constants: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)


class Change(NamedTuple):
    """What an adapter adds to one variable of a backbone.

    Attributes:
        name: of the matrix, such as `decoder_block_0.query`, or the Hugging Face name of any weight.
        variable: the Keras variable that holds W0.
        delta: computes W - W0 in the variable's shape, float32.
        trained: gives W itself where the adapter stores it, in the variable's shape, float32; None: W is
            W0 + delta.
    """

    name: str
    variable: Any
    delta: Callable[[], NDArray[np.float32]]
    trained: Callable[[], NDArray[np.float32]] | None = None


class Cost(NamedTuple):
    """What training with a method takes.

    Attributes:
        parameters: how many are trained.
        adapter_bytes: size of the tensors in the adapter file.
    """

    parameters: int
    adapter_bytes: int


@runtime_checkable
class ContinuesTraining(Protocol):
    """A method that can start from an earlier adapter of its own."""

    def restore(self, adapter: "Adapter", attachment: Attachment) -> None:
        """Set what is trained to the values of an adapter.

        Args:
            adapter: one of this method's.
            attachment: as `attach` returned it for the settings of the adapter.

        Raises:
            InputError: the adapter belongs to another base.
        """
        ...


class Method(Protocol):
    """A tuning method.

    Attributes:
        name: the method's, equal to the name of its module.
        title: its name for users of the app.
        low_rank: whether it trains low-rank factors beside frozen matrices: rank, alpha and targets apply,
            and nothing but matrices changes. Otherwise it trains weights of the base, as float32.
        has_runtime_form: whether `runtime_factors` can succeed, so that the adapter can stay a separate file.
        format: what its adapter files declare in their header.
    """

    name: str
    title: str
    low_rank: bool
    has_runtime_form: bool
    format: str

    def wrote(self, file: AdapterSafetensors) -> bool:
        """Whether an adapter file of this format is this method's."""
        ...

    def check(self, file: AdapterSafetensors) -> None:
        """Check the header and the list of tensors of one of its adapter files.

        Raises:
            InputError: a tensor is missing or unknown, or the header does not fit.
        """
        ...

    def attach(self, backbone: "keras_hub.models.Backbone", settings: MethodSettings) -> Attachment:
        """Freeze a backbone but for what this method trains.

        Raises:
            PocketGemmaError: the method does not fit this backbone.
        """
        ...

    def collect(self, attachment: Attachment, base_digest: str) -> "Adapter":
        """Take the trained tensors out of a backbone.

        Args:
            attachment: as `attach` returned it.
            base_digest: digest of the preset that the backbone was loaded from.
        """
        ...

    def apply(self, adapter: "Adapter", backbone: "keras_hub.models.Backbone") -> None:
        """Make a freshly loaded backbone compute as it did at the end of training.

        Raises:
            InputError: the adapter belongs to another base.
        """
        ...

    def changes(self, adapter: "Adapter", backbone: "keras_hub.models.Backbone") -> Iterator[Change]:
        """All variables that merging changes. No other variable may differ between a base and its merged
        model.

        Args:
            adapter: one of this method's.
            backbone: a base or a merged model, float32, without this method attached.

        Raises:
            InputError: the adapter belongs to another base, or the method cannot be merged.
        """
        ...

    def deltas(self, adapter: "Adapter") -> Deltas:
        """The same changes by Hugging Face name and row by row: bit for bit what `changes` adds.

        Raises:
            InputError: the method changes more than matrices.
        """
        ...

    def formula(self, adapter: "Adapter") -> str:
        """What a merged matrix equals, for messages."""
        ...

    def runtime_factors(self, adapter: "Adapter") -> RuntimeFactors:
        """The adapter in the form of the runtime's own adapters.

        Raises:
            InputError: the runtime has no form for it.
        """
        ...

    def peft_content(self, adapter: "Adapter") -> PeftContent:
        """The adapter in PEFT's form.

        Raises:
            InputError: PEFT has no form for it.
        """
        ...

    def cost(self, shape: GemmaShape, settings: MethodSettings) -> Cost:
        """What training takes, before anything is loaded."""
        ...

    def learning_rate(self, settings: MethodSettings) -> float:
        """The highest learning rate of a training whose recipe sets none."""
        ...
