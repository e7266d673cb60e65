"""The `convert` section."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.quantization.roundings import NEAREST, ROUNDINGS
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.section import OneOf, Section, sorted_by

Length = Annotated[int, Field(ge=1)]


class ConvertSection(Section):
    """From the merged model to LiteRT."""

    recipe: Annotated[str, OneOf.of(SCHEMES)] = Field(
        "int8",
        description="the quantization recipe. int8, int4: integers with one scale per output row; "
        "int4_embedding_int8: matrices int4, the embedding int8; int4_block32: int4 with one scale per 32 "
        "values; int4_block32_embedding_int8: the same with the embedding int8; fp16, fp32: floats",
    )
    rounding: Annotated[str, OneOf.of(ROUNDINGS)] = Field(
        NEAREST.name,
        description="how integers are chosen. nearest: plain rounding; least_squares: scales that minimize "
        "the squared error; gptq: GPTQ, calibrated on training prompts",
    )
    adapters: Literal["merged", "runtime"] = Field(
        "merged",
        description="merged: the model contains the adapter; runtime: the adapter stays a separate file, and "
        "can be swapped while the "
        "model is open",
    )
    graft: bool = Field(
        True,
        description="convert a base once, cache it, and write the matrices of each fine-tune into a copy; "
        "`false` converts the merged model "
        "itself every time",
    )
    formats: tuple[Literal["litertlm", "task"], ...] = Field(
        ("litertlm",), min_length=1, description="the file formats to write; `litertlm` is always written"
    )
    prefill_lengths: Annotated[tuple[Length, ...], sorted_by(int)] = Field(
        (128,),
        min_length=1,
        description="the prompt chunk lengths, in tokens, that get a compiled signature",
    )
    context_length: int = Field(
        1280,
        ge=16,
        description="the length of the KV cache, in tokens: the conversation and the reply together",
    )
    temperature: float = Field(
        1.0, ge=0, description="the sampler's temperature, written into the model file; 0 is greedy"
    )
    top_k: int = Field(64, ge=1, description="the sampler draws from this many of the most probable tokens")
    top_p: float = Field(
        0.95,
        gt=0,
        le=1,
        description="the sampler draws from the most probable tokens whose probabilities add up to this "
        "value",
    )
    description: str = Field(
        "", description="a sentence about the model, written into the model file and shown in the app"
    )
