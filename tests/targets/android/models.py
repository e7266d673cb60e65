"""Models for the app's tests."""

from pathlib import Path
from typing import Any

from tests.support.litertlm import with_metadata


def write_endless(model: Path, target: Path) -> None:
    """The same model without usable stop tokens: it generates until its context is full or it is stopped."""

    def stop_at_start_tokens_only(metadata: Any) -> None:
        del metadata.stop_tokens[:]
        metadata.stop_tokens.add().token_ids.ids.append(metadata.start_token.token_ids.ids[0])

    with_metadata(model, target, stop_at_start_tokens_only)


def write_without_system_turn(model: Path, target: Path) -> None:
    """The same model with a template that rejects a system turn, as the templates of some models do."""
    refusal = (
        "{%- if messages[0]['role'] == 'system' -%}{{ raise_exception('System role not supported') "
        "}}{%- endif -%}"
    )

    def refuse(metadata: Any) -> None:
        metadata.jinja_prompt_template = refusal + metadata.jinja_prompt_template

    with_metadata(model, target, refuse)
