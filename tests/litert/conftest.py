"""Models that several tests share."""

from tests.support.converted_models import folder, model, reference

__all__ = ["folder", "model", "reference"]
