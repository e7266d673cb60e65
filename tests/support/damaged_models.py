"""Damage to what a finished .litertlm declares: a copy of the whole file with one fault each."""

from pathlib import Path
from typing import Any

from pipeline.formats.litertlm import TOKENIZER, read_container
from pipeline.formats.litertlm_writer import rewrite
from tests.support.litertlm import with_metadata


def forget_a_stop_token(whole: Path, damaged: Path, *_: object) -> None:
    def change(metadata: Any) -> None:
        del metadata.stop_tokens[1:]

    with_metadata(whole, damaged, change)


def name_another_stop_token(whole: Path, damaged: Path, *_: object) -> None:
    def change(metadata: Any) -> None:
        metadata.stop_tokens[1].token_ids.ids[:] = [7]

    with_metadata(whole, damaged, change)


def use_another_template(whole: Path, damaged: Path, *_: object) -> None:
    def change(metadata: Any) -> None:
        template = metadata.jinja_prompt_template
        metadata.jinja_prompt_template = template.replace("' + role + '\\n'", "' + role + '\\n\\n'")
        assert metadata.jinja_prompt_template != template

    with_metadata(whole, damaged, change)


def swap_two_pieces(whole: Path, damaged: Path, *_: object) -> None:
    from sentencepiece import sentencepiece_model_pb2

    container = read_container(whole)
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(container.read(TOKENIZER))
    frequent = [index for index, piece in enumerate(model.pieces) if piece.piece in ("▁is", "▁the")]
    first, second = (model.pieces[index] for index in frequent)
    first.piece, second.piece = second.piece, first.piece
    rewrite(container, damaged, replace={TOKENIZER: model.SerializeToString()})
