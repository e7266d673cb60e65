"""The registry of families, and which of them a preset is.

Each module of this package with "gemma" in its name that defines a `Family` is found automatically: to add a
family, add a file.
"""

import importlib
import pkgutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pipeline.families
from pipeline.errors import InputError
from pipeline.families.chat import ChatFormat
from pipeline.families.config import read_json, section
from pipeline.families.family import Family, Form, GemmaShape
from pipeline.families.tokenizer_files import has_tokens


def _discover() -> dict[str, Family]:
    found: dict[str, Family] = {}
    for module in pkgutil.iter_modules(pipeline.families.__path__, f"{pipeline.families.__name__}."):
        if "gemma" not in module.name.rpartition(".")[2]:
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Family):
                found[value.name] = value
    # A variant after the family whose configuration it has.
    return dict(sorted(found.items(), key=lambda item: (item[1].variant_of is not None, item[0])))


FAMILIES = _discover()
"""Every family by its short name."""

DEFAULT_CHAT = FAMILIES["gemma3"].chat
"""The chat format of a file that does not name one."""


def supported_families() -> list[Family]:
    """The families that every stage takes."""
    return [family for family in FAMILIES.values() if family.refusal is None]


def known_presets() -> dict[str, str]:
    """Short names of the KerasHub presets that the pipeline takes, and their addresses."""
    return {name: address for family in supported_families() for name, address in family.presets.items()}


def chat_of_template(template: str | None) -> ChatFormat:
    """The chat format whose template a model file carries; the default one for another file's template."""
    return next(
        (family.chat for family in FAMILIES.values() if family.chat.template == template), DEFAULT_CHAT
    )


def read_family(preset: Path) -> Family:
    """The family of a preset folder, from its config.json.

    Raises:
        InputError: there is no config.json, or it is no Gemma's; names the file and the key.
    """
    return _match(preset / "config.json", read_json(preset / "config.json"))


def read_form(preset: Path) -> Form:
    """Whether a preset folder is KerasHub's or Hugging Face's, from its config.json.

    Raises:
        InputError: there is no readable config.json.
    """
    return "keras" if "class_name" in read_json(preset / "config.json") else "transformers"


def read_shape(preset: Path) -> GemmaShape:
    """The shape that a preset's config.json declares.

    Args:
        preset: a KerasHub preset or a Hugging Face folder.

    Raises:
        InputError: there is no config.json, it is no Gemma's, or a value is missing; names the file and the
            key.
    """
    path = preset / "config.json"
    document = read_json(path)
    family = _match(path, document)
    if "class_name" in document:
        shape = family.read_keras(path, section(path, document, "config"))
    else:
        shape = family.read_transformers(path, document)
    # A variant is read by the functions of the family whose configuration it has.
    return replace(shape, family=family)


def family_of_class(name: str, config: dict[str, Any]) -> Family | None:
    """The family of a KerasHub backbone by its class and its `config`; None if it is no Gemma."""
    return next(
        (
            family
            for family in FAMILIES.values()
            if family.keras_class == name and family.variant_of is None and family.is_variant(config)
        ),
        None,
    )


def _match(path: Path, document: dict[str, Any]) -> Family:
    if "class_name" in document:
        return _match_keras(path, document)
    if "model_type" not in document:
        raise InputError(
            f"{path}: not a preset configuration: neither class_name (KerasHub) nor model_type (Hugging "
            "Face) is set"
        )
    kind = document["model_type"]
    for family in FAMILIES.values():
        if kind in family.model_types:
            return _variant(path.parent, family)
    known = ", ".join(name for family in FAMILIES.values() for name in family.model_types)
    raise InputError(f"{path}: model_type is {kind!r}, expected one of {known}")


def _match_keras(path: Path, document: dict[str, Any]) -> Family:
    name = document["class_name"]
    classes = list(dict.fromkeys(family.keras_class for family in FAMILIES.values()))
    if name not in classes or document.get("registered_name") != f"keras_hub>{name}":
        raise InputError(f"{path}: class_name is {name}, expected one of {', '.join(classes)}")
    family = family_of_class(name, section(path, document, "config"))
    if family is None:
        raise InputError(f"{path}: {name} of an unknown family; expected one of {', '.join(FAMILIES)}")
    return _variant(path.parent, family)


def _variant(preset: Path, family: Family) -> Family:
    """The family, or the one with its configuration whose own tokens are in the preset's tokenizer."""
    for other in FAMILIES.values():
        if other.variant_of == family.name and has_tokens(preset, other.own_tokens):
            return other
    return family
