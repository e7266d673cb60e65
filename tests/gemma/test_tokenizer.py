"""A tokenizer reads its family's markers as single tokens and knows where a reply ends."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.families.turns import CHAT
from pipeline.gemma.tokenizer import Tokenizer, tokenizer_file
from tests.support.presets import TRANSFORMERS_CONFIG, write_json
from tests.support.tokenizers import write_tokenizer


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preset")
    write_tokenizer(folder / "tokenizer.model")
    write_json(folder / "config.json", TRANSFORMERS_CONFIG)
    return folder


def test_a_preset_brings_the_chat_format_of_its_family(preset: Path) -> None:
    assert Tokenizer.of_preset(preset).chat is CHAT


def test_markers_are_single_tokens(preset: Path) -> None:
    tokenizer = Tokenizer.of_preset(preset)
    for marker in (CHAT.start_of_turn, CHAT.end_of_turn):
        assert len(tokenizer.encode(marker)) == 1
    assert tokenizer.stop_ids[1:] == tuple(tokenizer.encode(CHAT.end_of_turn))


def test_a_prompt_begins_and_a_response_ends_as_the_format_says(preset: Path) -> None:
    tokenizer = Tokenizer.of_preset(preset)
    prompt = tokenizer.prompt_ids([{"role": "user", "content": "Hello"}])
    assert prompt == [tokenizer.bos_id, *tokenizer.encode(CHAT.render_question("Hello"))]
    assert tokenizer.response_ids("Hello")[-1] == tokenizer.stop_ids[1]


def test_a_tokenizer_of_another_format_is_refused(preset: Path) -> None:
    other = replace(CHAT, start_of_turn="<|turn>")
    with pytest.raises(InputError, match=r"lacks <\|turn>: not the tokenizer of an instruction-tuned Gemma"):
        Tokenizer(tokenizer_file(preset), other)
