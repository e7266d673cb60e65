"""From a Hugging Face folder to a .litertlm bundle that says, and is checked to say, what the phone's runtime must know."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import PocketGemmaError
from pipeline.formats.litertlm import METADATA, MODEL, TOKENIZER, read_container, rewrite
from pipeline.formats.tflite_summary import read_model
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.isolation import run_apart
from pipeline.litert.convert.quantizer_rules import quantizer_rules
from pipeline.litert.matrix_check import missing_matrices
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.schema import Config

MATRIX_TYPES = {4: "INT4", 8: "INT8", 16: "FLOAT16", 32: "FLOAT32"}
"""The element type of matrices with so many bits."""


@dataclass(frozen=True)
class Bundle:
    """What a bundle must say about itself.

    Attributes:
        recipe: how the matrices are stored, a name in SCHEMES.
        prefill_lengths: prompt chunk lengths with a signature of their own, in tokens.
        context_length: length of the KV cache in tokens.
        temperature, top_k, top_p: the sampler that an app uses unless told otherwise; temperature 0 is greedy.
        description: a sentence about the model.
        lora_rank: rank of the LoRA tensors that prefill and decode take as inputs, for adapters swapped at run time; None: no such inputs.
        base_digest: digest of the preset, which such adapters must name.
        rounding: how the integers were chosen: `nearest` means each within half a step, any other that rows are kept (see `weights`).
    """

    recipe: str
    prefill_lengths: tuple[int, ...]
    context_length: int
    temperature: float
    top_k: int
    top_p: float
    description: str = ""
    lora_rank: int | None = None
    base_digest: str = ""
    rounding: str = "nearest"

    @property
    def system(self) -> dict[str, str]:
        """What the file's system metadata says."""
        entries = {"Authors": "PocketGemma", "description": self.description, "recipe": self.recipe}
        if self.lora_rank is not None:
            entries |= {"lora_rank": str(self.lora_rank), "base_digest": self.base_digest}
        return entries

    @classmethod
    def of(cls, config: Config) -> "Bundle":
        """What a recipe's bundle says about itself. LoRA inputs are added where the adapter's rank is known."""
        settings = config.convert
        # The integers of quantisation-aware training are those of its own scales.
        rounding = "quantization_aware" if config.finetune.quantization_aware else settings.rounding
        return cls(
            recipe=settings.recipe,
            rounding=rounding,
            prefill_lengths=settings.prefill_lengths,
            context_length=settings.context_length,
            temperature=settings.temperature,
            top_k=settings.top_k,
            top_p=settings.top_p,
            description=settings.description or f"{config.name}: Gemma, fine-tuned with PocketGemma",
        )

    @classmethod
    def of_base(cls, config: Config) -> "Bundle":
        """What the converted base says about itself when the app carries it beside a merged model.

        Its integers are chosen as the model's are, but for what needs training or calibration.
        """
        tuned = cls.of(config)
        return replace(
            tuned,
            description=f"{config.name}: the base, before fine-tuning",
            rounding="nearest" if tuned.rounding == "nearest" else "least_squares",
        )


def export_litertlm(folder: Path, output: Path, bundle: Bundle, log: Path) -> dict[str, Any]:
    """Convert a Hugging Face folder and check the result by reading it back.

    Args:
        folder: config.json, model.safetensors, tokenizer.model, generation_config.json.
        output: the .litertlm file to write.
        bundle: how to convert, and what the file is to say about itself.
        log: file for the converter's own output.

    Returns:
        seconds, peak_memory_bytes and bytes.

    Raises:
        PocketGemmaError: the converter failed, or the file does not say what it was asked to say.
    """
    tokenizer = Tokenizer.of_preset(folder)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".convert-") as temporary:
        work = Path(temporary)
        raw, peak = _convert(folder, tokenizer.path, work, bundle, log)
        label(raw, output, tokenizer, bundle)
    check_litertlm(output, tokenizer, bundle, folder)
    return {
        "seconds": round(time.monotonic() - started, 1),
        "peak_memory_bytes": peak,
        "bytes": output.stat().st_size,
    }


def label(source: Path, output: Path, tokenizer: Tokenizer, bundle: Bundle) -> None:
    """Copy a .litertlm and have the copy say what the bundle says; equal content gives equal bytes.

    Raises:
        InputError: the source is no usable .litertlm.
    """
    container = read_container(source)
    metadata = container.metadata()
    describe(metadata, tokenizer, bundle)
    rewrite(
        container,
        output,
        replace={METADATA: metadata.SerializeToString(deterministic=True)},
        system=bundle.system,
    )


