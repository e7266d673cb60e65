"""The terms of the weights that a recipe starts from."""

from pipeline.families.family import Family
from pipeline.families.terms import Terms
from pipeline.recipe.schema import Config
from pipeline.recipe.section import DEMO


def terms_of_weights(config: Config, family: Family) -> Terms | None:
    """The terms under which a recipe's base is distributed; None: Apache License 2.0, as the demo's."""
    return None if config.model.preset == DEMO else family.terms
