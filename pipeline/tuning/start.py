"""Training that starts from an earlier adapter: which file it is, whether it fits, and what it decides.

The adapter stays relative to its base: its A and B are the initial values of the training, so that the result
is merged once, like any other. Rank, alpha, scaling and targets are those of the adapter.
"""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.family import GemmaShape
from pipeline.families.names import MATRICES, TARGETS, adapter_name, parse_hugging_face_name
from pipeline.formats.lora_scale import CLASSIC, DIVISORS
from pipeline.formats.peft import CONFIG, WEIGHTS, LoraPair, PeftAdapter, read_peft_folder
from pipeline.run.files import RunFiles
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import find_adapter, load_adapter, read_checked
from pipeline.tuning.method import Attachment, ContinuesTraining, Method, MethodSettings
from pipeline.tuning.methods.dora import METHOD as DORA
from pipeline.tuning.methods.dora import magnitude_shape, with_magnitudes
from pipeline.tuning.methods.lora import METHOD as LORA
from pipeline.tuning.methods.lora import LoraFactors
from pipeline.tuning.peft import read_peft
from pipeline.tuning.registry import method_of
from pipeline.tuning.runtime_factors import Factors
from pipeline.tuning.targets import adapted_kernels

KEY = "finetune.start"

LABEL = "start"
"""What a manifest calls the file of an adapter to start from, or the folder of its files."""

START_WEIGHTS = (LABEL, f"{LABEL}/{WEIGHTS}")
"""The labels of the file with the weights: of our adapters, and of PEFT's."""


@dataclass(frozen=True)
class Start:
    """The files of an adapter to start from.

    Attributes:
        folder: that they are in.
        own: the adapter.safetensors; None: it is a PEFT adapter's folder.
        method: its tuning method.
        settings: what this method records in the header of our files.
    """

    folder: Path
    own: Path | None
    method: Method
    settings: Mapping[str, Any]

    @property
    def files(self) -> dict[str, Path]:
        """Its files by labels that are the same on every machine."""
        if self.own:
            return {LABEL: self.own}
        return {f"{LABEL}/{name}": self.folder / name for name in (CONFIG, WEIGHTS)}

    def __str__(self) -> str:
        return str(self.own or self.folder)


def find_start(path: Path) -> Start:
    """Find the adapter that a path means, and read its header.

    Args:
        path: an adapter.safetensors, the finetune or run folder that holds it, or a PEFT adapter's folder.

    Raises:
        InputError: no adapter there, a damaged one, or PEFT's of several ranks.
    """
    finetuned = RunFiles(path).finetune.adapter
    folder, own = find_adapter(finetuned if finetuned.is_file() else path)
    if own is None:
        peft = read_peft_folder(folder)
        method = DORA if any(pair.magnitude for pair in peft.pairs().values()) else LORA
        return Start(folder, own, method, _peft_settings(peft))
    file = read_checked(own)
    return Start(folder, own, method_of(file), file.settings)


def read_start(start: Start, shape: GemmaShape, base_digest: str) -> Adapter:
    """Read an adapter to start from.

    Args:
        start: where it is.
        shape: of the base.
        base_digest: of the base.

    Raises:
        InputError: it is damaged, belongs to another base, or has no exact form in our method.
    """
    adapter = load_adapter(start.own) if start.own else _read_peft(start, shape, base_digest)
    if adapter.base_digest != base_digest:
        raise InputError(
            f"{KEY}: {start}: trained on another base; set model.preset to its base, or start from an "
            "adapter of this one"
        )
    return adapter


def settings_of(
    start: Start, method: Method, settings: MethodSettings, explicit: Collection[str]
) -> MethodSettings:
    """The settings of the method: those of the adapter.

    Args:
        start: the adapter.
        method: of the recipe.
        settings: of the recipe.
        explicit: the names of those that the recipe writes out.

    Raises:
        InputError: the recipe has another method or writes out another value, or trains for another
            quantization recipe; or the method does not continue.
    """
    if not isinstance(start.method, ContinuesTraining):
        raise InputError(
            f"{KEY}: {start}: trained with the method {start.method.name}, which cannot be continued; set "
            "model.preset to the merged folder of its run"
        )
    if start.method.name != method.name:
        raise InputError(
            f"{KEY}: {start}: trained with the method {start.method.name}, but the recipe uses "
            f"{method.name}; set finetune.method: {start.method.name}"
        )
    taken: dict[str, Any] = {}
    for field in fields(settings):
        wanted = getattr(settings, field.name)
        found = start.settings.get(field.name, wanted if field.default is MISSING else field.default)
        taken[field.name] = tuple(sorted(found, key=TARGETS.index)) if field.name == "targets" else found
        same = _comparable(taken[field.name]) == _comparable(wanted)
        if field.name == "recipe" and not same:
            raise InputError(
                f"{KEY}: {start}: trained for convert.recipe: {found}, not {wanted}; set it to {found}"
            )
        if field.name in explicit and not same:
            raise InputError(
                f"{KEY}: {start}: has {field.name} {_shown(taken[field.name])}, but the recipe "
                f"says {_shown(wanted)}; remove finetune.{field.name}"
            )
    return replace(settings, **taken)


