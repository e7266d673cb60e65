"""Models for the app's tests."""

from pathlib import Path

from pipeline.formats.litertlm import METADATA, read_container, rewrite


def write_endless(model: Path, target: Path) -> None:
    """The same model without usable stop tokens: it generates until its context is full or it is stopped."""
    container = read_container(model)
    metadata = container.metadata()
    del metadata.stop_tokens[:]
    metadata.stop_tokens.add().token_ids.ids.append(metadata.start_token.token_ids.ids[0])
    rewrite(container, target, replace={METADATA: metadata.SerializeToString(deterministic=True)})


def write_without_system_turn(model: Path, target: Path) -> None:
    """The same model with a template that rejects a system turn, as the templates of some models do."""
    container = read_container(model)
    metadata = container.metadata()
    refusal = "{%- if messages[0]['role'] == 'system' -%}{{ raise_exception('System role not supported') }}{%- endif -%}"
    metadata.jinja_prompt_template = refusal + metadata.jinja_prompt_template
    rewrite(container, target, replace={METADATA: metadata.SerializeToString(deterministic=True)})
