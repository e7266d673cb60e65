from tests.support.converted_models import folder, model

__all__ = ["folder", "model"]
