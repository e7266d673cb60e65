"""Promise: an incomplete model file is refused before the runtime opens it; every one has a chat format."""

import os
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.families.registry import DEFAULT_CHAT
from pipeline.families.turns import CHAT
from pipeline.litert.runtime.model_file import chat_format_of, check_model_file
from tests.support.litertlm import write_container


@pytest.mark.parametrize("name", ["model.litertlm", "model.task"])
@pytest.mark.parametrize("content", [None, b"", b"not a model" * 100])
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=name) as refused:
        check_model_file(path)
    assert "\n" not in str(refused.value)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "model.litertlm"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(InputError, match="is not a regular file; expected a .litertlm or .task file"):
            check_model_file(path)


def test_a_complete_file_passes(tmp_path: Path) -> None:
    check_model_file(write_container(tmp_path / "model.litertlm"))


def test_the_chat_format_is_that_of_the_template(tmp_path: Path) -> None:
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata

    metadata = LlmMetadata(jinja_prompt_template=CHAT.template).SerializeToString()
    assert chat_format_of(write_container(tmp_path / "model.litertlm", metadata=metadata)) == CHAT


def test_a_task_has_the_default_chat_format(tmp_path: Path) -> None:
    (tmp_path / "model.task").write_bytes(b"PK")
    assert chat_format_of(tmp_path / "model.task") == DEFAULT_CHAT
