"""The model card of the merged model, in the format of the Hugging Face Hub: a README.md with metadata in its
YAML front matter."""

import re

from pipeline.report.facts import BaseFacts, Facts

TEMPLATE = "card.md.j2"

APACHE = "apache-2.0"
"""The Hub's identifier of the license of a base without terms of its own."""


def render_card(facts: Facts) -> str:
    """The model card as text; the same facts give the same text.

    Only what the Hub can resolve is in the metadata: the base and the data sets that are on the Hub.

    Args:
        facts: with a base and a training.
    """
    from huggingface_hub import ModelCard, ModelCardData
    from jinja2 import Environment, PackageLoader, StrictUndefined

    base = facts.base
    data = ModelCardData(
        base_model=base.hub_name if base else None,
        datasets=facts.hub_datasets or None,
        library_name="transformers",
        license=license_of(base),
        pipeline_tag="text-generation",
        tags=tags(facts),
    )
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=False,  # Markdown; what comes from data goes through the filter md
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"md": escape, "count": lambda number: f"{number:,}"}
    body = environment.get_template(TEMPLATE).render(facts=facts)
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n{body}")).rstrip() + "\n"


def license_of(base: BaseFacts | None) -> str:
    """The Hub's identifier of the license of a model made from a base."""
    return base.terms.hub_license if base and base.terms else APACHE


def tags(facts: Facts) -> list[str]:
    """Tags by which the Hub's search finds the model."""
    named = [facts.base.family] if facts.base else []
    if facts.training:
        named.append(facts.training.method.lower().replace(" ", "-"))
    return [*named, "pocketgemma"]


def escape(text: str) -> str:
    """Text in a line or a table cell of Markdown, where it means nothing but itself."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