def describe(metadata: Any, tokenizer: Tokenizer, bundle: Bundle) -> None:
    """Set start and stop tokens, chat template, context length and sampler of an LlmMetadata message.

    The exporter takes them from several places of the folder, writes stop tokens as text that the tokenizer may cut otherwise, and
    edits the template; here they are what training used.
    """
    from litert_lm_builder.runtime.proto.sampler_params_pb2 import SamplerParameters

    metadata.start_token.Clear()
    metadata.start_token.token_ids.ids.append(tokenizer.bos_id)
    del metadata.stop_tokens[:]
    for stop in tokenizer.stop_ids:
        metadata.stop_tokens.add().token_ids.ids.append(stop)
    metadata.jinja_prompt_template = tokenizer.chat.template
    metadata.max_num_tokens = bundle.context_length
    sampler = metadata.sampler_params
    sampler.Clear()
    # The runtime knows no greedy sampler of its own (LiteRT-LM 0.18: "Sampler type: 3 not implemented"): the likeliest one of one it is.
    greedy = bundle.temperature == 0
    sampler.type = SamplerParameters.TOP_P
    sampler.k = 1 if greedy else bundle.top_k
    sampler.p = 1.0 if greedy else bundle.top_p
    sampler.temperature = 1.0 if greedy else bundle.temperature


def check_litertlm(path: Path, tokenizer: Tokenizer, bundle: Bundle, folder: Path | None) -> None:
    """Read a bundle back and compare it with what it should say; arguments as for `differences`.

    Raises:
        InputError: no usable .litertlm file.
        PocketGemmaError: it says something else; every difference is named.
    """
    found = differences(path, tokenizer, bundle, folder)
    if found:
        raise PocketGemmaError(f"{path}: not what was asked for: {'; '.join(found)}")


def differences(
    path: Path, tokenizer: Tokenizer, bundle: Bundle, folder: Path | None, base: Path | None = None
) -> list[str]:
    """What a bundle says otherwise than it should, each in a few words.

    Args:
        path: the .litertlm file.
        tokenizer: the one in training.
        bundle: how it was to be converted.
        folder: the Hugging Face folder whose matrices it should hold; None: they are not compared.
        base: the preset that was tuned, to see that coarse rounding does not hide the loss of what tuning changed.

    Raises:
        InputError: no usable .litertlm file.
    """
    container = read_container(path)
    metadata = container.metadata()
    content = container.read(MODEL)
    model = read_model(content, str(path))
    start = list(metadata.start_token.token_ids.ids) or metadata.start_token.token_str
    stops = [list(stop.token_ids.ids) or stop.token_str for stop in metadata.stop_tokens]
    facts: tuple[tuple[str, Any, Any], ...] = (
        ("start token", start, [tokenizer.bos_id]),
        ("list of stop tokens", stops, [[stop] for stop in tokenizer.stop_ids]),
        ("context length in the metadata", metadata.max_num_tokens, bundle.context_length),
        ("KV cache length", model.context_length, bundle.context_length),
        ("list of prefill lengths", list(model.prefill_lengths), sorted(bundle.prefill_lengths)),
        ("description", container.system.get("description"), bundle.description),
    )
    found = [f"{what} is {fact}, expected {expected}" for what, fact, expected in facts if fact != expected]
    if metadata.jinja_prompt_template != tokenizer.chat.template:
        found.append("the chat template differs from the one in training")
    if container.read(TOKENIZER) != tokenizer.path.read_bytes():
        found.append("the tokenizer differs from the one in training")
    missing = []
    if folder:
        before = PresetMatrices(base) if base else None
        scheme = SCHEMES[bundle.recipe]
        missing = missing_matrices(path, PresetMatrices(folder), scheme, bundle.rounding, before)
    if missing:
        found.append(
            f"{len(missing)} matrices are not those that were converted ({', '.join(missing[:3])}{', …' * (len(missing) > 3)})"
        )
    return found + _matrix_differences(model.matrix_bytes, bundle.recipe)


def _matrix_differences(sizes: Mapping[str, int], recipe: str) -> list[str]:
    scheme = SCHEMES[recipe]
    wanted = {MATRIX_TYPES[bits] for bits in (scheme.bits, scheme.embedding_bits)}
    held, total = sum(sizes.get(dtype, 0) for dtype in wanted), sum(sizes.values())
    # Besides the weights, small float constants have two dimensions: they may make up a hundredth.
    if held < 0.99 * total or not all(sizes.get(dtype) for dtype in wanted):
        return [
            f"matrices are stored as {dict(sizes)} bytes, recipe {recipe} means {' and '.join(sorted(wanted))}"
        ]
    return []


def _convert(folder: Path, tokenizer: Path, work: Path, bundle: Bundle, log: Path) -> tuple[Path, int]:
    """Run the converter; the raw .litertlm and the converter's peak memory in bytes."""
    request = {
        "model": str(folder.resolve()),
        "output": str(work),
        "prefill_lengths": list(bundle.prefill_lengths),
        "cache_length": bundle.context_length,
        "quantizer_rules": quantizer_rules(bundle.recipe),
        "tokenizer": str(tokenizer.resolve()),
        "lora_rank": bundle.lora_rank,
    }
    peak = run_apart("pipeline.litert.convert.worker", request, log, f"converting to {bundle.recipe}")
    found = work / "model.litertlm"
    if not found.is_file():
        raise PocketGemmaError(f"{folder}: the converter ended without a model; what it printed is in {log}")
    return found, peak
