"""The report on a file. `Report.document` is what `pocketgemma inspect --json` prints; docs/litert.md
describes its keys."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pipeline.formats.llm_metadata import Sampler, Turn
from pipeline.formats.tflite_matrices import Matrix, Total
from pipeline.formats.tokenizer_file import Token, Tokenizer
from pipeline.litert.memory_estimate import MemoryCost

FORMAT = 1
"""Version of the JSON document: raised when a key changes its meaning or is removed."""

Kind = Literal["litertlm", "task", "tflite", "adapter", "apk"]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a signature, or a tensor of an adapter; dtype is the schema's name, such as
    FLOAT32."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Signature:
    """A function that the runtime can call, with its inputs and outputs."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Model:
    """A .tflite.

    Attributes:
        name: its purpose as the file names it; "model" for the only one.
        bytes: its size.
        signatures, matrices, totals, prefill_lengths, context_length, kv_cache_bytes, lora_rank: as in
            `pipeline.formats.tflite_model.LanguageModel`.
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
class Section:
    """A part of a container; offsets in bytes from the container's start."""

    kind: str
    begin: int
    end: int
    bytes: int
    items: dict[str, str]


@dataclass(frozen=True)
class Adapter:
    """What fine-tuning changed, in a file of its own.

    Attributes:
        form: runtime (a .tflite for LiteRT-LM), pocketgemma (of a finetune stage), peft (a folder of Hugging
            Face's PEFT).
        name: of the adapter; None if the file has none.
        base: digest of the base that it belongs to, or PEFT's name for it; None if the file does not record
            it.
        method: title of the tuning method of a `pocketgemma`; None for the others.
        targets: short names of the matrices that it adds low-rank factors to.
        matrices: number of these matrices.
        parameters: number of values in all its tensors.
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
    method: str | None = None


@dataclass(frozen=True)
class Library:
    """A native library in an APK.

    Attributes:
        offset: its first byte in the APK; None when it is compressed.
        segment_alignment: smallest alignment of its LOAD segments in bytes; None when it is not a 64-bit ELF
            file, or compressed in an app whose libraries are not unpacked.
        pages_16k: whether a phone with memory pages of 16 KiB can load it, from the APK or unpacked.
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
    """Everything that is known about a file; what does not apply to its kind is None or empty.

    Attributes:
        inside: the model in an APK; base: the base of a merged model in it; adapters: the adapters in it, its
            own fine-tune first.
        notes: what could not be read and what is inconsistent, a sentence each.
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
