"""The typed configuration of a run: the only home of defaults.

A recipe is a YAML file under configs/ with the sections below. Unknown keys are refused, so a misspelt key cannot pass in silence.
Relative paths are taken from the folder of the YAML file.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from pipeline.errors import InputError

TARGETS = ("query", "key", "value", "output", "gate", "up", "down")
"""The matrices of a decoder layer that can carry LoRA, by their usual short names."""

ATTENTION = TARGETS[:4]
"""Those of attention, which alone can carry an adapter that is swapped at run time."""

DEMO = "demo"
"""The preset that comes with the package: a tiny Gemma 3 that knows the periodic table."""

PATHS = (
    ("model", "preset"),
    ("data", "train"),
    ("data", "validation"),
    ("data", "test"),
    ("data", "replay"),
    ("bundle", "adapters"),
)
"""The keys that name files or folders."""

Target = Literal["query", "key", "value", "output", "gate", "up", "down"]
Recipe = Literal["int8", "int4", "int4_embedding_int8", "int4_block32", "fp16", "fp32"]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


def resolve(path: str, info: ValidationInfo) -> str:
    """Make a relative path absolute against the recipe's folder; leave URIs and `demo` alone."""
    if path == DEMO or "://" in path:
        return path
    folder = (info.context or {}).get("folder", Path.cwd())
    return str((Path(folder) / Path(path).expanduser()).resolve())


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSection(Section):
    """Which Gemma to start from."""

    preset: str = Field(
        DEMO,
        description="demo, a KerasHub preset folder, kaggle://owner/model/keras/variation[/version] or hf://owner/name",
    )

    _resolve = field_validator("preset")(resolve)


class DataSection(Section):
    """The examples. Readable kinds: .jsonl, .csv, .parquet with prompt/response columns or chat messages."""

    train: str = Field(description="the examples to learn")
    validation: str | None = Field(
        None, description="examples to measure while training; without it a share of train is split off"
    )
    validation_share: Share = Field(
        0.05, description="share of train split off when no validation file is given"
    )
    test: str | None = Field(
        None, description="questions never trained on; verify asks the converted model these"
    )
    replay: str | None = Field(
        None, description="examples of what the base could already do, mixed in so that it is not forgotten"
    )
    replay_share: Share = Field(0.33, description="share of all training examples that come from replay")
    max_length: int = Field(
        512, ge=8, le=32768, description="longest example, in tokens, prompt and response and markers"
    )
    too_long: Literal["refuse", "drop", "truncate"] = Field(
        "refuse", description="what to do with a longer example (truncate shortens the response)"
    )
    duplicates: Literal["refuse", "drop", "keep"] = Field(
        "drop", description="what to do with a row that says the same as an earlier one"
    )

    _resolve = field_validator("train", "validation", "test", "replay")(
        lambda path, info: path if path is None else resolve(path, info)
    )


class FinetuneSection(Section):
    """LoRA by Keras's enable_lora (Hu et al. 2021, arXiv:2106.09685)."""

    backend: Literal["auto", "jax", "torch", "tensorflow"] = Field(
        "auto", description="Keras backend; auto asks the machine"
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="compute dtype; auto takes bfloat16 only where the processor has it"
    )
    rank: int = Field(8, ge=1, le=512)
    alpha: float | None = Field(None, gt=0, description="scale is alpha / rank; without it alpha = rank")
    targets: tuple[Target, ...] = Field(
        ("query", "value"), min_length=1, description="matrices that get an adapter"
    )
    dropout: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="share of attention weights and of residual updates dropped while training, as KerasHub's backbone does it",
    )
    quantization_aware: bool = Field(
        False,
        description="train the adapter against the matrices as convert.recipe will round them, so that the rounded model is what is optimised",
    )
    epochs: int = Field(3, ge=1)
    batch_size: int = Field(8, ge=1)
    learning_rate: float = Field(2e-4, gt=0)
    warmup_steps: int = Field(20, ge=0)
    final_learning_rate: float = Field(
        0.02, ge=0, le=1, description="share of learning_rate left at the end of the cosine"
    )
    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float = Field(1.0, gt=0, description="largest global norm of the gradient")
    monitor: Literal["loss", "exact_match"] = Field(
        "loss",
        description="what decides which epoch is kept: validation loss, or how many validation responses are right in "
        "every token (for short answers, where a few confident mistakes drive the loss up while answers get better)",
    )
    patience: int = Field(
        3, ge=1, description="epochs without a better validation result before training stops"
    )
    seed: int = Field(0, ge=0)


