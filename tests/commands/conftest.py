"""Hubs on the loopback interface, as for the stages."""

from tests.stages.conftest import hugging_face, isolated, kaggle

__all__ = ["hugging_face", "isolated", "kaggle"]
