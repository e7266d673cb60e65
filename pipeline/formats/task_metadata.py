"""What a .task says of itself: MediaPipe's LlmParameters message, of which no package here brings a reader.

Field numbers: mediapipe, tasks/cc/genai/inference/proto/llm_params.proto and prompt_template.proto.
"""

from dataclasses import dataclass, field

from pipeline.errors import InputError
from pipeline.formats.protobuf import ERRORS, fields

START_ID, STOP_TOKENS, START_TOKEN, TEMPLATES = 4, 5, 6, 17
ROLES = {1: "user", 2: "model", 3: "system"}
PREFIX, SUFFIX = 2, 3


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
        for number, value in fields(data):
            if number in (START_ID, START_TOKEN):
                start = value if isinstance(value, int) else value.decode()
            elif number == STOP_TOKENS and isinstance(value, bytes):
                stops.append(value.decode())
            elif number == TEMPLATES and isinstance(value, bytes):
                for role, template in fields(value):
                    texts = dict(fields(template)) if isinstance(template, bytes) else {}
                    prefix, suffix = (texts.get(key, b"") for key in (PREFIX, SUFFIX))
                    if role in ROLES and isinstance(prefix, bytes) and isinstance(suffix, bytes):
                        turns[ROLES[role]] = (prefix.decode(), suffix.decode())
    except ERRORS:
        raise InputError(f"{where}: its metadata is damaged; copy or convert it again") from None
    return TaskMetadata(start, tuple(stops), turns)
