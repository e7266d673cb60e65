"""Promise: the SentencePiece model made from a tokenizer.json gives the ids of the one that it came from."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sentencepiece import SentencePieceProcessor

from pipeline.errors import InputError
from pipeline.families.turns import CHAT
from pipeline.gemma.tokenizer_json import has_more_tokens, sentencepiece_model
from tests.support.tokenizer_json import write_tokenizer_json
from tests.support.tokenizers import tokenizer_bytes, write_tokenizer

TEXTS = (
    "What is the symbol of gold? It is Au.",
    "two  spaces,   three, and a\ttab\n\nand lines",
    "Größe, naïve, 日本語, 🙂",
    f"{CHAT.start_of_turn}user\nWhich planet?{CHAT.end_of_turn}\n",
    "planetplanets largelargest carboncarbon",
)
ROWS = 400


@pytest.mark.parametrize("merges_as_text", [True, False], ids=["older", "newer"])
def test_ids_are_those_of_the_original(tmp_path: Path, merges_as_text: bool) -> None:
    path = write_tokenizer_json(tmp_path / "tokenizer.json", merges_as_text=merges_as_text)
    made = SentencePieceProcessor(model_proto=sentencepiece_model(path, CHAT.specials, ROWS))
    original = SentencePieceProcessor(model_proto=tokenizer_bytes())
    assert made.vocab_size() == original.vocab_size()
    for text in TEXTS:
        assert made.encode(text) == original.encode(text), text
        assert made.decode(made.encode(text)) == text


def test_the_ids_are_those_of_the_librarys_own_reader(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    path = write_tokenizer_json(tmp_path / "tokenizer.json")
    made = SentencePieceProcessor(model_proto=sentencepiece_model(path, CHAT.specials, ROWS))
    library = Tokenizer.from_file(str(path))
    for text in TEXTS:
        assert made.encode(text) == library.encode(text, add_special_tokens=False).ids, text


def test_an_added_token_gets_its_id_and_gaps_are_filled(tmp_path: Path) -> None:
    pieces = SentencePieceProcessor(model_proto=tokenizer_bytes()).vocab_size()
    added = {"<term>": pieces + 2}
    path = write_tokenizer_json(tmp_path / "tokenizer.json", added=added)
    made = SentencePieceProcessor(model_proto=sentencepiece_model(path, CHAT.specials, ROWS))
    assert made.encode("a<term>b")[1:-1] == [pieces + 2]
    assert made.vocab_size() == pieces + 3


def test_a_token_beyond_the_embedding_is_left_out(tmp_path: Path) -> None:
    path = write_tokenizer_json(tmp_path / "tokenizer.json", added={"<image_soft_token>": ROWS})
    original = write_tokenizer(tmp_path / "tokenizer.model")
    assert not has_more_tokens(path, original, ROWS)
    assert has_more_tokens(path, original, ROWS + 1)
    made = SentencePieceProcessor(model_proto=sentencepiece_model(path, CHAT.specials, ROWS))
    assert made.vocab_size() <= ROWS


def _changed(path: Path, change: Any) -> Path:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda document: document["model"].update(type="Unigram"),
            "model.type is 'Unigram'",
        ),
        (lambda document: document["model"].update(byte_fallback=False), "with byte_fallback"),
        (lambda document: document["model"]["vocab"].pop("<eos>"), "lacks <eos>: not Gemma's tokenizer"),
        (lambda document: document.pop("model"), "model is missing"),
        (lambda document: document.update(added_tokens=5), "added_tokens is 5, expected a list of objects"),
        (lambda document: document.update(added_tokens=[None]), r"added_tokens is \[None\], expected a list"),
        (
            lambda document: document.update(added_tokens=[{"content": "<a>"}]),
            "the id of '<a>' is None, expected a whole number; save the tokenizer again",
        ),
        (lambda document: document["model"]["vocab"].update(x="5"), "the id of 'x' is '5', expected a whole"),
        (lambda document: document["model"].update(merges=5), "model.merges is 5, expected a list"),
        (lambda document: document["model"].update(merges=["ab"]), "model.merges has 'ab', expected a pair"),
        (lambda document: document["model"].update(merges=[None]), "model.merges has None, expected a pair"),
    ],
)
def test_another_tokenizer_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    path = _changed(
        write_tokenizer_json(tmp_path / "tokenizer.json", special_in_vocabulary_only=True), change
    )
    with pytest.raises(InputError, match=message):
        sentencepiece_model(path, CHAT.specials, ROWS)


def test_the_piece_types_are_those_of_the_format() -> None:
    from pipeline.gemma.sentencepiece_model import PieceType

    protobuf: Any = import_module("sentencepiece.sentencepiece_model_pb2")
    assert {kind.name: kind.value for kind in PieceType} == dict(
        protobuf.ModelProto.SentencePiece.Type.items()
    )
