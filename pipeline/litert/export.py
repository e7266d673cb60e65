"""From a Hugging Face folder to a .litertlm bundle that says, and is checked to say, what the phone's runtime must know."""

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import prompts
from pipeline.config import ConvertSection
from pipeline.errors import PocketGemmaError
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.apart import run_apart
from pipeline.litert.container import METADATA, MODEL, TOKENIZER, read_container, rewrite
from pipeline.litert.tflite import read_model
from pipeline.litert.weights import missing_matrices

MATRIX_TYPES = {"int8": "INT8", "int4": "INT4", "int4_block32": "INT4", "fp16": "FLOAT16", "fp32": "FLOAT32"}
"""The element type that a recipe gives the matrices."""

QUANTIZER_RECIPES = {"int8": "dynamic_wi8_afp32", "int4": "dynamic_wi4_afp32", "fp32": "none"}
"""Recipes that the AI Edge Quantizer has by name; its default for "no recipe" is int8, so fp32 must be asked for as "none"."""

FP16_OPERATIONS = ("FULLY_CONNECTED", "EMBEDDING_LOOKUP")
"""What fp16 casts: it has no recipe by name, but the quantizer's algorithm float_casting does it for these operations."""


@dataclass(frozen=True)
class Bundle:
    """What a bundle must say about itself.

    Attributes:
        recipe: int8, int4, fp16 or fp32: how the matrices are stored.
        prefill_lengths: prompt chunk lengths with a signature of their own, in tokens.
        context_length: length of the KV cache in tokens.
        temperature, top_k, top_p: the sampler that an app uses unless told otherwise; temperature 0 is greedy.
        description: a sentence about the model.
    """

    recipe: str
    prefill_lengths: tuple[int, ...]
    context_length: int
    temperature: float
    top_k: int
    top_p: float
    description: str = ""

    @classmethod
    def of(cls, settings: ConvertSection, name: str) -> "Bundle":
        """What a recipe's bundle says about itself; `name` stands in for a missing description."""
        return cls(
            recipe=settings.recipe,
            prefill_lengths=settings.prefill_lengths,
            context_length=settings.context_length,
            temperature=settings.temperature,
            top_k=settings.top_k,
            top_p=settings.top_p,
            description=settings.description or f"{name}: Gemma, fine-tuned with PocketGemma",
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
        container = read_container(raw)
        metadata = container.metadata()
        describe(metadata, tokenizer, bundle)
        system = {"Authors": "PocketGemma", "description": bundle.description, "recipe": bundle.recipe}
        rewrite(
            container,
            output,
            replace={METADATA: metadata.SerializeToString(deterministic=True)},
            system=system,
        )
    check_litertlm(output, tokenizer, bundle, folder)
    return {
        "seconds": round(time.monotonic() - started, 1),
        "peak_memory_bytes": peak,
        "bytes": output.stat().st_size,
    }


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
    metadata.jinja_prompt_template = prompts.CHAT_TEMPLATE
    metadata.max_num_tokens = bundle.context_length
    sampler = metadata.sampler_params
    sampler.Clear()
    # The runtime knows no greedy sampler of its own (LiteRT-LM 0.18: "Sampler type: 3 not implemented"): the likeliest one of one it is.
    greedy = bundle.temperature == 0
    sampler.type = SamplerParameters.TOP_P
    sampler.k = 1 if greedy else bundle.top_k
    sampler.p = 1.0 if greedy else bundle.top_p
    sampler.temperature = 1.0 if greedy else bundle.temperature


def check_litertlm(path: Path, tokenizer: Tokenizer, bundle: Bundle, folder: Path) -> None:
    """Read a bundle back and compare it with what it should say.

    Raises:
        InputError: no usable .litertlm file.
        PocketGemmaError: it says something else; every difference is named.
    """
    found = differences(path, tokenizer, bundle, folder)
    if found:
        raise PocketGemmaError(f"{path}: not what was asked for: {'; '.join(found)}")


def differences(path: Path, tokenizer: Tokenizer, bundle: Bundle, folder: Path) -> list[str]:
    """What a bundle says otherwise than it should, each in a few words.

    Args:
        path: the .litertlm file.
        tokenizer: the one in training.
        bundle: how it was to be converted.
        folder: the Hugging Face folder that it was converted from.

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
    if metadata.jinja_prompt_template != prompts.CHAT_TEMPLATE:
        found.append("the chat template differs from the one in training")
    if container.read(TOKENIZER) != tokenizer.path.read_bytes():
        found.append("the tokenizer differs from the one in training")
    missing = missing_matrices(content, folder)
    if missing:
        found.append(
            f"{len(missing)} matrices are not those that were converted ({', '.join(missing[:3])}{', …' * (len(missing) > 3)})"
        )
    return found + _matrix_differences(model.matrix_bytes, bundle.recipe)


def _matrix_differences(sizes: Mapping[str, int], recipe: str) -> list[str]:
    wanted, total = MATRIX_TYPES[recipe], sum(sizes.values())
    # Besides the weights, small float constants have two dimensions: they may make up a hundredth.
    if sizes.get(wanted, 0) < 0.99 * total or not total:
        return [f"matrices are stored as {dict(sizes)} bytes, recipe {recipe} means {wanted}"]
    return []


def _convert(folder: Path, tokenizer: Path, work: Path, bundle: Bundle, log: Path) -> tuple[Path, int]:
    """Run the converter; the raw .litertlm and the converter's peak memory in bytes."""
    recipe = QUANTIZER_RECIPES.get(bundle.recipe)
    if recipe is None:
        recipe = str(work / "fp16.json")
        Path(recipe).write_text(
            json.dumps([_float16(operation) for operation in FP16_OPERATIONS]), encoding="utf-8"
        )
    request = {
        "model": str(folder.resolve()),
        "output": str(work),
        "prefill_lengths": list(bundle.prefill_lengths),
        "cache_length": bundle.context_length,
        "quantization_recipe": recipe,
        "tokenizer": str(tokenizer.resolve()),
    }
    peak = run_apart("pipeline.litert.converter", request, log, f"converting to {bundle.recipe}")
    found = work / "model.litertlm"
    if not found.is_file():
        raise PocketGemmaError(f"{folder}: the converter ended without a model; what it printed is in {log}")
    return found, peak


def _float16(operation: str) -> dict[str, Any]:
    weight = {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"}
    settings = {"weight_tensor_config": weight, "compute_precision": "FLOAT", "explicit_dequantize": True}
    return {"regex": ".*", "operation": operation, "algorithm_key": "float_casting", "op_config": settings}
