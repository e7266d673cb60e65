"""What a .task says of itself: MediaPipe's LlmParameters message, of which no package here brings a reader.

Field numbers: mediapipe, tasks/cc/genai/inference/proto/llm_params.proto and prompt_template.proto. Wire format: protobuf.dev,
"Encoding".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.errors import InputError

START_ID, STOP_TOKENS, START_TOKEN, TEMPLATES = 4, 5, 6, 17
ROLES = {1: "user", 2: "model", 3: "system"}
PREFIX, SUFFIX = 2, 3
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class TaskMetadata:
    """Start and stop tokens as text, and what stands before and after a turn, by role."""

    start: str | int | None = None
    stops: tuple[str, ...] = ()
    turns: dict[str, tuple[str, str]] = field(default_factory=dict)


def parse_task_metadata(data: bytes, where: str) -> TaskMetadata:
    """Read the METADATA entry of a .task.

    Raises:
        InputError: it is damaged.
    """
    start: str | int | None = None
    stops: list[str] = []
    turns: dict[str, tuple[str, str]] = {}
    try:
        for number, value in _fields(data):
            if number in (START_ID, START_TOKEN):
                start = value if isinstance(value, int) else value.decode()
            elif number == STOP_TOKENS and isinstance(value, bytes):
                stops.append(value.decode())
            elif number == TEMPLATES and isinstance(value, bytes):
                for role, template in _fields(value):
                    texts = dict(_fields(template)) if isinstance(template, bytes) else {}
                    prefix, suffix = (texts.get(key, b"") for key in (PREFIX, SUFFIX))
                    if role in ROLES and isinstance(prefix, bytes) and isinstance(suffix, bytes):
                        turns[ROLES[role]] = (prefix.decode(), suffix.decode())
    except (ValueError, IndexError):
        raise InputError(f"{where}: its metadata is damaged; copy or convert it again") from None
    return TaskMetadata(start, tuple(stops), turns)


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Number and value of each field of a message.

    Raises:
        ValueError, IndexError: not a message.
    """
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == VARINT:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, place = _varint(data, place)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if place + size > len(data):
            raise ValueError("a field longer than its message")
        yield key >> 3, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
