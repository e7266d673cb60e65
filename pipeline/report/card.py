"""The model card of the merged model, in the format of the Hugging Face Hub: a README.md with metadata in its
YAML front matter."""

import re

from pipeline.report.facts import Facts
from pipeline.report.sizes import FileFacts
from pipeline.run.stages import STAGES

TEMPLATE = "card.md.j2"

APACHE = "apache-2.0"
"""The Hub's identifier of the license of a base without terms of its own."""


def render_card(facts: Facts) -> str:
    """The model card as text; the same facts give the same text.

    Only what the Hub can resolve is in the metadata: the base and the data sets that are on the Hub.

    Args:
        facts: with a base, a training and a merge (`Facts.has_card`).

    Raises:
        ValueError: one of them is missing.
    """
    from huggingface_hub import ModelCard, ModelCardData
    from jinja2 import Environment, PackageLoader, StrictUndefined

    base, training = facts.base, facts.training
    if not facts.has_card or base is None or training is None:
        raise ValueError("a model card needs the results of download, finetune and merge")
    data = ModelCardData(
        base_model=base.hub_name,
        datasets=facts.hub_datasets or None,
        library_name="transformers",
        license=base.terms.hub_license if base.terms else APACHE,
        pipeline_tag="text-generation",
        tags=[base.family, training.method.lower().replace(" ", "-"), "pocketgemma"],
    )
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=False,  # Markdown; what comes from data goes through the filter md
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"md": escape, "count": lambda number: f"{number:,}"}
    body = environment.get_template(TEMPLATE).render(facts=facts, files=_files(facts))
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n{body}")).rstrip() + "\n"


def _files(facts: Facts) -> list[FileFacts]:
    """The files to name with their digests: nothing of a conversion that verify refused."""
    stages = list(STAGES)
    shown = stages[: stages.index("convert")] if facts.refused else stages
    return [file for file in facts.files if file.sha256 and file.path.partition("/")[0] in shown]


def escape(text: str) -> str:
    """Text in a line or a table cell of Markdown, where it means nothing but itself."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
