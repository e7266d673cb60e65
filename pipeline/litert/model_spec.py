"""What a .litertlm must declare about itself, and writing it into the file."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.families.terms import Terms
from pipeline.formats.litertlm import ACTIVATION_TYPE, METADATA, MODEL, read_container
from pipeline.formats.litertlm_content import AUTHORS, OURS
from pipeline.formats.litertlm_writer import rewrite
from pipeline.formats.llm_metadata import LlmMetadata, Sampler
from pipeline.formats.llm_metadata_writer import update_llm_metadata
from pipeline.gemma.tokenizer import Tokenizer

ACTIVATIONS = "fp32"
"""Gemma 3 270M overflows float16: a GPU then answers with nothing but <pad> (LiteRT-LM issue 3280)."""

TERMS = ("license_name", "license_link", "notice")
"""Keys of the system metadata that hold the terms of the weights."""


@dataclass(frozen=True)
class ModelSpec:
    """How a model file stores a model, and what it declares about itself.

    Attributes:
        recipe: how the matrices are stored, a name in SCHEMES.
        prefill_lengths: prompt chunk lengths with a signature of their own, in tokens.
        context_length: length of the KV cache in tokens.
        temperature, top_k, top_p: the sampler that an app uses by default; temperature 0 is greedy.
        description: a short description of the model.
        lora_rank: rank of the LoRA tensors that prefill and decode take as inputs, for run-time adapters;
            None: no such inputs.
        base_digest: digest of the preset, which run-time adapters must name.
        terms: of the weights; None: Apache License 2.0.
        rounding: how the integers were chosen: `nearest`: each value within half a step; any other: see
            `matrix_check`.
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
    terms: Terms | None = None
    rounding: str = "nearest"

    @property
    def system_metadata(self) -> dict[str, str]:
        """The entries of the file's system metadata."""
        entries = {AUTHORS: OURS, "description": self.description, "recipe": self.recipe}
        if self.lora_rank is not None:
            entries |= {"lora_rank": str(self.lora_rank), "base_digest": self.base_digest}
        if self.terms is not None:
            entries |= dict(zip(TERMS, (self.terms.name, self.terms.address, self.terms.notice), strict=True))
        return entries


def apply_spec(source: Path, output: Path, tokenizer: Tokenizer, spec: ModelSpec) -> None:
    """Copy a .litertlm and make the copy declare what a spec says; equal content gives equal bytes.

    Raises:
        InputError: the source is not a usable .litertlm.
    """
    container = read_container(source)
    metadata = update_llm_metadata(container.read(METADATA), llm_metadata(tokenizer, spec), str(source))
    rewrite(
        container,
        output,
        replace={METADATA: metadata},
        items={MODEL: {ACTIVATION_TYPE: ACTIVATIONS}},
        system=spec.system_metadata,
    )


def llm_metadata(tokenizer: Tokenizer, spec: ModelSpec) -> LlmMetadata:
    """Start and stop tokens, chat template, context length and sampler that a file must declare.

    The exporter collects them from several files of the folder, writes stop tokens as text that the tokenizer
    may split differently, and edits the template; here they are what training used.
    """
    # The runtime has no greedy sampler (LiteRT-LM 0.18: "Sampler type: 3 not implemented"): TOP_P with k = 1
    # takes the likeliest token.
    greedy = spec.temperature == 0
    return LlmMetadata(
        start=[(tokenizer.bos_id,)],
        stop=[(stop,) for stop in tokenizer.stop_ids],
        sampler=Sampler(
            type="TOP_P",
            k=1 if greedy else spec.top_k,
            p=1.0 if greedy else spec.top_p,
            temperature=1.0 if greedy else spec.temperature,
        ),
        max_tokens=spec.context_length,
        template=tokenizer.chat.template,
    )