class MergeSection(Section):
    """Folding the adapter into the base."""

    max_delta_error: float = Field(
        1e-6, gt=0, description="largest |(W_merged - W0) - scale*A@B|, relative to max|W0|"
    )
    max_logit_difference: float = Field(
        1e-4, gt=0, description="largest |logit| difference between Keras and the Hugging Face folder"
    )


class ConvertSection(Section):
    """From the merged model to LiteRT."""

    recipe: Recipe = Field(
        "int8",
        description="weights: int8 or int4 with a scale for each output row, int4_embedding_int8 (matrices int4, the embedding int8), "
        "int4_block32 (a scale for each 32 numbers), fp16, fp32",
    )
    rounding: Literal["nearest", "least_squares", "gptq"] = Field(
        "nearest",
        description="how integers are chosen: plain rounding; scales of least squared error; GPTQ, calibrated on training prompts",
    )
    adapters: Literal["merged", "runtime"] = Field(
        "merged",
        description="merged: the adapter is folded into the model; runtime: it stays a file of its own, swapped while the model is open",
    )
    graft: bool = Field(
        True,
        description="convert a base once, keep it, and write each fine-tune's matrices into a copy; false converts the merged model itself",
    )
    formats: tuple[Literal["litertlm", "task"], ...] = Field(("litertlm",), min_length=1)
    prefill_lengths: tuple[int, ...] = Field(
        (128,), min_length=1, description="prompt chunk lengths that get a compiled signature, in tokens"
    )
    context_length: int = Field(
        1280, ge=16, description="length of the KV cache, in tokens: prompt and reply together"
    )
    temperature: float = Field(1.0, ge=0, description="sampler default written into the bundle; 0 is greedy")
    top_k: int = Field(64, ge=1)
    top_p: float = Field(0.95, gt=0, le=1)
    description: str = Field("", description="a sentence about the model, kept in the bundle")

    @model_validator(mode="after")
    def _rounding(self) -> "ConvertSection":
        if self.rounding != "nearest" and self.recipe in ("fp16", "fp32"):
            raise ValueError(f"rounding {self.rounding} chooses integers, recipe {self.recipe} has none")
        if self.rounding != "nearest" and not self.graft:
            raise ValueError(
                f"rounding {self.rounding} writes its integers by the graft: it needs graft: true"
            )
        return self

    @model_validator(mode="after")
    def _lengths(self) -> "ConvertSection":
        if any(length < 1 or length > self.context_length for length in self.prefill_lengths):
            raise ValueError(
                f"every prefill length must lie in 1..context_length ({self.context_length}), got {list(self.prefill_lengths)}"
            )
        return self


class VerifySection(Section):
    """How far the phone's runtime may be from training before the pipeline refuses to bundle."""

    questions: int = Field(
        200, ge=1, description="how many test (else validation) questions are answered on both sides"
    )
    max_new_tokens: int = Field(64, ge=1)
    max_accuracy_loss: float = Field(
        2.0, ge=0, description="exact match lost against Keras, in percentage points"
    )
    min_same_answers: float = Field(
        0.9, ge=0, le=1, description="share of greedy answers equal to Keras's own"
    )
    max_unstopped: Share = Field(
        0.0, description="share of replies that may run on to the limit where Keras's stop"
    )
    max_logprob_difference: float = Field(
        0.1, gt=0, description="mean |difference| of a response's log-probability per token, in nats"
    )
    max_perplexity_ratio: float = Field(
        1.1, gt=0, description="runtime perplexity of the responses / Keras's"
    )
    min_accuracy: float | None = Field(
        None,
        ge=0,
        le=100,
        description="exact match that the runtime must reach, in percent; none if answers are free text",
    )


class BundleSection(Section):
    """The app that carries the model."""

    title: str = Field(
        "PocketGemma", min_length=1, max_length=30, description="name of the app and of the model in it"
    )
    abis: tuple[Literal["arm64-v8a", "x86_64"], ...] = Field(("arm64-v8a",), min_length=1)
    compress_libraries: bool = Field(
        False,
        description="false: libraries lie in the APK as they are and are mapped from it; true: they are compressed and the phone "
        "unpacks them, a smaller download that takes more of the phone",
    )
    max_model_mb: int = Field(
        120,
        ge=1,
        le=2000,
        description="how much of models and adapters goes into the APK, in MB (10**6 bytes); the model and its base, in this "
        "order, lie beside it when they do not fit, and are pushed to the phone",
    )
    base: bool = Field(
        False,
        description="also carry the converted base, for before / after; with convert.adapters: runtime the model is the base, "
        "and nothing more is needed",
    )
    adapters: tuple[str, ...] = Field(
        (), description="further adapter files (.tflite) for the same base, with convert.adapters: runtime"
    )
    sample_questions: tuple[str, ...] = Field(
        (), description="offered in the empty chat; without them some test prompts are taken"
    )
    remembers_conversation: bool = Field(
        True,
        description="false for a model taught single questions only: the app then starts each question afresh",
    )

    _resolve = field_validator("adapters")(lambda paths, info: tuple(resolve(path, info) for path in paths))


