"""What a .litertlm declares about conversations: LiteRT-LM's LlmMetadata message, read without the packages
that write it.

Field numbers: LiteRT-LM, runtime/proto/llm_metadata.proto, token.proto and sampler_params.proto.
"""

import struct
from dataclasses import dataclass, field

from pipeline.errors import InputError
from pipeline.formats.protobuf import ERRORS, fields, numbers

START, STOPS, TURNS, SAMPLER, MAX_TOKENS, TEMPLATE = 1, 2, 3, 4, 5, 7
"""Of LlmMetadata."""

IDS, TEXT = 1, 2
"""Of TokenUnion."""

ROLES = {1: "user", 2: "model", 3: "system"}
SAMPLERS = ("TYPE_UNSPECIFIED", "TOP_K", "TOP_P", "GREEDY")

RawToken = tuple[int, ...] | str
"""A token as the file declares it: by its ids or by its text."""


@dataclass(frozen=True)
class Turn:
    """The text before and after a turn."""

    prefix: str
    suffix: str


@dataclass(frozen=True)
class Sampler:
    """The sampler that an app uses unless it sets its own."""

    type: str
    k: int
    p: float
    temperature: float
    seed: int | None = None


@dataclass
class LlmMetadata:
    """The fields that are read.

    Attributes:
        start, stop: start and stop tokens as the file declares them.
        turns: text around a turn by role (user, model, system).
        sampler: the default sampler; None if not set.
        max_tokens: context length in tokens; None if not set.
        template: chat template in Jinja; None if not set.
    """

    start: list[RawToken] = field(default_factory=list)
    stop: list[RawToken] = field(default_factory=list)
    turns: dict[str, Turn] = field(default_factory=dict)
    sampler: Sampler | None = None
    max_tokens: int | None = None
    template: str | None = None


def read_llm_metadata(data: bytes, where: str) -> LlmMetadata:
    """Read an LlmMetadataProto section.

    Raises:
        InputError: it is damaged.
    """
    found = LlmMetadata()
    try:
        for number, value in fields(data):
            if number == MAX_TOKENS and isinstance(value, int):
                found.max_tokens = value or None
            elif isinstance(value, int):
                continue
            elif number in (START, STOPS):
                token = _token(value)
                if token:
                    (found.start if number == START else found.stop).append(token)
            elif number == TURNS:
                found.turns = {
                    ROLES[role]: _turn(affixes)
                    for role, affixes in fields(value)
                    if role in ROLES and isinstance(affixes, bytes)
                }
            elif number == SAMPLER:
                found.sampler = _sampler(value)
            elif number == TEMPLATE:
                found.template = value.decode() or None
    except (*ERRORS, struct.error):
        raise InputError(f"{where}: damaged metadata section; copy or convert it again") from None
    return found


def _token(message: bytes) -> RawToken:
    for number, value in fields(message):
        if number == TEXT and isinstance(value, bytes):
            return value.decode()
        if number == IDS and isinstance(value, bytes):
            return tuple(each for _, ids in fields(value) for each in numbers(ids))
    return ()


def _turn(message: bytes) -> Turn:
    texts = {number: value.decode() for number, value in fields(message) if isinstance(value, bytes)}
    return Turn(texts.get(1, ""), texts.get(2, ""))


def _sampler(message: bytes) -> Sampler:
    values = dict(fields(message))
    kind, k, seed = (values.get(number) for number in (1, 2, 5))
    p, temperature = (
        round(struct.unpack("<f", value)[0], 6) if isinstance(value := values.get(number), bytes) else 0.0
        for number in (3, 4)
    )
    number = kind if isinstance(kind, int) else 0
    return Sampler(
        type=SAMPLERS[number] if number < len(SAMPLERS) else f"type {number}",
        k=k if isinstance(k, int) else 0,
        p=p,
        temperature=temperature,
        seed=seed if isinstance(seed, int) else None,
    )
