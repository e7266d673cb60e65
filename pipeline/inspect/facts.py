"""What is told of a file. `Report.document` is what `pocketgemma inspect --json` prints; docs/litert.md says what the keys mean."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FORMAT = 1
"""Of the JSON document: raised when a key changes its meaning or goes."""

Kind = Literal["litertlm", "task", "tflite", "adapter", "apk"]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a signature, or a tensor of an adapter; dtype is the schema's name, such as FLOAT32."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Signature:
    """A function that the runtime can call."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Matrix:
    """A constant that the model computes with.

    Attributes:
        name: Hugging Face's name where the tensor's own name tells it, else the tensor's own.
        tensor: the name of its tensor in the file.
        shape: as stored; a matrix is (out, in).
        dtype: INT8, INT4, FLOAT16, …
        scales: what shares a scale: row, column, block, tensor; none for floats.
        block: how many neighbours of a row share one, with scales "block".
        begin: where its values begin, in bytes from the start of the .tflite; None when they lie outside it.
        bytes: of its values.
        scale_bytes: of its scales.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    scales: Literal["row", "column", "block", "tensor", "none"]
    block: int | None
    begin: int | None
    bytes: int
    scale_bytes: int


@dataclass(frozen=True)
class Total:
    """All matrices of one element type."""

    dtype: str
    matrices: int
    bytes: int
    scale_bytes: int


@dataclass(frozen=True)
class Model:
    """A .tflite.

    Attributes:
        name: what it is for, by the bundle's word; "model" for the only one.
        bytes: its size.
        kv_cache_bytes: of one KV cache, by the decode signature's inputs.
        context_length: length of the attention mask, in tokens; None where no mask is an input.
        lora_rank: of the LoRA tensors that are inputs; None when there are none.
    """

    name: str
    bytes: int
    signatures: tuple[Signature, ...]
    matrices: tuple[Matrix, ...]
    totals: tuple[Total, ...]
    prefill_lengths: tuple[int, ...]
    context_length: int | None
    kv_cache_bytes: int
    lora_rank: int | None


@dataclass(frozen=True)
class MemoryCost:
    """Bytes that an open model takes, by what they are for; see `pipeline.litert.memory_estimate`.

    Attributes:
        weights: the model's file, packed anew by the runtime and mapped: pages that the system can drop and read again.
        kv_cache: of one conversation.
        context_length: of the KV cache, in tokens.
        prefill: what lives between operations at most, by prefill length; the largest counts.
        tokenizer: of the open tokenizer.
        runtime: of the runtime itself.
        total: all of it, while the model answers.
        first_opening: besides, the first time that a model is opened and its weights are packed.
    """

    weights: int
    kv_cache: int
    context_length: int
    prefill: dict[int, int]
    tokenizer: int
    runtime: int
    total: int
    first_opening: int


@dataclass(frozen=True)
class Token:
    """A start or stop token: its ids, and their text by the tokenizer."""

    ids: tuple[int, ...]
    text: str | None


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer; vocabulary is its number of pieces, None when it cannot be read."""

    kind: str
    bytes: int
    vocabulary: int | None


@dataclass(frozen=True)
class Section:
    """A part of a container; offsets in bytes from the container's start."""

    kind: str
    begin: int
    end: int
    bytes: int
    items: dict[str, str]


@dataclass(frozen=True)
class Turn:
    """What a .task puts before and after a turn."""

    prefix: str
    suffix: str


@dataclass(frozen=True)
class Sampler:
    """The sampler that an app uses unless told otherwise."""

    type: str
    k: int
    p: float
    temperature: float
    seed: int | None


@dataclass(frozen=True)
class Adapter:
    """LoRA tensors in a file of their own.

    Attributes:
        form: runtime (a .tflite for LiteRT-LM), pocketgemma (a finetune stage's), peft (Hugging Face's folder).
        name: what it is called; None when it does not say.
        base: digest of the base that it belongs to, or PEFT's name for it; None when it does not say.
        targets: the matrices that it changes, by their short names.
        matrices: how many it changes.
        parameters: numbers in it.
    """

    form: Literal["runtime", "pocketgemma", "peft"]
    name: str | None
    rank: int | None
    alpha: float | None
    base: str | None
    targets: tuple[str, ...]
    matrices: int
    parameters: int
    tensors: tuple[Tensor, ...]


@dataclass(frozen=True)
class Library:
    """A native library in an APK.

    Attributes:
        offset: where its bytes begin in the APK; None when it is compressed.
        segment_alignment: smallest alignment of its LOAD segments in bytes; None when it is no 64-bit ELF file, or compressed in an
            app that does not have it unpacked.
        pages_16k: whether a phone with pages of 16 KiB can load it, as it lies or as it is unpacked.
    """

    name: str
    bytes: int
    offset: int | None
    segment_alignment: int | None
    pages_16k: bool


@dataclass(frozen=True)
class App:
    """An APK. What could not be read, because a program to read it is missing, is None."""

    package: str | None
    version: str | None
    version_code: str | None
    min_sdk: str | None
    target_sdk: str | None
    permissions: tuple[str, ...] | None
    abis: tuple[str, ...]
    signature_schemes: tuple[str, ...] | None
    certificate_sha256: str | None
    dex_bytes: int
    # Whether the phone unpacks the libraries at installation; else it maps them from the APK.
    extracts_libraries: bool | None
    # What it keeps after the installation: the APK, and the libraries of one ABI when they are unpacked.
    installed_bytes: int | None
    libraries: tuple[Library, ...]
    manifest: dict[str, Any] | None
    sample_questions: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """All that is told of a file; what does not apply to its kind is None or empty.

    Attributes:
        inside: the model in an APK; base: the base of a merged model in it; adapters: the adapters in it, its own fine-tune first.
        notes: what a person should know, a sentence each: what could not be read, what does not fit.
    """

    kind: Kind
    name: str
    bytes: int
    sha256: str
    sections: tuple[Section, ...] = ()
    system: dict[str, str] = field(default_factory=dict)
    start: tuple[Token, ...] = ()
    stop: tuple[Token, ...] = ()
    tokenizer: Tokenizer | None = None
    chat_template: str | None = None
    turns: dict[str, Turn] = field(default_factory=dict)
    sampler: Sampler | None = None
    max_tokens: int | None = None
    models: tuple[Model, ...] = ()
    memory: MemoryCost | None = None
    adapter: Adapter | None = None
    app: App | None = None
    inside: "Report | None" = None
    base: "Report | None" = None
    adapters: "tuple[Report, ...]" = ()
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"format": FORMAT} | asdict(self)


def total_by_type(matrices: Sequence[Matrix]) -> tuple[Total, ...]:
    """One total for each element type, the largest first."""
    kinds = {matrix.dtype: [each for each in matrices if each.dtype == matrix.dtype] for matrix in matrices}
    totals = [
        Total(dtype, len(found), sum(each.bytes for each in found), sum(each.scale_bytes for each in found))
        for dtype, found in kinds.items()
    ]
    return tuple(sorted(totals, key=lambda total: -total.bytes))