class Config(Section):
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="also the name of the run folder"
    )
    model: ModelSection = ModelSection()
    data: DataSection
    finetune: FinetuneSection = FinetuneSection()
    merge: MergeSection = MergeSection()
    convert: ConvertSection = ConvertSection()
    verify: VerifySection = VerifySection()
    bundle: BundleSection = BundleSection()

    @property
    def carries_base(self) -> bool:
        """Whether the converted base is a file of its own, brought along for before / after."""
        return self.bundle.base and self.convert.adapters == "merged"

    @model_validator(mode="after")
    def _runtime_adapters(self) -> "Config":
        if self.convert.adapters == "runtime" and "task" in self.convert.formats:
            raise ValueError(
                "convert.adapters: runtime needs a .litertlm, which names the base of its adapters; leave task out of convert.formats"
            )
        if self.convert.adapters == "runtime" and self.convert.rounding == "gptq":
            raise ValueError(
                "convert.rounding: gptq calibrates the merged model; with convert.adapters: runtime take nearest or least_squares"
            )
        if self.convert.adapters != "runtime" and self.bundle.adapters:
            raise ValueError(
                "bundle.adapters are for a base that takes them while it is open: set convert.adapters: runtime, or leave them out"
            )
        beyond = [target for target in self.finetune.targets if target not in ATTENTION]
        if self.convert.adapters == "runtime" and beyond:
            raise ValueError(
                f"convert.adapters: runtime takes adapters of {', '.join(ATTENTION)} only (the runtime knows no others), "
                f"finetune.targets has {', '.join(beyond)}; leave them out, or use convert.adapters: merged, which grafts any adapter"
            )
        return self

    @model_validator(mode="after")
    def _quantization_aware(self) -> "Config":
        if not self.finetune.quantization_aware:
            return self
        convert = self.convert
        if not convert.recipe.startswith("int") or convert.rounding == "gptq" or not convert.graft:
            raise ValueError(
                "finetune.quantization_aware trains for the rounding of an integer convert.recipe: it goes with rounding "
                f"nearest or least_squares and graft: true, got {convert.recipe}, {convert.rounding}, graft: {convert.graft}"
            )
        if convert.adapters == "runtime":
            raise ValueError(
                "finetune.quantization_aware rounds the merged matrices: it goes with convert.adapters: merged"
            )
        return self


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a YAML recipe and apply `key.path=value` overrides; values are read as YAML.

    Raises:
        InputError: the file is missing or not YAML, a key is unknown or a value is unusable; names the file and the key.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such recipe; the ones that ship lie in configs/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise InputError(
            f"{path}: expected sections such as 'model:' and 'data:', found {type(document).__name__}"
        )
    for override in overrides:
        _apply(document, override)
    try:
        return Config.model_validate(document, context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise InputError("\n".join(_explain(path, detail) for detail in error.errors())) from None


def _apply(document: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise InputError(f"--set {override}: expected key.path=value, for example --set finetune.rank=16")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"--set {override}: the value is not YAML; quote it") from None
    if isinstance(value, dict) and not text.lstrip().startswith("{"):
        value = text.strip()  # a title such as "Ask: science", not a section
    # Paths given on the command line are meant from where the person stands, not from the recipe's folder.
    if tuple(parts) in PATHS:
        value = [_from_here(each) for each in value] if isinstance(value, list) else _from_here(value)
    place = document
    for part in parts[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise InputError(f"--set {override}: {part} is not a section")
    place[parts[-1]] = value


def _from_here(value: Any) -> Any:
    """A relative path, made absolute against the folder where the person stands."""
    if not isinstance(value, str) or value == DEMO or "://" in value:
        return value
    return str(Path(value).expanduser().resolve())


def _explain(path: Path, detail: ErrorDetails) -> str:
    keys = [str(part) for part in detail["loc"]]
    where = f"{path}: {'.'.join(keys) or 'recipe'}"
    if detail["type"] == "extra_forbidden":
        known = _known_keys(keys[:-1])
        near = difflib.get_close_matches(keys[-1], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return f"{where}: unknown key; {hint}"
    return f"{where}: {detail['msg'].removeprefix('Value error, ')}, got {detail['input']!r}"


def _known_keys(section: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in section:
        field = model.model_fields.get(part)
        if field is None or not (
            isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        ):
            return []
        model = field.annotation
    return list(model.model_fields)
