"""The `finetune` section."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipeline.families.names import (
    ALL_LINEAR,
    SHARED_TARGETS,
    TARGETS,
    last_module_names,
    targets_named,
)
from pipeline.formats.lora_scale import CLASSIC, DIVISORS
from pipeline.recipe.paths import FilePath
from pipeline.recipe.section import OneOf, Section, Share, sorted_by
from pipeline.tuning.learning_rate import REFERENCE_ALPHA, REFERENCE_RATE, low_rank_rate
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.micro_batches import SMALL_SHARE, TOKENS
from pipeline.tuning.registry import METHODS

LORA, QUANTIZATION_AWARE = "lora", "quantization_aware"
"""Names in METHODS: the default method, and the one that a key of its own selects too."""


LARGEST_SEED = 2**32 - 1
"""The largest that NumPy takes for all random numbers of a process."""


CHECKPOINT_KEYS = ("checkpoint_minutes", "checkpoint_steps")
"""Keys that change nothing about a training that is not stopped."""

OTHER_TARGETS = (ALL_LINEAR, *last_module_names()[1:])
"""What other tools call targets; without the embedding, which gets no adapter."""


def _in_our_names(value: Any) -> Any:
    """Targets by the names that other tools give them, in any case: a list of names, or names with commas."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        return value
    return [each for name in names for each in (_known(name) if isinstance(name, str) else (name,))]


def _known(name: str) -> tuple[str, ...]:
    lower = name.strip().lower()
    found = targets_named(ALL_LINEAR if lower.replace("_", "-") == ALL_LINEAR else lower)
    return found if set(found) <= {*TARGETS} else (name.strip(),)