def start_line(start: Start, settings: MethodSettings) -> str:
    """What training starts from, for users."""
    scaling = f", {settings.scaling.replace('_', '-')} scaling" if settings.scaling != CLASSIC else ""
    line = (
        f"starts from {start}: rank {settings.rank}, alpha {settings.alpha:g}{scaling}, "
        f"{', '.join(settings.targets)}"
    )
    if start.own:
        return line
    declared = read_peft_folder(start.folder).config.get("base_model_name_or_path") or "no base"
    return f"{line}; PEFT's configuration declares {declared}, only the shapes are compared"


def start_from(start: Start, adapter: Adapter, attachment: Attachment) -> None:
    """Set what is trained to the values of an adapter.

    Args:
        start: where the adapter is.
        adapter: of the method that is attached.
        attachment: of the method to a fresh backbone, with the settings of the adapter.

    Raises:
        InputError: the adapter has other matrices than the model.
        PocketGemmaError: the model does not compute with exactly this adapter afterwards.
    """
    method = adapter.method
    assert isinstance(method, ContinuesTraining)
    method.restore(adapter, attachment)
    taken = method.collect(attachment, adapter.base_digest).tensors
    other = sorted(
        name
        for name in {*taken, *adapter.tensors}
        if name not in taken
        or name not in adapter.tensors
        or not np.array_equal(taken[name], adapter.tensors[name])
    )
    if other:
        raise PocketGemmaError(
            f"{KEY}: {start}: {other[0]} differs when training starts; use the finetune.dtype and the "
            "method that it was trained with"
        )


def _peft_settings(peft: PeftAdapter) -> dict[str, Any]:
    """Rank, alpha, scaling and targets of a PEFT adapter.

    Raises:
        InputError: they are not the same for all matrices.
    """
    pairs, scaling = peft.pairs(), peft.scaling
    names = [parse_hugging_face_name(name) for name in pairs]
    ranks = {(pair.a.shape[0], pair.scale) for pair in pairs.values()}
    if len(ranks) > 1 or None in names:
        raise InputError(
            f"{peft.folder}: has matrices of different ranks or scales, or outside the decoder layers; it "
            "cannot be continued: merge it into its base, and set model.preset to the merged folder"
        )
    ((rank, scale),) = ranks
    adapted = {name[1] for name in names if name}
    return {
        "rank": rank,
        "alpha": scale * DIVISORS[scaling](rank),
        "scaling": scaling,
        "targets": [each for each in TARGETS if each in adapted],
    }


def _read_peft(start: Start, shape: GemmaShape, base_digest: str) -> Adapter:
    """A PEFT adapter in the form of PocketGemma, exactly.

    PEFT has one A (r, in) for all heads of a query, key or value matrix and a B (out, r) with rows for each
    head. Ours has an A for each head and one B, so only a matrix of one head has the same form.

    Raises:
        InputError: it has no exact form here, or does not fit the base.
    """
    folder = start.folder
    rank, alpha, targets, scaling = (start.settings[key] for key in ("rank", "alpha", "targets", "scaling"))
    read_peft(folder)  # It checks the values.
    pairs = {parse_hugging_face_name(name): pair for name, pair in read_peft_folder(folder).pairs().items()}
    named = {adapter_name(*key): (key[1], pair) for key, pair in pairs.items() if key}
    kernels = dict(adapted_kernels(shape, MethodSettings(rank, alpha, tuple(targets))))
    if different := sorted(kernels.keys() ^ named.keys()):
        raise InputError(
            f"{KEY}: {folder}: {different[0]} is only in the adapter or only in the base; a target must be "
            "adapted in every layer"
        )
    factors = {name: _as_ours(folder, target, pair, kernels[name]) for name, (target, pair) in named.items()}
    adapter = LoraFactors(rank, alpha, tuple(targets), factors, scaling).adapter(base_digest)
    magnitudes = {
        name: pair.magnitude.read_all().reshape(magnitude_shape(name, kernels[name]))
        for name, (_, pair) in named.items()
        if pair.magnitude
    }
    return with_magnitudes(adapter, magnitudes) if magnitudes else adapter


def _as_ours(folder: Path, target: str, pair: LoraPair, kernel: tuple[int, ...]) -> Factors:
    """A and B of a matrix in the shape of its Keras kernel."""
    heads_out = MATRICES[target].layout == "heads_out"
    if heads_out and kernel[0] > 1:
        raise InputError(
            f"{KEY}: {folder}: adapts {MATRICES[target].module}, whose heads share one A in PEFT and one B "
            "here, so it cannot be continued exactly; merge it into its base, and set model.preset to the "
            "merged folder"
        )
    (rank, inputs), outputs = pair.a.shape, pair.b.shape[0]
    expected = (kernel[1], kernel[2]) if heads_out else (int(np.prod(kernel[:-1])), kernel[-1])
    if (inputs, outputs) != expected:
        raise InputError(
            f"{KEY}: {folder}: {target} maps {inputs} values to {outputs}, but in this base {expected[0]} to "
            f"{expected[1]}; the adapter belongs to another base"
        )
    a, b = (np.ascontiguousarray(tensor.read_all().T) for tensor in (pair.a, pair.b))
    return a.reshape(*kernel[:-1], rank), b


def _comparable(value: Any) -> Any:
    return frozenset(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    return (
        ", ".join(value)
        if isinstance(value, tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
