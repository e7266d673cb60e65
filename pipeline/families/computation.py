"""What a Hugging Face configuration says about the computation, apart from sizes.

KerasHub builds a family with fixed choices, such as the bases of rotary embeddings, and takes no notice of a
configuration that asks for others. Such a model would load, train, and answer nonsense.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.families.config import is_positive

CHECKED: Mapping[str, Any] = {
    "hidden_activation": "gelu_pytorch_tanh",
    "attention_bias": False,
    "tie_word_embeddings": True,
    "use_bidirectional_attention": False,
}
"""Keys with one value in all families; a key that is left out or null has this value."""

POSITIVE = ("rms_norm_eps", "attn_logit_softcapping", "final_logit_softcapping")
"""Keys with a number above 0, where they are set."""

PATTERNS = ("sliding_window_pattern", "_sliding_window_pattern")
"""Keys of older configurations: one layer in this many sees the whole context. KerasHub reads neither;
transformers does, unless layer_types is set."""

GLOBAL, LOCAL = "full_attention", "sliding_attention"


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
        query_scalar_of_hidden: whether it may instead be the hidden size over the number of heads; KerasHub
            takes that for any other number than the width of a head.
    """

    rope_base: float | None = None
    local_rope_base: float | None = None
    rope_types: tuple[str, ...] = ("default",)
    global_rope_types: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    global_every: int | None = None
    may_be_global: bool = False
    query_scalar: bool = False
    query_scalar_of_hidden: bool = False

    def difference(self, text: Mapping[str, Any]) -> str | None:
        """The first key of a text configuration that KerasHub would not follow, as "key is …, expected …".

        Returns:
            None if KerasHub follows all.
        """
        for key, value in {**CHECKED, **self.values}.items():
            found = text.get(key)
            if found is not None and found != value:
                return f"{key} is {found!r}, expected {value!r}"
        for key in POSITIVE:
            found = text.get(key)
            if found is not None and not is_positive(found):
                return f"{key} is {found!r:.60}, expected a number above 0"
        return self._query(text) or self._window(text) or self._layers(text) or self._rope(text)

    def _query(self, text: Mapping[str, Any]) -> str | None:
        scalar, head_dim = text.get("query_pre_attn_scalar"), text.get("head_dim")
        if scalar is None or scalar == head_dim or not (self.query_scalar or self.query_scalar_of_hidden):
            return None
        expected = f"{head_dim!r} (head_dim)"
        hidden, heads = text.get("hidden_size"), text.get("num_attention_heads")
        if self.query_scalar_of_hidden and isinstance(hidden, int) and isinstance(heads, int) and heads:
            if scalar == hidden // heads:
                return None
            expected += f" or {hidden // heads} (hidden_size / num_attention_heads)"
        return f"query_pre_attn_scalar is {scalar!r:.60}, expected {expected}"

    def _window(self, text: Mapping[str, Any]) -> str | None:
        window, kinds = text.get("sliding_window"), text.get("layer_types")
        if window is None:
            everywhere = self.may_be_global and isinstance(kinds, list) and LOCAL not in kinds
            if self.global_every is None or everywhere:
                return None
        if not isinstance(window, int) or isinstance(window, bool) or window < 1:
            found = "missing" if window is None else f"{window!r:.60}"
            return f"sliding_window is {found}, expected a whole number, 1 or more"
        return None

    def _layers(self, text: Mapping[str, Any]) -> str | None:
        kinds, every, layers = text.get("layer_types"), self.global_every, text.get("num_hidden_layers")
        if kinds is not None and not isinstance(kinds, list):
            return f"layer_types is {kinds!r:.60}, expected a list"
        if kinds and layers is not None and len(kinds) != layers:
            return f"layer_types has {len(kinds)} entries, expected {layers!r} (num_hidden_layers)"
        if every is None:
            return None
        if not kinds:
            patterns = [key for key in PATTERNS if text.get(key) not in (None, every)]
            return f"{patterns[0]} is {text[patterns[0]]!r:.60}, expected {every}" if patterns else None
        if self.may_be_global and all(kind == GLOBAL for kind in kinds):
            return None
        for layer, kind in enumerate(kinds):
            expected = LOCAL if (layer + 1) % every else GLOBAL
            if kind != expected:
                return f"layer_types[{layer}] is {kind!r:.60}, expected {expected!r}"
        return None

    def _rope(self, text: Mapping[str, Any]) -> str | None:
        nested = text.get("rope_parameters") or {}
        per_kind = isinstance(nested, dict) and (GLOBAL in nested or LOCAL in nested)
        whole = (nested.get(GLOBAL) or {}) if per_kind else nested
        local = (nested.get(LOCAL) or {}) if per_kind else {}
        older = text.get("rope_scaling") or {}
        parts = {
            "rope_scaling": older,
            f"rope_parameters.{GLOBAL}" if per_kind else "rope_parameters": whole,
            f"rope_parameters.{LOCAL}": local,
        }
        for key, part in parts.items():
            if not isinstance(part, dict):
                return f"{key} is {part!r:.60}, expected an object"
        bases = (
            ("rope_theta", text.get("rope_theta"), self.rope_base),
            ("rope_parameters.rope_theta", whole.get("rope_theta"), self.rope_base),
            ("rope_local_base_freq", text.get("rope_local_base_freq"), self.local_rope_base),
            ("rope_parameters.sliding_attention.rope_theta", local.get("rope_theta"), self.local_rope_base),
        )
        for key, found, expected in bases:
            if found is not None and expected is not None and found != expected:
                return f"{key} is {found!r:.60}, expected {expected!r}"
        of_global = self.global_rope_types or self.rope_types
        for key, scaling, allowed in (
            ("rope_scaling", older, self.rope_types),
            ("rope_parameters", whole, of_global),
            ("rope_parameters", local, self.rope_types),
        ):
            kind = scaling.get("rope_type", scaling.get("type", "default"))
            if kind not in allowed:
                return f"{key} has type {kind!r:.60}, expected {' or '.join(map(repr, allowed))}"
        for key, part in parts.items():
            factor, kind = part.get("factor"), part.get("rope_type", part.get("type", "default"))
            if factor is not None and not is_positive(factor):
                return f"{key}.factor is {factor!r:.60}, expected a number above 0"
            # KerasHub reads the factor, but not the type, and only of a kind of layer.
            if factor not in (None, 1) and (kind == "default" or key == "rope_parameters"):
                return f"{key}.factor is {factor!r}, expected 1.0 with the type {kind!r}"
        return None
