"""What a Hugging Face configuration says about the computation, apart from sizes.

KerasHub builds a family with fixed choices, such as the bases of rotary embeddings, and takes no notice of a
configuration that asks for others. Such a model would load, train, and answer nonsense.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CHECKED: Mapping[str, Any] = {
    "hidden_activation": "gelu_pytorch_tanh",
    "attention_bias": False,
    "tie_word_embeddings": True,
    "use_bidirectional_attention": False,
}
"""Keys with one value in all families; a key that is left out or null has this value."""


@dataclass(frozen=True)
class Computation:
    """What KerasHub computes in a family.

    Attributes:
        rope_base: of rotary embeddings, in layers that see the whole context; None: any.
        local_rope_base: in layers with a sliding window, if it differs; None: any.
        rope_types: kinds of rotary embeddings.
        global_rope_types: the same in layers that see the whole context, if they differ.
        values: further keys of config.json and their only values; null counts as the value, and None as the
            only value means that the key must not be set.
        global_every: one layer in this many sees the whole context, the others have a sliding window; None:
            all see it.
        may_be_global: whether all layers may see the whole context instead.
        query_scalar: whether queries are always divided by the root of the width of a head.
    """

    rope_base: float | None = None
    local_rope_base: float | None = None
    rope_types: tuple[str, ...] = ("default",)
    global_rope_types: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    global_every: int | None = None
    may_be_global: bool = False
    query_scalar: bool = False

    def difference(self, text: Mapping[str, Any]) -> str | None:
        """The first key of a text configuration that KerasHub would not follow, as "key is …, expected …".

        Returns:
            None if KerasHub follows all.
        """
        for key, value in {**CHECKED, **self.values}.items():
            found = text.get(key)
            if found is not None and found != value:
                return f"{key} is {found!r}, expected {value!r}"
        scalar, head_dim = text.get("query_pre_attn_scalar"), text.get("head_dim")
        if self.query_scalar and scalar is not None and scalar != head_dim:
            return f"query_pre_attn_scalar is {scalar!r}, expected {head_dim!r} (head_dim)"
        return self._layers(text) or self._rope(text)

    def _layers(self, text: Mapping[str, Any]) -> str | None:
        kinds, every = text.get("layer_types"), self.global_every
        if not kinds or every is None or (self.may_be_global and set(kinds) == {"full_attention"}):
            return None
        for layer, kind in enumerate(kinds):
            expected = "sliding_attention" if (layer + 1) % every else "full_attention"
            if kind != expected:
                return f"layer_types[{layer}] is {kind!r}, expected {expected!r}"
        return None

    def _rope(self, text: Mapping[str, Any]) -> str | None:
        nested = text.get("rope_parameters") or {}
        per_kind = "full_attention" in nested or "sliding_attention" in nested
        whole = (nested.get("full_attention") or {}) if per_kind else nested
        local = (nested.get("sliding_attention") or {}) if per_kind else {}
        bases = (
            ("rope_theta", text.get("rope_theta"), self.rope_base),
            ("rope_parameters.rope_theta", whole.get("rope_theta"), self.rope_base),
            ("rope_local_base_freq", text.get("rope_local_base_freq"), self.local_rope_base),
            ("rope_parameters.sliding_attention.rope_theta", local.get("rope_theta"), self.local_rope_base),
        )
        for key, found, expected in bases:
            if found is not None and expected is not None and float(found) != expected:
                return f"{key} is {found!r}, expected {expected!r}"
        older, of_global = text.get("rope_scaling") or {}, self.global_rope_types or self.rope_types
        for key, scaling, allowed in (
            ("rope_scaling", older, self.rope_types),
            ("rope_parameters", whole, of_global),
            ("rope_parameters", local, self.rope_types),
        ):
            kind = scaling.get("rope_type", scaling.get("type", "default"))
            if kind not in allowed:
                return f"{key} has type {kind!r}, expected {' or '.join(map(repr, allowed))}"
        return None