class FinetuneSection(Section):
    """How the adapter is trained."""

    backend: Literal["auto", "jax", "torch", "tensorflow"] = Field(
        "auto", description="the Keras backend; `auto` chooses one for the machine"
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="the data type of the computation; `auto` is bfloat16 only if the processor supports it",
    )
    method: Annotated[str, OneOf.of(METHODS)] | None = Field(
        None,
        description="the tuning method; without a value, `quantization_aware` if that key is true, otherwise "
        "`lora`. `full` trains every weight, `norms` only the scales of the norms "
        "([how it works](how-it-works.md#training-weights-of-the-base))",
    )
    start: FilePath | None = Field(
        None,
        description="an earlier adapter of the same base, from which training starts: an "
        "`adapter.safetensors`, a finetune or run folder, or a PEFT adapter's folder; `rank`, `alpha`, "
        "`scaling` and `targets` are then those of the adapter",
    )
    rank: int = Field(
        16, ge=1, le=512, description="the rank of the matrices A and B: the size of the adapter"
    )
    alpha: float | None = Field(
        None,
        gt=0,
        description="the numerator of the scale of the adapter (`scaling`); without a value, the rank",
    )
    scaling: Annotated[str, OneOf.of(DIVISORS)] = Field(
        CLASSIC,
        description="the scale of the adapter: `classic` is alpha / rank (Hu et al. 2021, arXiv:2106.09685), "
        "`rank_stabilized` alpha / √rank, which keeps the effect of a step from falling with the rank "
        "(Kalajdzievski 2023, arXiv:2312.03732)",
    )
    targets: Annotated[
        tuple[Annotated[str, OneOf.of(TARGETS, OTHER_TARGETS)], ...],
        BeforeValidator(_in_our_names),
        sorted_by(TARGETS.index),
    ] = Field(
        SHARED_TARGETS,
        min_length=1,
        description="the matrices of each decoder layer that get an adapter; Hugging Face's names, such as "
        f"`{last_module_names()[1]}`, are accepted, also as comma-separated text; `{ALL_LINEAR}` stands for "
        f"{', '.join(SHARED_TARGETS)}",
    )
    dropout: Share = Field(
        0.0,
        description="the share of attention weights and of residual updates that is dropped in training, as "
        "in KerasHub's backbone",
    )
    quantization_aware: bool = Field(
        False,
        description="train the adapter with the merged matrices rounded as `convert.recipe` rounds them, so "
        "that training optimizes "
        "the quantized model",
    )
    quantize_base: Literal["int8", "int4"] | None = Field(
        None,
        description="store the frozen matrices of the decoder layers as integers while LoRA is trained "
        "(QLoRA), which takes less memory once the model is loaded; not for Gemma 4. The adapter is merged "
        "into the unrounded base",
    )
    rematerialize: bool = Field(
        False,
        description="recompute each decoder layer in the backward pass instead of storing its activations: "
        "less memory for long examples, but more time",
    )
    epochs: int = Field(3, ge=1, description="the maximum number of passes through the training examples")
    batch_size: int = Field(
        8, ge=1, description="the number of examples in one training step; at most all of them"
    )
    micro_batch_size: int | None = Field(
        None,
        ge=1,
        description="the maximum number of examples of a step that are computed at once; their gradients "
        "are accumulated. Fewer use less memory; without a value, all of a step; on a CPU, "
        f"a step of at least {2 * TOKENS:,} tokens is divided into parts of about {TOKENS:,}, unless more "
        f"than {SMALL_SHARE:.0%} of the parameters are trained",
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="the peak learning rate, at the end of the warmup; without a value, "
        f"{REFERENCE_RATE * REFERENCE_ALPHA:g} / (scale · rank), divided by `lora_plus_ratio`: "
        f"{low_rank_rate(16, 1):g} for rank 16 ([why](decisions/learning-rate.md)); `full` and `norms` have "
        "their own defaults",
    )
    lora_plus_ratio: float | None = Field(
        None,
        ge=1,
        description="the learning rate of the matrices B as a multiple of that of A, which is "
        "`learning_rate`: 16, for example (LoRA+: Hayou et al. 2024, arXiv:2402.12354); without a value, "
        "both have the same",
    )
    warmup_steps: int = Field(
        20,
        ge=0,
        description="the number of steps over which the learning rate rises; at most half of all steps",
    )
    final_learning_rate: float = Field(
        0.02,
        ge=0,
        le=1,
        description="the learning rate at the end of the cosine decay, as a share of `learning_rate`",
    )
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay")
    clip_norm: float = Field(
        1.0, gt=0, description="the maximum global norm of the gradients; larger ones are scaled down"
    )
    monitor: Literal["loss", "exact_match"] = Field(
        "loss",
        description="which validation result decides which epoch is kept: the loss, or the share of "
        "responses with every token correct (for short answers, where a few confident mistakes raise the "
        "loss while the answers improve)",
    )
    patience: int = Field(
        3, ge=1, description="training stops after this many epochs without a better validation result"
    )
    seed: int = Field(
        0,
        ge=0,
        le=LARGEST_SEED,
        description="the seed for the initial adapter, the order of the examples, the validation split and "
        "the replay mix",
    )

    checkpoint_minutes: float | None = Field(
        5,
        gt=0,
        description="the number of minutes between checkpoints, from which an interrupted training "
        "continues; null: only at the end of an epoch and when training is interrupted",
    )
    checkpoint_steps: int | None = Field(
        None, ge=1, description="the number of steps between additional checkpoints"
    )

    @property
    def tuning_method(self) -> str:
        """Name of the tuning method."""
        return self.method or (QUANTIZATION_AWARE if self.quantization_aware else LORA)

    def method_settings(self, recipe: str = "") -> MethodSettings:
        """What the section decides about the tuning method.

        Args:
            recipe: quantization recipe to train for; empty for none.
        """
        alpha = float(self.rank if self.alpha is None else self.alpha)
        return MethodSettings(self.rank, alpha, self.targets, recipe, self.scaling)

    @property
    def highest_learning_rate(self) -> float:
        """The learning rate after the warmup, that of A."""
        if self.learning_rate is not None:
            return self.learning_rate
        rate = METHODS[self.tuning_method].learning_rate(self.method_settings())
        return rate / (self.lora_plus_ratio or 1)

    @property
    def rounds_in_training(self) -> bool:
        """Whether training computes with the merged matrices as `convert.recipe` rounds them."""
        return self.tuning_method == QUANTIZATION_AWARE

    @property
    def explicit(self) -> set[str]:
        """The keys that the recipe gives a value."""
        return {key for key in self.model_fields_set if getattr(self, key) is not None}

    @property
    def determinants(self) -> dict[str, Any]:
        """The values that determine a training, in one form however the recipe writes them: a value that says
        the same as the absence of its key is absent. An adapter to start from counts by its digest."""
        implied = LORA if not self.rounds_in_training else QUANTIZATION_AWARE
        return self.model_dump(exclude={*CHECKPOINT_KEYS, "start"}) | {
            "method": None if self.tuning_method == implied else self.method,
            "quantization_aware": self.rounds_in_training,
            "alpha": None if self.alpha == self.rank else self.alpha,
            "learning_rate": self.highest_learning_rate,
        }
